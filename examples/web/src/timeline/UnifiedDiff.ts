/** Unified diffs as lines with their numbers. */

/** One line of a diff. */
export interface DiffLine {
  readonly kind: "added" | "removed" | "context" | "hunk" | "note"
  /** Without the mark in front of it. */
  readonly text: string
  /** Its number before the change; null where it was not there. */
  readonly before: number | null
  /** Its number after the change; null where it is not there any more. */
  readonly after: number | null
}

/** A diff that was read. */
export interface ReadDiff {
  readonly lines: ReadonlyArray<DiffLine>
  readonly additions: number
  readonly deletions: number
}

const header = /^(?:diff |index |--- |\+\+\+ |(?:new|deleted|old) |rename |copy |similarity |dissimilarity |Binary )/

/**
 * Reads a unified diff, or several. Header lines are left out: what shows the diff names the file. Hunks say how long they
 * are, so that a removed line `-- x` is no header. What is in no hunk is a note.
 */
export const readDiff = (diff: string): ReadDiff => {
  const lines: Array<DiffLine> = []
  let additions = 0
  let deletions = 0
  let before = 0
  let after = 0
  let beforeLeft = 0
  let afterLeft = 0
  const all = diff.split("\n")
  if (all.at(-1) === "") all.pop()
  for (const raw of all) {
    const line = raw.replace(/\r$/, "")
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/.exec(line)
    if (hunk !== null) {
      before = Number(hunk[1])
      after = Number(hunk[3])
      beforeLeft = Number(hunk[2] ?? 1)
      afterLeft = Number(hunk[4] ?? 1)
      lines.push({ kind: "hunk", text: hunk[5] ?? "", before, after })
      continue
    }
    if (line.startsWith("\\")) {
      lines.push({ kind: "note", text: line.slice(1).trim(), before: null, after: null })
      continue
    }
    if (beforeLeft <= 0 && afterLeft <= 0) {
      if (line !== "" && !header.test(line)) lines.push({ kind: "note", text: line, before: null, after: null })
      continue
    }
    const text = line.slice(1)
    if (line.startsWith("+")) {
      additions += 1
      afterLeft -= 1
      lines.push({ kind: "added", text, before: null, after: after++ })
    } else if (line.startsWith("-")) {
      deletions += 1
      beforeLeft -= 1
      lines.push({ kind: "removed", text, before: before++, after: null })
    } else {
      beforeLeft -= 1
      afterLeft -= 1
      lines.push({ kind: "context", text, before: before++, after: after++ })
    }
  }
  return { lines, additions, deletions }
}
