import { assert, describe, it } from "vitest"
import { readDiff } from "../../src/timeline/UnifiedDiff.ts"

const kinds = (diff: string) => readDiff(diff).lines.map(({ kind, text }) => `${kind} ${text}`)

describe("A unified diff", () => {
  it("is read as lines with their numbers before and after", () => {
    const { additions, deletions, lines } = readDiff(
      "--- a.ts\n+++ a.ts\n@@ -3,3 +3,4 @@ function f() {\n same\n-old\n+new\n+newer\n last\n"
    )
    assert.deepStrictEqual([additions, deletions], [2, 1])
    assert.deepStrictEqual(
      lines.map(({ after, before, kind }) => [kind, before, after]),
      [
        ["hunk", 3, 3],
        ["context", 3, 3],
        ["removed", 4, null],
        ["added", null, 4],
        ["added", null, 5],
        ["context", 5, 6]
      ]
    )
    assert.strictEqual(lines[0]?.text, "function f() {")
  })

  it("takes a removed line of dashes for what it is, and no header", () => {
    assert.deepStrictEqual(kinds("--- a\n+++ a\n@@ -1,2 +1,1 @@\n--- a rule\n+++ plus\n-x\n"), [
      "hunk ",
      "removed -- a rule",
      "added ++ plus",
      "removed x"
    ])
  })

  it("leaves headers out, between files too, and says that a last line has no end", () => {
    const file = (name: string) =>
      `diff --git a/${name} b/${name}\nindex 1..2 100644\n--- a/${name}\n+++ b/${name}\n@@ -1 +1 @@\n-a\n+b\n`
    assert.deepStrictEqual(kinds(`${file("x")}${file("y")}\\ No newline at end of file\n`), [
      "hunk ",
      "removed a",
      "added b",
      "hunk ",
      "removed a",
      "added b",
      "note No newline at end of file"
    ])
  })

  it("shows what is no diff as notes, and nothing of an empty one", () => {
    assert.deepStrictEqual(kinds("the file is binary"), ["note the file is binary"])
    assert.deepStrictEqual(readDiff("").lines, [])
  })

  it("reads files with ends of lines from Windows", () => {
    assert.deepStrictEqual(kinds("@@ -1 +1 @@\r\n-a\r\n+b\r\n"), ["hunk ", "removed a", "added b"])
  })
})
