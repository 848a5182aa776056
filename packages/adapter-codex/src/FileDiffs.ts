/** Codex's words about changed files as unified diffs with counted lines: of its patches, and of a turn as a whole. */
import type { DataOf } from "@holdfast/core"
import type { FileUpdateChange } from "./CodexWire.ts"

/** A file that changed, without what it belongs to. The diff has the file's path in its two header lines. */
export type FileDiff = Pick<DataOf<"file.changed">, "path" | "change" | "from" | "diff" | "additions" | "deletions">

/** Longest diff of a whole turn that is looked into, in UTF-16 units: 1 Mi, more than anybody reads. */
const maxTurnDiff = 1024 * 1024

/** One change of a patch. */
export const readChange = ({ diff = "", kind, path }: FileUpdateChange): FileDiff => {
  switch (kind.type) {
    case "add":
      return whole(path, "created", "+", diff)
    case "delete":
      return whole(path, "deleted", "-", diff)
  }
  const to = kind.move_path ?? path
  // A move is also said behind the hunks, for the model's eyes.
  const moved = diff.endsWith(`\n\nMoved to: ${to}`) ? diff.slice(0, diff.lastIndexOf("\n\nMoved to: ")) : diff
  const hunks = moved.length === 0 || moved.endsWith("\n") ? moved : `${moved}\n`
  return {
    path: to,
    ...(to === path ? { change: "modified" } : { change: "moved", from: path }),
    diff: `--- ${path}\n+++ ${to}\n${hunks}`,
    ...count(hunks)
  }
}

/** A file that is there in whole on one side only: the server gives its content. */
const whole = (path: string, change: "created" | "deleted", sign: "+" | "-", content: string): FileDiff => {
  const endless = content.length > 0 && !content.endsWith("\n")
  const lines = content.length === 0 ? [] : (endless ? content : content.slice(0, -1)).split("\n")
  const range = lines.length === 1 ? "1" : `1,${lines.length}`
  const header = change === "created" ? `--- /dev/null\n+++ ${path}\n` : `--- ${path}\n+++ /dev/null\n`
  const hunk =
    lines.length === 0
      ? ""
      : `@@ ${change === "created" ? `-0,0 +${range}` : `-${range} +0,0`} @@\n` +
        lines.map((line) => `${sign}${line}\n`).join("") +
        (endless ? "\\ No newline at end of file\n" : "")
  return {
    path,
    change,
    diff: header + hunk,
    additions: change === "created" ? lines.length : 0,
    deletions: change === "deleted" ? lines.length : 0
  }
}

/** Counts the added and deleted lines of hunks, by the lengths that their headers state. */
const count = (hunks: string): { readonly additions: number; readonly deletions: number } => {
  let additions = 0
  let deletions = 0
  let inHunk = false
  for (const line of hunks.split("\n")) {
    if (line.startsWith("@@")) inHunk = true
    else if (inHunk && line.startsWith("+")) additions += 1
    else if (inHunk && line.startsWith("-")) deletions += 1
  }
  return { additions, deletions }
}

/**
 * The files in the git diff of a turn, by the paths that it has (below the root of the repository, or absolute). One that
 * is longer than 1 Mi characters gives none.
 */
export const readTurnDiff = (diff: string): ReadonlyArray<FileDiff> => {
  if (diff.length > maxTurnDiff) return []
  return diff
    .split(/^(?=diff --git )/m)
    .filter((part) => part.startsWith("diff --git "))
    .flatMap((part) => readGitFile(part) ?? [])
}

const readGitFile = (part: string): FileDiff | undefined => {
  const hunksAt = part.search(/^@@/m)
  const header = hunksAt === -1 ? part : part.slice(0, hunksAt)
  const hunks = hunksAt === -1 ? "" : part.slice(hunksAt)
  const names = /^diff --git a\/(.*) b\/(.*)$/m.exec(header)
  const from = /^--- a\/(.*)$/m.exec(header)?.[1] ?? names?.[1]
  const to = /^\+\+\+ b\/(.*)$/m.exec(header)?.[1] ?? names?.[2]
  if (from === undefined || to === undefined) return undefined
  const created = /^new file mode/m.test(header)
  const deleted = /^deleted file mode/m.test(header)
  const change = created ? "created" : deleted ? "deleted" : from === to ? "modified" : "moved"
  return {
    path: deleted ? from : to,
    change,
    ...(change === "moved" ? { from } : {}),
    diff: `--- ${created ? "/dev/null" : from}\n+++ ${deleted ? "/dev/null" : to}\n${hunks}`,
    ...count(hunks)
  }
}
