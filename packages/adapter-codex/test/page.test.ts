import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { noticeMethods } from "../src/CodexNotices.ts"
import { requests, threadItems } from "../src/CodexWire.ts"

describe("The page about agents", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "..", "docs", "agents.md"), "utf8")
  const named = new Set([...page.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!))
  const isNamed = (name: string) =>
    named.has(name) || [...named].some((pattern) => pattern.endsWith("/*") && name.startsWith(pattern.slice(0, -1)))

  it("says what becomes of each message, request and item of Codex", () => {
    const all = [...noticeMethods, ...Object.keys(requests), ...Object.keys(threadItems)]
    assert.deepStrictEqual(
      all.filter((name) => !isNamed(name)),
      []
    )
  })
})
