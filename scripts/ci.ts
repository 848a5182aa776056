/** Every check of the project in order. All of them run, whatever fails, and the last line is the result. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Counts, countTests, total } from "./counts.ts"
import { repository } from "./workspaces.ts"

/** Runs an npm script of the root, and says whether it succeeded. */
const succeeds = (script: string, ...args: ReadonlyArray<string>): boolean => {
  console.log(`\n── npm run ${script}`)
  const { error, status } = spawnSync("npm", ["run", "--silent", script, "--", ...args], {
    cwd: repository,
    stdio: ["ignore", "inherit", "inherit"]
  })
  if (error !== undefined) throw error
  return status === 0
}

const check = (script: string): Counts => (succeeds(script) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 })

const tests = (): Counts => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-ci-"))
  try {
    const report = join(folder, "tests.json")
    const succeeded = succeeds("test", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`)
    return countTests(existsSync(report) ? readFileSync(report, "utf8") : undefined, succeeded)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const { failed, passed } = total([
  check("lint"),
  check("format:check"),
  check("typecheck"),
  check("layering"),
  check("client-size"),
  tests(),
  check("pack:check"),
  check("test:pack")
])
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
