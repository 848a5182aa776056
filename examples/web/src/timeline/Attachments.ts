/** Files that somebody puts into a prompt, as content blocks. */
import type { ContentBlock } from "@holdfast/core"

/** Most files of one prompt. */
export const maxAttachments = 10

/** Bytes of one picture, 4 MiB: more than what models look at. */
export const maxPictureBytes = 4 * 1024 * 1024

/** Bytes of one text file, 256 KiB: what is longer belongs into the workspace. */
export const maxTextBytes = 256 * 1024

const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"])

/** A file that goes with a prompt. */
export interface Attachment {
  readonly id: number
  readonly name: string
  readonly block: ContentBlock
}

/** What is known of a file before it is read. */
export type FileFacts = Pick<File, "name" | "size" | "type">

/** What a file would be in a prompt, or why it cannot be. */
export const readAs = (file: FileFacts): "picture" | "text" | { readonly problem: string } => {
  if (pictures.has(file.type)) {
    return file.size <= maxPictureBytes
      ? "picture"
      : { problem: `${file.name} has more than ${maxPictureBytes / 1024 / 1024} MB` }
  }
  if (file.type.startsWith("image/")) return { problem: `${file.name} is no PNG, JPEG, GIF or WebP` }
  return file.size <= maxTextBytes
    ? "text"
    : { problem: `${file.name} has more than ${maxTextBytes / 1024} KB: put it into the workspace` }
}

const base64 = async (file: Blob): Promise<string> => {
  const bytes = new Uint8Array(await file.arrayBuffer())
  let binary = ""
  // `fromCharCode` takes its arguments on the stack.
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return btoa(binary)
}

let lastId = 0

/** Reads a file; the reason where it cannot go into a prompt. */
export const readAttachment = async (file: File): Promise<Attachment | { readonly problem: string }> => {
  const as = readAs(file)
  if (typeof as === "object") return as
  const id = ++lastId
  const name = file.name === "" ? "picture" : file.name
  if (as === "picture") {
    return { id, name, block: { type: "image", mimeType: file.type, data: await base64(file) } }
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer())
    if (text.includes("\u0000")) throw new TypeError("it has NUL characters")
    return {
      id,
      name,
      block: {
        type: "resource",
        uri: `file:///${encodeURIComponent(name)}`,
        name,
        mimeType: file.type || "text/plain",
        text
      }
    }
  } catch {
    return { problem: `${name} is neither a picture nor text` }
  }
}
