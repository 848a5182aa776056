/**
 * How keystrokes follow each other. Back to back, the next one once the last one's echo is there, measures the work. With a typist's
 * rests between them the caches of processor and memory have gone cold, and most of what is measured is what it takes to warm them.
 */
export interface Pace {
  readonly name: string
  /** Milliseconds from an echo to the next keystroke. */
  readonly everyMs: number
  /** Keystrokes a round. */
  readonly keys: number
  /**
   * Those before them, back to back and not counted: until then the programs of host and client are still being compiled, which a
   * host that has served anybody has behind it.
   */
  readonly warmUp: number
}

/** As fast as the echoes come, and as a fast typist does. */
export const paces: ReadonlyArray<Pace> = [
  { name: "back to back", everyMs: 0, keys: 2_000, warmUp: 2_000 },
  { name: "20 ms apart", everyMs: 20, keys: 200, warmUp: 2_000 }
]

/** The rest between two keystrokes. */
export const rest = async ({ everyMs }: Pick<Pace, "everyMs">): Promise<void> => {
  if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs))
}
