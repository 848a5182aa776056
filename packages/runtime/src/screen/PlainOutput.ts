/**
 * Output that need not be looked at. A long run of lines in which nothing but text and colours occurs (a build log, a
 * large file) leaves nothing of its beginning on a screen: what scrolls out of the lines that are kept is gone, and only
 * the colours selected on the way last. Such a run is searched at ten times the speed at which it is shown.
 */

/** A piece of output to leave out. */
export interface Skip {
  /** It begins after a line break; what is before has to be shown. */
  readonly from: number
  /** It ends after a line break; what is after has to be shown. */
  readonly to: number
  /** The colour selections in it that still hold at its end, in order. */
  readonly pens: Uint8Array
}

/** Fewest bytes that are worth leaving out: showing them takes about a millisecond. */
export const minSkipBytes = 32 * 1024

const ok = 0
const lineFeed = 1
const escape = 2
const bad = 3
const maybeControl = 4

/** What each byte is to the search. Controls that no text has are bad: they may begin anything. */
const classes = new Uint8Array(256)
classes.fill(bad, 0, 0x20)
for (const plain of [0x07, 0x08, 0x09, 0x0d]) classes[plain] = ok
classes[0x0a] = lineFeed
classes[0x1b] = escape
// C1 controls come as two bytes, of which these are the second.
classes.fill(maybeControl, 0x80, 0xa0)

/** Index after the colour selection that begins at an escape character; undefined where something else does. */
const penEnd = (bytes: Uint8Array, at: number, end: number): number | undefined => {
  if (at + 1 < end && bytes[at + 1] !== 0x5b) return undefined
  let next = at + 2
  while (next < end && bytes[next]! >= 0x30 && bytes[next]! <= 0x3b) next++
  return next >= end || bytes[next] === 0x6d ? next + 1 : undefined
}

/** Whether a colour selection begins with a reset of all that was selected before. */
const isReset = (bytes: Uint8Array, at: number): boolean => {
  const first = bytes[at + 2]
  if (first === 0x6d || first === 0x3b) return true
  return first === 0x30 && (bytes[at + 3] === 0x6d || bytes[at + 3] === 0x3b)
}

const pensIn = (bytes: Uint8Array, from: number, to: number): Uint8Array => {
  const starts: Array<number> = []
  for (let at = bytes.lastIndexOf(0x1b, to - 1); at >= from; at = at === 0 ? -1 : bytes.lastIndexOf(0x1b, at - 1)) {
    starts.push(at)
    if (isReset(bytes, at)) break
  }
  const parts = starts.toReversed().map((start) => bytes.subarray(start, penEnd(bytes, start, to)))
  const pens = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    pens.set(part, at)
    at += part.length
  }
  return pens
}

/**
 * Looks in bytes `from` to `end` for a piece that leaves nothing on a screen that keeps `kept` lines, `rows` of which it
 * shows, provided that there is no more to the screen where the piece begins than plain scrolling (which the caller
 * checks). The search goes backward and ends at the first thing that is not text or colour, so that it costs next to
 * nothing for programs that draw.
 */
export const findSkip = (
  bytes: Uint8Array,
  from: number,
  end: number,
  kept: number,
  rows: number
): Skip | undefined => {
  let feeds = 0
  let to = -1
  let feedsAfter = 0
  let at = end - 1
  for (; at >= from; at--) {
    const kind = classes[bytes[at]!]!
    if (kind === ok) continue
    if (kind === lineFeed) {
      if (to === -1 && feeds >= kept && at > from && bytes[at - 1] === 0x0d) {
        to = at + 1
        feedsAfter = feeds
      }
      feeds++
    } else if (kind === escape) {
      if (penEnd(bytes, at, end) === undefined) break
    } else if (kind === bad || (at > from && bytes[at - 1] === 0xc2)) break
  }
  if (to === -1) return undefined
  let begin = from
  if (at >= from) {
    // After the first line break behind what is not plain: one of the feeds that were counted.
    do at = bytes.indexOf(0x0a, at + 1)
    while (at !== -1 && at < to && bytes[at - 1] !== 0x0d)
    if (at === -1) return undefined
    begin = at + 1
  }
  if (to - begin < minSkipBytes) return undefined
  let feedsInside = 0
  for (let next = begin; feedsInside < rows && next < to; next++) if (bytes[next] === 0x0a) feedsInside++
  // With fewer the cursor might not have come to the bottom yet.
  if (feedsInside < rows || feedsAfter < kept) return undefined
  return { from: begin, to, pens: pensIn(bytes, begin, to) }
}
