/** A text of any length in bounded memory: its beginning, its end, and how much lies between. */

/** UTF-16 units that are kept of the beginning of a tool's output, and as many of its end: 16 Ki, some 200 lines each. */
const keptUnits = 16 * 1024

/** What is kept of a text. */
export interface KeptText {
  readonly head: string
  /** Continues `head` directly where nothing was left out. At most twice {@link keptUnits}. */
  readonly tail: string
  /** UTF-16 units between head and tail that are gone. */
  readonly dropped: number
  /** Line ends in what is gone. */
  readonly droppedLines: number
}

export const emptyText: KeptText = { head: "", tail: "", dropped: 0, droppedLines: 0 }

/** Adds a piece at the end. */
export const keep = (kept: KeptText, piece: string): KeptText => {
  const room = keptUnits - kept.head.length
  if (kept.tail === "" && piece.length <= room) return { ...kept, head: kept.head + piece }
  const head = kept.tail === "" ? kept.head + piece.slice(0, room) : kept.head
  const tail = kept.tail + piece.slice(head.length - kept.head.length)
  // Cut only now and then, so that small pieces cost little.
  if (tail.length <= 2 * keptUnits) return { ...kept, head, tail }
  const gone = tail.slice(0, tail.length - keptUnits)
  return {
    head,
    tail: tail.slice(-keptUnits),
    dropped: kept.dropped + gone.length,
    droppedLines: kept.droppedLines + countLineEnds(gone)
  }
}

/** How many `\n` a text has. */
const countLineEnds = (text: string): number => {
  let count = 0
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++
  return count
}

/** UTF-16 units from which the last lines are taken. */
const lastUnits = 4_096

/** The last lines of a text, without a look at the rest of it. */
export const lastLines = (kept: KeptText, clean: (text: string) => string, count: number): ReadonlyArray<string> => {
  if (count <= 0) return []
  const end = kept.tail === "" ? kept.head.slice(-lastUnits) : kept.tail.slice(-lastUnits)
  return linesOf(clean(end)).slice(-count)
}

/** What to show of the lines of a text: some of the first, some of the last, and how many lie between. */
interface Excerpt {
  readonly first: ReadonlyArray<string>
  readonly omitted: number
  readonly last: ReadonlyArray<string>
}

/** Splits into lines, and leaves out the middle where there are more than `first + last + 1`. */
export const excerpt = (kept: KeptText, clean: (text: string) => string, first: number, last: number): Excerpt => {
  if (kept.dropped === 0) {
    const lines = linesOf(clean(kept.head + kept.tail))
    if (lines.length <= first + last + 1) return { first: lines, omitted: 0, last: [] }
    return {
      first: lines.slice(0, first),
      omitted: lines.length - first - last,
      last: last === 0 ? [] : lines.slice(-last)
    }
  }
  // The ends of the gap are within lines: neither half is shown.
  const head = linesOf(clean(kept.head.slice(0, kept.head.lastIndexOf("\n") + 1)))
  const tail = linesOf(clean(kept.tail.slice(kept.tail.indexOf("\n") + 1)))
  const shown = { first: head.slice(0, first), last: last === 0 ? [] : tail.slice(-last) }
  const omitted = head.length - shown.first.length + (tail.length - shown.last.length) + kept.droppedLines + 1
  return { ...shown, omitted }
}

/** The lines of a text; the end of the last one begins none. */
const linesOf = (text: string): ReadonlyArray<string> => {
  const lines = text.split("\n")
  if (lines.at(-1) === "") lines.pop()
  return lines
}
