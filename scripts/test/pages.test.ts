import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { readFirstExample } from "../readme.ts"
import { repository } from "../workspaces.ts"

const pages = {
  "the scripted model": "docs/scripted-model.md",
  "the fault proxy": "docs/fault-proxy.md",
  "the client": "docs/client.md"
}

describe.each(Object.entries(pages))("the page on %s", (_name, path) => {
  it("has a first example that prints what the page says", () => {
    const { output, source } = readFirstExample(join(repository, path))
    const args = ["--conditions=@holdfast/source", "--input-type=module-typescript", "--eval", source]
    const { error, stderr, stdout } = spawnSync(process.execPath, args, {
      cwd: repository,
      encoding: "utf8",
      timeout: 55_000
    })
    assert.isUndefined(error)
    assert.deepStrictEqual([stdout.trimEnd(), stderr], [output, ""])
  })
})
