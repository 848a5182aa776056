import { assert, describe, it } from "@effect/vitest"
import { toCodexInput } from "../src/CodexInput.ts"

const text = (text: string) => ({ type: "text", text }) as const

/** The most characters that a turn takes. */
const most = 1_048_576

describe("What a turn of Codex is given", () => {
  it("may have as many characters as Codex takes, each counted once, in all texts together", () => {
    assert.property(toCodexInput([text("\u{1F600}".repeat(most))]), "input")
    assert.property(toCodexInput([text("x".repeat(most - 1)), text("y")]), "input")
    assert.property(toCodexInput([text("x".repeat(most)), text("y")]), "problem")
    assert.property(toCodexInput([text("\u{1F600}".repeat(most + 1))]), "problem")
  })

  it("names a picture by its file, its address or its data, and nothing by a path that is none", () => {
    const image = (uri: string) => toCodexInput([{ type: "image", mimeType: "image/png", uri }])
    assert.deepStrictEqual(image("file:///tmp/a%20b.png"), { input: [{ type: "localImage", path: "/tmp/a b.png" }] })
    assert.deepStrictEqual(image("https://example.com/a.png"), {
      input: [{ type: "image", url: "https://example.com/a.png" }]
    })
    assert.property(image("ftp://example.com/a.png"), "problem")
    assert.property(image("file://elsewhere/a.png"), "problem")
  })

  it("has a bound for pictures, too", () => {
    const data = "A".repeat(17 * 1024 * 1024)
    const image = { type: "image", mimeType: "image/png", data } as const
    assert.property(toCodexInput([image]), "input")
    assert.property(toCodexInput([image, image]), "problem")
  })

  it("shows a resource as its text, as a picture, or by its address alone", () => {
    const resource = { type: "resource", uri: "file:///tmp/notes.txt" } as const
    const [alone, withText, picture] = [
      toCodexInput([resource]),
      toCodexInput([{ ...resource, name: "Notes", text: "one\ntwo" }]),
      toCodexInput([{ ...resource, mimeType: "image/png", blob: "AAAA" }])
    ]
    assert.deepInclude(alone, { input: [{ type: "text", text: "/tmp/notes.txt", text_elements: [] }] })
    assert.include(JSON.stringify(withText), "Notes (file:///tmp/notes.txt):\\n\\none\\ntwo")
    assert.deepStrictEqual(picture, { input: [{ type: "image", url: "data:image/png;base64,AAAA" }] })
  })
})
