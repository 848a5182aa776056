/** Prompts, and other content of several kinds, as lines. */
import type { ContentBlock } from "@holdfast/core"
import type { Glyphs } from "./Glyphs.ts"
import type { Span, StyledLine } from "./StyledLine.ts"
import { clip } from "./ToolBlock.ts"

/** UTF-16 units of a prompt that are shown: some 200 lines. */
const maxPrompt = 16 * 1024

/** What content says in words; what is no text is named. */
export const contentText = (content: ReadonlyArray<ContentBlock>): string => content.map(blockText).join("\n")

const blockText = (block: ContentBlock): string => {
  switch (block.type) {
    case "text":
      return block.text
    case "image":
      return `[image ${block.uri ?? block.mimeType}]`
    case "resource":
      return `[${block.name ?? block.uri}]`
  }
}

/** The names of what is no text. */
export const attachmentLines = (content: ReadonlyArray<ContentBlock>): ReadonlyArray<StyledLine> =>
  content
    .filter((block) => block.type !== "text")
    .slice(0, 100)
    .map((block) => ({
      lead: { text: "  " },
      hang: { text: "  " },
      spans: [{ text: clip(blockText(block), 400), style: "dim" }]
    }))

/** A prompt, with who wrote it where that is not the person who looks. */
export const promptLine = (text: string, author: string | undefined, steered: boolean, glyphs: Glyphs): StyledLine => {
  const spans: Array<Span> = []
  if (author !== undefined) spans.push({ text: `${author}: `, style: "person" })
  spans.push({ text: clip(text, maxPrompt), style: "strong" })
  if (steered) spans.push({ text: "  (into the running turn)", style: "dim" })
  return { lead: { text: glyphs.person, style: "person" }, hang: { text: "  " }, spans }
}
