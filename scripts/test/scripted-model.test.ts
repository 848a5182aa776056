import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { readFirstExample } from "../readme.ts"
import { repository } from "../workspaces.ts"

describe("the page on the scripted model", () => {
  it("prints what it says", () => {
    const { output, source } = readFirstExample(join(repository, "docs/scripted-model.md"))
    const args = ["--conditions=@holdfast/source", "--input-type=module-typescript", "--eval", source]
    const { error, stderr, stdout } = spawnSync(process.execPath, args, {
      cwd: repository,
      encoding: "utf8",
      timeout: 30_000
    })
    assert.isUndefined(error)
    assert.deepStrictEqual([stdout.trimEnd(), stderr], [output, ""])
  })
})
