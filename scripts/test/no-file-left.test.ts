import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "vitest"
import { repository } from "../workspaces.ts"

it("fails a suite whose tests pass but which leaves a file, and removes it", () => {
  const root = mkdtempSync(join(tmpdir(), "holdfast-files-"))
  try {
    symlinkSync(join(repository, "node_modules"), join(root, "node_modules"))
    const temporary = mkdtempSync(join(root, "tmp-"))
    const config = { test: { globalSetup: [join(repository, "scripts/no-file-left.ts")] } }
    writeFileSync(join(root, "vitest.config.mjs"), `export default ${JSON.stringify(config)}`)
    const ours = () => readdirSync(temporary).filter((name) => name.startsWith("holdfast"))
    const run = (body: string) => {
      writeFileSync(
        join(root, "a.test.mjs"),
        `import { mkdtempSync, writeFileSync } from "node:fs"
         import { tmpdir } from "node:os"
         import { join } from "node:path"
         import { it } from "vitest"
         it("passes", () => { ${body} })`
      )
      const env = { ...process.env, CI: "true", TMPDIR: temporary }
      return spawnSync("npx", ["--no", "--", "vitest", "run"], { cwd: root, encoding: "utf8", timeout: 30_000, env })
    }

    const leaky = run(`writeFileSync(join(mkdtempSync(join(tmpdir(), "holdfast-left-")), "one.txt"), "1")`)
    assert.match(leaky.stdout, /1 passed/)
    assert.match(leaky.stderr, /left 1 files or folders behind:\nholdfast-left-\w+\n/)
    assert.strictEqual(leaky.status, 1)
    assert.deepStrictEqual(ours(), [])

    const clean = run(`writeFileSync(join(process.env.HOLDFAST_TEST_SHARED, "one.txt"), "1")`)
    assert.strictEqual(clean.status, 0, clean.stderr)
    assert.deepStrictEqual(ours(), [])
  } finally {
    rmSync(root, { recursive: true })
  }
})
