/** What Opencode's own tools mean: kinds, titles, places, exit codes, and the files that they changed. */
import type { BackendEvent, ContentBlock, Location, ToolKind } from "@holdfast/core"
import { isAbsolute, join } from "node:path/posix"
import { Attachment, lenientDecoder, type ToolState } from "./OpencodeWire.ts"

/** By the names of 1.18.33's tools; those of MCP servers and plugins are `other`. */
const kinds: ReadonlyMap<string, ToolKind> = new Map<string, ToolKind>([
  ["bash", "execute"],
  ["read", "read"],
  ["list", "read"],
  ["lsp", "read"],
  ["edit", "edit"],
  ["write", "edit"],
  ["multiedit", "edit"],
  ["patch", "edit"],
  ["apply_patch", "edit"],
  ["glob", "search"],
  ["grep", "search"],
  ["codesearch", "search"],
  ["websearch", "fetch"],
  ["webfetch", "fetch"],
  ["todowrite", "think"],
  ["todoread", "think"]
])

/** The kind of a tool. */
export const kindOf = (tool: string): ToolKind => kinds.get(tool) ?? "other"

/** An object's own text field. */
export const textField = (value: unknown, name: string): string | undefined => {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined
  const field = (value as Record<string, unknown>)[name]
  return typeof field === "string" && field !== "" ? field : undefined
}

/** Where the title of a call stands in its input. */
const titleFields: ReadonlyArray<string> = ["command", "filePath", "pattern", "url", "query", "description", "path"]

/** What a call is about, for a line of a list: its command, its file, its pattern. The server's own title comes first. */
export const titleOf = (state: ToolState): string | undefined => {
  if (state.title !== undefined && state.title !== "") return state.title
  for (const field of titleFields) {
    const title = textField(state.input, field)
    if (title !== undefined) return title
  }
  return undefined
}

/** The file that a call is about. Relative paths count from the session's directory. */
export const locationsOf = (state: ToolState, directory: string): ReadonlyArray<Location> | undefined => {
  const path = textField(state.input, "filePath")
  return path === undefined ? undefined : [{ path: absolutePath(path, directory) }]
}

/** A path below a folder, unless it is absolute, as POSIX or Windows have it. */
export const absolutePath = (path: string, folder: string): string =>
  isAbsolute(path) || /^[a-z]:/i.test(path) ? path : join(folder, path)

/** The exit code of a command; null where it was killed; undefined where the tool runs none. */
export const exitCodeOf = (state: ToolState): number | null | undefined => {
  const exit = state.metadata?.["exit"]
  return exit === null || (typeof exit === "number" && Number.isInteger(exit)) ? exit : undefined
}

const decodeAttachment = lenientDecoder(Attachment)

/** Files that a tool or a message brought. */
export const blocksOf = (attachments: ReadonlyArray<unknown> | undefined): ReadonlyArray<ContentBlock> | undefined => {
  const blocks = (attachments ?? []).flatMap((each): ReadonlyArray<ContentBlock> => {
    const attachment = decodeAttachment(each)
    const block = attachment === undefined ? undefined : blockOf(attachment)
    return block === undefined ? [] : [block]
  })
  return blocks.length === 0 ? undefined : blocks
}

/** A file as a content block: the bytes of a `data:` URL, otherwise its address. */
const blockOf = ({ filename, mime, url }: Attachment): ContentBlock | undefined => {
  if (url === undefined) return undefined
  const inline = /^data:([^;,]*);base64,(.*)$/s.exec(url)
  const mimeType = mime ?? inline?.[1] ?? "application/octet-stream"
  if (inline === null) {
    return { type: "resource", uri: url, mimeType, ...(filename === undefined ? {} : { name: filename }) }
  }
  if (mimeType.startsWith("image/")) return { type: "image", mimeType, data: inline[2]! }
  return { type: "resource", uri: `file:${filename ?? ""}`, mimeType, blob: inline[2]! }
}

/** What `file.changed` says of one file, without where it belongs. `path` is as the server wrote it. */
export type FileChange = Omit<Extract<BackendEvent, { readonly type: "file.changed" }>["data"], "itemId" | "turnId">

/** A file that was overwritten as a whole, of which the tool does not tell what was there before. */
export interface Overwrite {
  readonly overwritten: string
}

/**
 * The files that a completed call changed. A `write` over an existing file has no difference to show: only the server's own
 * comparison at the end of the turn has, where the directory is a repository.
 */
export const changesOf = (tool: string, state: ToolState): ReadonlyArray<FileChange | Overwrite> => {
  const { metadata } = state
  if (metadata === undefined) return []
  if (tool === "write") {
    const path = textField(metadata, "filepath")
    if (path === undefined) return []
    if (metadata["exists"] === true) return [{ overwritten: path }]
    const content = textField(state.input, "content") ?? ""
    return [{ path, change: "created", ...counted(creationDiff(path, content)) }]
  }
  if (tool === "edit") {
    const created = typeof state.input === "object" && Object(state.input)["oldString"] === ""
    return patched(metadata["filediff"], created ? "created" : "modified")
  }
  if (Array.isArray(metadata["files"])) return metadata["files"].flatMap(patchedFile)
  if (Array.isArray(metadata["results"])) {
    return metadata["results"].flatMap((each) => patched(Object(each)["filediff"], "modified"))
  }
  return []
}

const patched = (filediff: unknown, change: FileChange["change"]): ReadonlyArray<FileChange> => {
  const path = textField(filediff, "file")
  if (path === undefined) return []
  const diff = textField(filediff, "patch") ?? textField(filediff, "diff")
  return [{ path, change, ...(diff === undefined ? {} : counted(diff)) }]
}

/** A file of `apply_patch`: `type` is add, update, delete or move, with `movePath`. */
const patchedFile = (file: unknown): ReadonlyArray<FileChange> => {
  const path = textField(file, "filePath")
  if (path === undefined) return []
  const diff = textField(file, "patch") ?? textField(file, "diff")
  const shown = diff === undefined ? {} : counted(diff)
  const movedTo = textField(file, "movePath")
  if (movedTo !== undefined) return [{ path: movedTo, from: path, change: "moved", ...shown }]
  return [{ path, change: changeOf(textField(file, "type")), ...shown }]
}

/** Opencode has two words for each. */
export const changeOf = (word: string | undefined): FileChange["change"] => {
  if (word === "add" || word === "added") return "created"
  return word === "delete" || word === "deleted" ? "deleted" : "modified"
}

/** What stands before a difference's first line of its own, and says nothing more than that does. */
const indexLines = /^Index: .*\n=+\n/

/** A difference with its added and deleted lines. */
export const counted = (given: string): Pick<Required<FileChange>, "diff" | "additions" | "deletions"> => {
  const diff = given.replace(indexLines, "")
  let additions = 0
  let deletions = 0
  let inHunk = false
  for (const line of diff.split("\n")) {
    if (line.startsWith("@@")) inHunk = true
    else if (line.startsWith("diff --git ") || line.startsWith("Index: ")) inHunk = false
    else if (inHunk && line.startsWith("+")) additions += 1
    else if (inHunk && line.startsWith("-")) deletions += 1
  }
  return { diff, additions, deletions }
}

const creationDiff = (path: string, content: string): string => {
  if (content === "") return `--- /dev/null\n+++ ${path}\n`
  const whole = content.endsWith("\n")
  const lines = (whole ? content.slice(0, -1) : content).split("\n")
  const body = lines.map((line) => `+${line}\n`).join("")
  return `--- /dev/null\n+++ ${path}\n@@ -0,0 +1,${lines.length} @@\n${body}${whole ? "" : "\\ No newline at end of file\n"}`
}
