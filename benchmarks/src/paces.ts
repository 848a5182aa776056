/**
 * How keystrokes follow each other. Back to back, the next one once the last one's echo is there, measures the work; this is how the
 * latencies of terminals are mostly given. With a typist's rests between them the caches of processor and memory have gone cold, and
 * most of what is measured is what it takes to warm them.
 */
export interface Pace {
  readonly name: string
  /** Milliseconds from an echo to the next keystroke. */
  readonly everyMs: number
  /** Keystrokes a round, and those before them that are not counted: until then whoever types is slower than what it measures. */
  readonly keys: number
  readonly warmUp: number
}

/** As fast as the echoes come, and as a fast typist does. */
export const paces: ReadonlyArray<Pace> = [
  { name: "back to back", everyMs: 0, keys: 2_000, warmUp: 2_000 },
  { name: "20 ms apart", everyMs: 20, keys: 200, warmUp: 0 }
]

/** The rest between two keystrokes. */
export const rest = async ({ everyMs }: Pick<Pace, "everyMs">): Promise<void> => {
  if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs))
}
