/** Every check of the project. All of them run, whatever fails; what failed is told again at the end, above the result. */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Outcome, readOutcome, total } from "./outcome.ts"
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

/** Runs an npm script of the root beside others, and shows what it said when it is done. */
const check = (script: string): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const said: Array<Buffer> = []
    const child = spawn("npm", ["run", "--silent", script], { cwd: repository, stdio: ["ignore", "pipe", "pipe"] })
    for (const output of [child.stdout, child.stderr]) output.on("data", (piece: Buffer) => said.push(piece))
    child.once("error", reject)
    child.once("close", (status) => {
      console.log(`\n── npm run ${script}`)
      process.stdout.write(Buffer.concat(said))
      resolve(status === 0 ? { passed: 1, failures: [] } : { passed: 0, failures: [`npm run ${script}`] })
    })
  })

/** Runs scripts one after the other. */
const inTurn = async (...scripts: ReadonlyArray<string>): Promise<Outcome> => {
  const outcomes: Array<Outcome> = []
  for (const script of scripts) outcomes.push(await check(script))
  return total(outcomes)
}

const tests = (): Outcome => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-ci-"))
  try {
    const report = join(folder, "tests.json")
    const succeeded = succeeds("test", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`)
    return readOutcome(existsSync(report) ? readFileSync(report, "utf8") : undefined, succeeded)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

// The tests come first and have the machine to themselves: they are not to need what the packing builds, nor to wait for it.
const { failures, passed } = total([
  tests(),
  ...(await Promise.all([
    inTurn("lint", "format:check", "typecheck", "layering", "client-size"),
    inTurn("pack:check", "test:pack")
  ]))
])
for (const failure of failures) console.log(`\n✗ ${failure}`)
console.log(`\n${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
