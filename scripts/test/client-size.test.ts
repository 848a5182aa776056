import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { maxClientBytes, measureClient } from "../client-size.ts"
import { repository } from "../workspaces.ts"

describe("the client in a browser", () => {
  it("is no larger than is allowed, and about as large as its page says", async () => {
    const { byPackage, gzipped } = await measureClient()
    assert.isAtMost(gzipped, maxClientBytes)
    const stated = /(\d+) KB gzipped/.exec(readFileSync(join(repository, "docs/client.md"), "utf8"))?.[1]
    assert.closeTo(Number(stated), gzipped / 1000, 0.05 * Number(stated))
    assert.deepStrictEqual(byPackage.map(([name]) => name).toSorted(), ["client", "core", "effect", "uuid", "xstate"])
  })
})
