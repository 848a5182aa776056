import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"))

describe("toolchain", () => {
  it("runs on the Node version that the root package pins", () => {
    assert.strictEqual(process.version, `v${read("../../package.json").devDependencies.node}`)
    assert.match(process.version, /^v24\./)
  })
})
