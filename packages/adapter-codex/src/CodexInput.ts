/** The pieces of a prompt, as a turn takes them. */
import type { ContentBlock } from "@holdfast/core"
import { fileURLToPath } from "node:url"
import type { CodexInput } from "./CodexCalls.ts"

/** Most characters (Unicode's) of all texts of one prompt, as the server counts them. */
const maxCharacters = 1_048_576

/** Most characters of all images of one prompt together: 32 Mi of base64, which is 24 MiB. All of it goes into one line. */
const maxImageCharacters = 32 * 1024 * 1024

/** What a turn takes, or why it cannot be given. */
export const toCodexInput = (
  content: ReadonlyArray<ContentBlock>
): { readonly input: ReadonlyArray<CodexInput> } | { readonly problem: string } => {
  const input: Array<CodexInput> = []
  let texts = ""
  let imageCharacters = 0
  for (const block of content) {
    const piece = toPiece(block)
    if (typeof piece === "string") return { problem: piece }
    if (piece.type === "text") texts += piece.text
    if (piece.type === "image") imageCharacters += piece.url.length
    input.push(piece)
  }
  const characters = texts.length > maxCharacters ? countCharacters(texts) : texts.length
  if (characters > maxCharacters) {
    return { problem: `its text has ${characters} characters, and Codex takes at most ${maxCharacters}` }
  }
  if (imageCharacters > maxImageCharacters) {
    return {
      problem: `its images have ${imageCharacters} characters of base64, and at most ${maxImageCharacters} are sent`
    }
  }
  const isEmpty = texts === "" && input.every((piece) => piece.type === "text")
  return isEmpty ? { problem: "it is empty" } : { input }
}

const text = (text: string): CodexInput => ({ type: "text", text, text_elements: [] })

const toPiece = (block: ContentBlock): CodexInput | string => {
  switch (block.type) {
    case "text":
      return text(block.text)
    case "image":
      if (block.data !== undefined) return { type: "image", url: `data:${block.mimeType};base64,${block.data}` }
      return block.uri === undefined ? "an image of it has neither data nor an address" : toImage(block.uri)
    case "resource":
      return toResource(block)
  }
}

const toImage = (uri: string): CodexInput | string => {
  if (/^(https?|data):/i.test(uri)) return { type: "image", url: uri }
  const path = toPath(uri)
  return path === undefined
    ? `an image of it is at ${uri}, which is no address that Codex can read`
    : { type: "localImage", path }
}

const toPath = (uri: string): string | undefined => {
  if (!uri.toLowerCase().startsWith("file:")) return undefined
  try {
    return fileURLToPath(uri)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** A text with its address above it; a picture as one; of what has neither the address alone, which the agent can read itself. */
const toResource = (block: Extract<ContentBlock, { readonly type: "resource" }>): CodexInput | string => {
  const name = block.name === undefined ? block.uri : `${block.name} (${block.uri})`
  if (block.text !== undefined) return text(`${name}:\n\n${block.text}`)
  if (block.blob === undefined) return text(toPath(block.uri) ?? name)
  if (block.mimeType?.startsWith("image/") === true) {
    return { type: "image", url: `data:${block.mimeType};base64,${block.blob}` }
  }
  return `${name} is binary (${block.mimeType ?? "of no stated type"}), which Codex cannot be given: save it to a file and name that`
}

/** The server counts characters of Unicode, of which some are two units of a string. */
const countCharacters = (text: string): number => {
  let count = 0
  for (const _ of text) count += 1
  return count
}
