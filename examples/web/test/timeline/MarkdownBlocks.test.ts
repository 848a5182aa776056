import * as fc from "fast-check"
import { createElement } from "react"
import { renderToStaticMarkup } from "react-dom/server"
import ReactMarkdown from "react-markdown"
import remarkGfm from "remark-gfm"
import { assert, describe, it } from "vitest"
import { type MarkdownBlocks, parsedText, splitMarkdown } from "../../src/timeline/MarkdownBlocks.ts"

/** What a text looks like. */
const look = (text: string): string =>
  renderToStaticMarkup(createElement(ReactMarkdown, { remarkPlugins: [remarkGfm], children: text }))

const texts = ({ blocks }: MarkdownBlocks) => blocks.map(({ text }) => text)

/** Pieces that agents write, also badly. */
const fragment = fc.constantFrom(
  "A paragraph\nof two lines.",
  "# Heading",
  "Heading\n=====",
  "- one\n- two",
  "- one\n\n- two, loose",
  "1. one\n\n   with a paragraph\n\n2. two",
  "- item\n\n  ```js\n  a\n\n  b\n  ```\n\n  after",
  "- item\n  - nested\n\n    deep",
  "```ts\nconst a = 1\n\n\nconst b = 2\n```",
  "~~~\n```\n\n~~~",
  "````\n```\n\nx\n```\n````",
  "``` not`a fence\n\ntext",
  "    indented code\n\n    more of it",
  "> quoted\n> text\n\n> another quote",
  "| a | b |\n| - | - |\n| 1 | 2 |",
  "<!-- a comment\n\nover lines -->",
  "<pre>\n\n# no heading\n\n</pre>",
  "---",
  "* * *",
  "a\\\nb",
  "  - indented list\n\ntext",
  "1) other\n\nmark",
  "- [ ] to do\n- [x] done",
  "```\nnever closed\n\n# still code"
)

const documents = fc
  .array(fc.tuple(fragment, fc.constantFrom("\n", "\n\n", "\n\n\n", "\n \n", "\r\n\r\n")), { maxLength: 12 })
  .map((parts) => parts.map(([text, gap]) => text + gap).join(""))

describe("Markdown in blocks", () => {
  it("looks the same as in one piece, whatever it consists of", () => {
    fc.assert(
      fc.property(documents, (text) => {
        const { blocks } = splitMarkdown(text)
        assert.strictEqual(texts({ text, blocks, definitions: "" }).join("").trimStart(), text.trimStart())
        assert.strictEqual(
          blocks
            .map((block) => look(block.text))
            .filter((html) => html !== "")
            .join("\n"),
          look(text)
        )
      }),
      { numRuns: 200 }
    )
  })

  it("comes out the same however the text streams in", () => {
    fc.assert(
      fc.property(documents, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (text, sizes) => {
        let streamed: MarkdownBlocks = splitMarkdown("")
        for (let at = 0, index = 0; at < text.length; index++) {
          at += sizes[index % sizes.length]!
          streamed = splitMarkdown(text.slice(0, at), streamed)
        }
        assert.deepStrictEqual(streamed, splitMarkdown(text))
      })
    )
  })

  it("keeps the blocks that are over while the last one grows, so that they are parsed once", () => {
    const before = splitMarkdown("One.\n\nTwo.\n\nThis\nand thr")
    const after = splitMarkdown("One.\n\nTwo.\n\nThis\nand three.\n\nFour", before)
    assert.deepStrictEqual(texts(after), ["One.\n\n", "Two.\n\n", "This\nand three.\n\n", "Four"])
    assert.strictEqual(after.blocks[0], before.blocks[0])
    assert.strictEqual(after.blocks[1], before.blocks[1])
  })

  it("begins anew where a text is not the one that streamed", () => {
    const before = splitMarkdown("One.\n\nTwo.")
    assert.deepStrictEqual(texts(splitMarkdown("Other.\n\nTwo.", before)), ["Other.\n\n", "Two."])
  })

  it("says that a block ends within code that is not closed", () => {
    assert.isTrue(splitMarkdown("Look:\n\n```ts\nconst a").blocks.at(-1)?.inFence)
    assert.isFalse(splitMarkdown("Look:\n\n```ts\nconst a\n```\n").blocks.at(-1)?.inFence)
  })

  it("finds the address of a link that is defined in another block", () => {
    const { blocks, definitions } = splitMarkdown("See [docs].\n\nMore.\n\n[docs]: https://example.com/docs\n")
    assert.include(parsedText(blocks[0]!.text, definitions), "[docs]: https://example.com/docs")
    assert.strictEqual(parsedText(blocks[1]!.text, definitions), "More.\n\n")
  })

  it("finds each definition once while they stream in", () => {
    const text = "[a] and [b].\n\n[a]: https://a.example\n\n[b]: https://b.example\n\nEnd."
    let streamed = splitMarkdown("")
    for (let at = 1; at <= text.length; at++) streamed = splitMarkdown(text.slice(0, at), streamed)
    assert.strictEqual(streamed.definitions, "[a]: https://a.example\n[b]: https://b.example\n")
  })
})
