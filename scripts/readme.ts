/** Reads what a Markdown page shows as code, so that what it shows can be run. */
import { readFileSync } from "node:fs"

/** A fenced block: the first word after its fence, its text, and the line of its fence in the page. */
export interface FencedBlock {
  readonly language: string
  readonly text: string
  readonly line: number
}

/** The fenced code blocks of a Markdown text, in order. An unclosed block runs to the end, as Markdown has it. */
export const fencedBlocks = (markdown: string): ReadonlyArray<FencedBlock> => {
  const blocks: Array<FencedBlock> = []
  let open: { readonly fence: string; readonly language: string; readonly line: number } | undefined
  let body: Array<string> = []
  const close = () => {
    if (open !== undefined) blocks.push({ language: open.language, text: body.join("\n"), line: open.line })
    open = undefined
    body = []
  }
  for (const [at, line] of markdown.split(/\r?\n/).entries()) {
    const [, fence, info] = /^ {0,3}(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? []
    if (open === undefined) {
      if (fence !== undefined) open = { fence, language: info?.split(/\s/)[0] ?? "", line: at + 1 }
    } else if (fence?.startsWith(open.fence) === true && info === "") {
      close()
    } else {
      body.push(line)
    }
  }
  close()
  return blocks
}

/** A program that a page shows, and what the page says it prints. */
export interface Example {
  readonly source: string
  readonly output: string
}

/** The first example of a page: its first `ts` block, and the `text` block after it, which is what the example prints. */
export const firstExample = (markdown: string): Example => {
  const blocks = fencedBlocks(markdown)
  const at = blocks.findIndex((block) => block.language === "ts")
  const source = blocks[at]
  const output = blocks[at + 1]
  if (source === undefined) throw new Error("The page has no example: write it as a ```ts block.")
  if (output?.language !== "text") {
    throw new Error(`The example on line ${source.line} does not say what it prints: add a \`\`\`text block after it.`)
  }
  return { source: source.text, output: output.text }
}

/** The first example of a page in a file. */
export const readFirstExample = (path: string): Example => firstExample(readFileSync(path, "utf8"))
