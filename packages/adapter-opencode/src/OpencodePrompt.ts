/** Prompts in the form in which Opencode takes them. */
import type { ContentBlock } from "@holdfast/core"
import type { Choice } from "./OpencodeOffer.ts"

/** A part of a prompt, as `POST /session/{id}/prompt_async` takes it. */
export type PromptPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "file"; readonly mime: string; readonly url: string; readonly filename?: string }

const dataUrl = (mime: string, base64: string) => `data:${mime};base64,${base64}`

const filePart = (mime: string, url: string, filename: string | undefined): PromptPart => ({
  type: "file",
  mime,
  url,
  ...(filename === undefined ? {} : { filename })
})

/** An address is handed over as a file where the server can read it, else named in words. */
const linkPart = (uri: string, mime: string | undefined, name: string | undefined): PromptPart =>
  uri.startsWith("file:") || uri.startsWith("data:")
    ? filePart(mime ?? "text/plain", uri, name)
    : { type: "text", text: name === undefined ? uri : `${name}: ${uri}` }

const partOf = (block: ContentBlock): PromptPart => {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text }
    case "image":
      return block.data === undefined
        ? linkPart(block.uri ?? "", block.mimeType, undefined)
        : filePart(block.mimeType, dataUrl(block.mimeType, block.data), undefined)
    case "resource": {
      const mime = block.mimeType ?? "text/plain"
      const name = block.name ?? block.uri
      if (block.text !== undefined) {
        return filePart(mime, dataUrl(mime, Buffer.from(block.text, "utf8").toString("base64")), name)
      }
      return block.blob === undefined
        ? linkPart(block.uri, block.mimeType, block.name)
        : filePart(mime, dataUrl(mime, block.blob), name)
    }
  }
}

/** The parts of a prompt. Empty texts are left out: what is left may be nothing, which Opencode would run all the same. */
export const partsOf = (content: ReadonlyArray<ContentBlock>): ReadonlyArray<PromptPart> =>
  content.map(partOf).filter((part) => part.type !== "text" || part.text.trim() !== "")

/** `provider/model` as Opencode has it. */
export const modelOf = (name: string): { readonly providerID: string; readonly modelID: string } => {
  const at = name.indexOf("/")
  return { providerID: name.slice(0, at), modelID: name.slice(at + 1) }
}

/** The body of a prompt. Model and agent are always named: what a prompt leaves out is taken from the one before, however bad. */
export const promptBody = (
  messageID: string,
  parts: ReadonlyArray<PromptPart>,
  choice: Choice & { readonly model: string },
  system: string | undefined
) => ({
  messageID,
  model: modelOf(choice.model),
  ...(choice.mode === undefined ? {} : { agent: choice.mode }),
  ...(choice.effort === undefined ? {} : { variant: choice.effort }),
  ...(system === undefined ? {} : { system }),
  parts
})
