import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { markName, watch } from "../no-process-left.ts"
import { repository } from "../workspaces.ts"

describe.runIf(existsSync("/proc/self/environ"))("the check for processes left behind", () => {
  const acquired: Array<() => void> = []
  afterEach(() => {
    for (const release of acquired.splice(0).toReversed()) release()
  })

  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), "holdfast-processes-"))
    acquired.push(() => rmSync(path, { recursive: true }))
    return path
  }

  const sleeper = (env: NodeJS.ProcessEnv) => {
    const child = spawn("sleep", ["60"], { env, stdio: "ignore", detached: true })
    const exited = once(child, "exit")
    acquired.push(() => child.kill("SIGKILL"))
    return { child, exited }
  }

  it("sees a marked process wherever it was started, until it ends", async () => {
    const nobody = 2 ** 30
    const suite = watch(nobody, "this-run")
    const { child, exited } = sleeper({ [markName]: "this-run" })
    await once(child, "spawn")
    assert.deepStrictEqual(suite.left(), [`${child.pid} sleep 60`])
    assert.deepStrictEqual(watch(nobody, "another-run").left(), [])
    child.kill("SIGKILL")
    await exited
    assert.deepStrictEqual(suite.left(), [])
  })

  it("sees a process without the mark below its root, also after its parent ended", async () => {
    const suite = watch(process.pid, "no-such-mark")
    const script = "sleep 60 >/dev/null 2>&1 & echo $!; read -r _"
    const shell = spawn("sh", ["-c", script], { env: {}, stdio: ["pipe", "pipe", "ignore"] })
    const [line] = await once(shell.stdout, "data")
    const orphan = Number(String(line))
    acquired.push(() => process.kill(orphan, "SIGKILL"))
    suite.sample()
    shell.stdin.end("\n")
    await once(shell, "exit")
    // What it is called is still the shell's where it has not come to its program yet.
    assert.deepStrictEqual(
      suite.left().map((line) => Number(line.split(" ")[0])),
      [orphan]
    )
  })

  it("leaves alone what ran before", async () => {
    const { child } = sleeper({})
    await once(child, "spawn")
    assert.deepStrictEqual(watch(process.pid, "no-such-mark").left(), [])
  })

  it("fails a suite whose tests pass but which leaves a process running", () => {
    const root = folder()
    symlinkSync(join(repository, "node_modules"), join(root, "node_modules"))
    const config = { test: { globalSetup: [join(repository, "scripts/no-process-left.ts")] } }
    writeFileSync(join(root, "vitest.config.mjs"), `export default ${JSON.stringify(config)}`)
    const test = (body: string) =>
      writeFileSync(
        join(root, "a.test.mjs"),
        `import { spawn } from "node:child_process"
         import { writeFileSync } from "node:fs"
         import { it } from "vitest"
         it("passes", () => { ${body} })`
      )
    const run = () =>
      spawnSync("npx", ["--no", "--", "vitest", "run"], {
        cwd: root,
        encoding: "utf8",
        timeout: 30_000,
        env: { ...process.env, CI: "true" }
      })

    test(`const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" })
          child.unref()
          writeFileSync("pid", String(child.pid))`)
    const leaky = run()
    const pid = Number(readFileSync(join(root, "pid"), "utf8"))
    acquired.push(() => process.kill(pid, "SIGKILL"))
    assert.match(leaky.stdout, /1 passed/)
    assert.include(leaky.stderr, `left 1 of their processes running:\n${pid} sleep 60`)
    assert.strictEqual(leaky.status, 1)

    test("")
    const clean = run()
    assert.strictEqual(clean.status, 0, clean.stderr)
  })
})
