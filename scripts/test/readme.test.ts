import { assert, describe, it } from "vitest"
import { fencedBlocks, firstExample } from "../readme.ts"

const page = (...lines: ReadonlyArray<string>) => lines.join("\n")

describe("the code blocks of a page", () => {
  it("come with their language, text and line", () => {
    const markdown = page("# A", "", "```sh", "npm ci", "```", "", "```ts title=a.ts", "const a = 1", "", "a", "```")
    assert.deepStrictEqual(fencedBlocks(markdown), [
      { language: "sh", text: "npm ci", line: 3 },
      { language: "ts", text: "const a = 1\n\na", line: 7 }
    ])
  })

  it("keep shorter and other fences in their text", () => {
    const markdown = page("````md", "```ts", "a", "```", "~~~", "````", "text")
    assert.deepStrictEqual(fencedBlocks(markdown), [{ language: "md", text: "```ts\na\n```\n~~~", line: 1 }])
  })

  it("read pages with Windows line ends", () => {
    assert.deepStrictEqual(fencedBlocks("```ts\r\na\r\n```\r\n"), [{ language: "ts", text: "a", line: 1 }])
  })
})

describe("the first example of a page", () => {
  it("is its first ts block with the text block after it", () => {
    const markdown = page("```sh", "npm ci", "```", "```ts", "console.log(1)", "```", "prints", "```text", "1", "```")
    assert.deepStrictEqual(firstExample(markdown), { source: "console.log(1)", output: "1" })
  })

  it("is refused when the page does not say what it prints", () => {
    assert.throws(() => firstExample(page("```ts", "1", "```", "```sh", "ls", "```")), /line 1 does not say/)
    assert.throws(() => firstExample("# A"), /no example/)
  })
})
