/**
 * Markdown in blocks that can be parsed one by one, so that a streaming message costs the parse of its last block and not
 * of all that was said before.
 */

/** A piece of Markdown that means the same by itself as in its text. */
export interface MarkdownBlock {
  /** Where it starts in the text: a key for lists that stays while the text grows. */
  readonly start: number
  readonly text: string
  /** It ends within a fence of code that is not closed. */
  readonly inFence: boolean
}

/** A text in blocks. */
export interface MarkdownBlocks {
  readonly text: string
  readonly blocks: ReadonlyArray<MarkdownBlock>
  /** Lines that define links and footnotes: a block that refers to one is parsed with them behind it. */
  readonly definitions: string
}

interface Fence {
  readonly mark: string
  readonly length: number
  /** It began within a list: a line at the margin ends both. */
  readonly nested: boolean
}

const fenceStart = /^(\s*)((?:(?:[-*+]|\d{1,9}[.)])\s+)*)(`{3,}(?=[^`]*$)|~{3,})/
const listMarker = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/
const definition = /^ {0,3}\[(?:[^\]\\]|\\.)+\]:\s*\S/

/** HTML that goes on over empty lines, and what ends it (CommonMark 0.31, HTML blocks 1 to 5). */
const html: ReadonlyArray<readonly [start: RegExp, end: RegExp]> = [
  [/^ {0,3}<(?:script|pre|style|textarea)(?:\s|>|$)/i, /<\/(?:script|pre|style|textarea)>/i],
  [/^ {0,3}<!--/, /-->/],
  [/^ {0,3}<\?/, /\?>/],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/],
  [/^ {0,3}<![a-z]/i, />/]
]

const nothing: MarkdownBlocks = { text: "", blocks: [], definitions: "" }

/**
 * Splits a text at empty lines that no fence, list, indented code or HTML goes on over. Where it only grew since `before`,
 * its last block alone is looked at
 * again, with the one before it as long as the last is a piece of a line; all others are the same objects.
 */
export const splitMarkdown = (text: string, before: MarkdownBlocks = nothing): MarkdownBlocks => {
  if (text === before.text) return before
  const grown = text.startsWith(before.text)
  // A line that is not whole yet may turn out to belong to the block before it: `2` becomes `2. an item`.
  const open = before.blocks.at(-1)?.text.includes("\n") === true ? 1 : 2
  const blocks: Array<MarkdownBlock> = grown ? before.blocks.slice(0, -open) : []
  let start = grown ? (before.blocks.at(-open)?.start ?? 0) : 0
  // A definition that the last block has is found again.
  let definitions = grown ? before.definitions.slice(0, definitionsUntil(before, start)) : ""

  let fence: Fence | null = null
  let htmlEnd: RegExp | null = null
  let inList = false
  let isFresh = true
  let afterBlank = false
  for (let at = start; at < text.length;) {
    const newline = text.indexOf("\n", at)
    const end = newline === -1 ? text.length : newline + 1
    const line = text.slice(at, newline === -1 ? end : newline).replace(/\r$/, "")
    const isBlank = line.trim() === ""
    const atMargin = !isBlank && !/^\s/.test(line)

    if (fence !== null && fence.nested && atMargin) fence = null
    if (fence !== null) {
      const closing = /^\s*(`{3,}|~{3,})\s*$/.exec(line)?.[1]
      if (closing !== undefined && closing[0] === fence.mark && closing.length >= fence.length) fence = null
      afterBlank = false
    } else if (htmlEnd !== null) {
      if (htmlEnd.test(line)) htmlEnd = null
      afterBlank = false
    } else if (isBlank) {
      afterBlank = true
    } else {
      const isItem = listMarker.test(line)
      const goesOn = /^(?: {4}|\t)/.test(line) || (inList && (isItem || !atMargin))
      if (afterBlank && !isFresh && !goesOn) {
        blocks.push({ start, text: text.slice(start, at), inFence: false })
        start = at
        inList = false
        isFresh = true
      }
      if (isFresh) inList = isItem
      else if (isItem) inList = true
      isFresh = false
      afterBlank = false
      const opened = fenceStart.exec(line)
      if (opened !== null) {
        const [, indent, markers, marks] = opened as unknown as [string, string, string, string]
        // Four spaces are code already, unless a list has them.
        if (indent.length < 4 || inList) {
          fence = { mark: marks[0]!, length: marks.length, nested: inList && (indent !== "" || markers !== "") }
        }
      } else {
        const found = html.find(([begins]) => begins.test(line))
        if (found !== undefined && !found[1].test(line)) htmlEnd = found[1]
        else if (definition.test(line)) definitions += `${line}\n`
      }
    }
    at = end
  }
  if (start < text.length) blocks.push({ start, text: text.slice(start), inFence: fence !== null })
  return { text, blocks, definitions }
}

/** How much of the definitions stands before a place in the text. */
const definitionsUntil = ({ definitions, text }: MarkdownBlocks, start: number): number => {
  if (definitions === "") return 0
  let length = 0
  let at = 0
  for (const line of definitions.split("\n").slice(0, -1)) {
    at = text.indexOf(line, at)
    if (at === -1 || at >= start) return length
    at += line.length
    length += line.length + 1
  }
  return length
}

/** What is parsed for a block. */
export const parsedText = (block: string, definitions: string): string =>
  definitions !== "" && block.includes("[") ? `${block}\n\n${definitions}` : block
