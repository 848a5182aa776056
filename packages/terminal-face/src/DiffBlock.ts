/** A change of a file as lines: what became of it, how much, and the unified diff in colour. */
import type { FileDiff } from "@holdfast/core"
import type { Glyphs } from "./Glyphs.ts"
import { emptyText, excerpt, keep, type KeptText } from "./KeptText.ts"
import type { Span, Style, StyledLine } from "./StyledLine.ts"

/** Lines of one diff that are shown: from its beginning, and from its end. */
const shownDiffLines = { first: 40, last: 10 } as const

/** UTF-16 units of one line of a diff that are shown. */
const maxDiffLine = 1_000

/** A file change with as much of its diff as is shown. */
export interface ShownDiff extends Omit<FileDiff, "diff"> {
  readonly diff: KeptText
}

/** Keeps of a change what is shown of it. */
export const shownDiff = ({ diff, ...change }: FileDiff): ShownDiff => ({
  ...change,
  path: change.path.slice(0, 4_096),
  diff: diff === undefined ? emptyText : keep(emptyText, diff)
})

const verbs: { readonly [C in FileDiff["change"]]: string } = {
  created: "Created",
  modified: "Modified",
  deleted: "Deleted",
  moved: "Moved"
}

/** The lines of a change. */
export const diffLines = (change: ShownDiff, glyphs: Glyphs): ReadonlyArray<StyledLine> => {
  const path = change.from === undefined ? change.path : `${change.from} to ${change.path}`
  const header: Array<Span> = [
    { text: `${verbs[change.change]} `, style: "strong" },
    { text: path.replaceAll("\n", " ") }
  ]
  if (change.additions !== undefined) header.push({ text: ` +${change.additions}`, style: "added" })
  if (change.deletions !== undefined) header.push({ text: ` ${glyphs.minus}${change.deletions}`, style: "removed" })
  const lines: Array<StyledLine> = [{ lead: { text: "  " }, hang: { text: "  " }, spans: header }]

  const bar: Span = { text: `  ${glyphs.bar}`, style: "dim" }
  const shown = excerpt(change.diff, (text) => text, shownDiffLines.first, shownDiffLines.last)
  const styles = new DiffStyles()
  const add = (text: string) => {
    const clipped = text.length <= maxDiffLine ? text : `${text.slice(0, maxDiffLine)}${glyphs.ellipsis}`
    lines.push({ lead: bar, hang: bar, spans: [{ text: clipped, style: styles.next(text) }] })
  }
  for (const text of shown.first) add(text)
  if (shown.omitted > 0) {
    lines.push({
      lead: bar,
      spans: [{ text: `${glyphs.ellipsis} ${shown.omitted} lines ${glyphs.ellipsis}`, style: "dim" }]
    })
    styles.leap()
  }
  for (const text of shown.last) add(text)
  return lines
}

/** Tells the lines of a unified diff apart. Hunks say how long they are, so that a removed `-- x` is no file header. */
class DiffStyles {
  #before = 0
  #after = 0
  /** Lines were left out, perhaps with a hunk's header: a line then counts as one of a hunk. */
  #leapt = false

  next(text: string): Style {
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(text)
    if (hunk !== null) {
      this.#before = Number(hunk[1] ?? 1)
      this.#after = Number(hunk[2] ?? 1)
      this.#leapt = false
      return "hunk"
    }
    if (text.startsWith("\\")) return "dim"
    if (this.#before <= 0 && this.#after <= 0 && !this.#leapt) {
      if (/^(diff |index |--- |\+\+\+ |(?:new|deleted|old) |rename |similarity |Binary )/.test(text)) return "dim"
    }
    if (text.startsWith("+")) {
      this.#after--
      return "added"
    }
    if (text.startsWith("-")) {
      this.#before--
      return "removed"
    }
    this.#before--
    this.#after--
    return "plain"
  }

  leap(): void {
    this.#leapt = true
  }
}
