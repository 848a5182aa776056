import { assert, describe, it } from "@effect/vitest"
import { promises } from "@holdfast/process"
import { Effect, Fiber } from "effect"
import { existsSync } from "node:fs"
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { ExecRequest } from "../../src/workspace/Workspace.ts"
import { openWorkspace } from "./openWorkspace.ts"

type Lab = Awaited<ReturnType<typeof openWorkspace>>

const run = async (lab: Lab, request: ExecRequest) => {
  const { stderr, stdout, ...rest } = await lab.run(lab.exec.run(request))
  return { ...rest, stdout: Buffer.from(stdout).toString(), stderr: Buffer.from(stderr).toString() }
}

/** Waits for a file with a number in it, which a command writes. */
const pidIn = async (path: string): Promise<number> => {
  for (;;) {
    const text = existsSync(path) ? await readFile(path, "utf8") : ""
    if (text.endsWith("\n")) return Number(text)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const isAlive = async (pid: number): Promise<boolean> => {
  const identity = await promises.identify(pid)
  return identity !== undefined && promises.isAlive(identity)
}

describe("a command in a session's workspace", () => {
  it("runs there, with its words as they are, and tells what it said and how it ended", async () => {
    await using lab = await openWorkspace()
    await mkdir(join(lab.path, "below"))
    assert.deepInclude(await run(lab, { command: "pwd" }), { exitCode: 0, signal: null, stdout: `${lab.path}\n` })
    assert.strictEqual((await run(lab, { command: "pwd", directory: "below" })).stdout, `${join(lab.path, "below")}\n`)
    const words = ["$HOME", "a b", "; exit 3", "*"]
    assert.strictEqual((await run(lab, { command: "printf", args: ["%s|", ...words] })).stdout, "$HOME|a b|; exit 3|*|")
    const failed = await run(lab, { command: "echo out; echo $1 >&2; exit 3", args: ["err"], shell: true })
    assert.deepInclude(failed, { exitCode: 3, stdout: "out\n", stderr: "err\n", timedOut: false, truncated: false })
    assert.strictEqual((await run(lab, { command: "kill -9 $$", shell: true })).signal, "SIGKILL")
    assert.strictEqual((await run(lab, { command: "cat", input: "from here" })).stdout, "from here")
    assert.strictEqual((await run(lab, { command: "true", input: "x".repeat(500_000) })).exitCode, 0)
  })

  it("is given the usual names of the environment and no secrets", async () => {
    await using lab = await openWorkspace()
    process.env["HOLDFAST_WORKSPACE_SECRET"] = "secret"
    try {
      const { stdout } = await run(lab, { command: "env" })
      assert.include(stdout, `PATH=${process.env["PATH"]}`)
      assert.notInclude(stdout, "secret")
    } finally {
      delete process.env["HOLDFAST_WORKSPACE_SECRET"]
    }
  })

  it("is refused where it makes no sense, before anything runs", async () => {
    await using lab = await openWorkspace()
    await symlink(lab.outside, join(lab.path, "out"))
    await writeFile(join(lab.path, "plain"), "no program")
    for (const [request, reason] of [
      [{ command: "" }, "invalid"],
      [{ command: "a\0b" }, "invalid"],
      [{ command: "true", args: ["\0"] }, "invalid"],
      [{ command: "true", timeoutMs: 0 }, "invalid"],
      [{ command: "true", timeoutMs: 600_001 }, "invalid"],
      [{ command: "true", timeoutMs: 1.5 }, "invalid"],
      [{ command: "true", input: "x".repeat(1_048_577) }, "too_large"],
      [{ command: "true", args: ["x".repeat(4_000_000)] }, "no_program"],
      [{ command: "there-is-no-such-program" }, "no_program"],
      [{ command: "./plain" }, "no_program"],
      [{ command: "true", directory: "../outside" }, "invalid"],
      [{ command: "true", directory: "out" }, "outside"],
      [{ command: "true", directory: "gone" }, "not_found"],
      [{ command: "true", directory: "plain" }, "not_a_directory"]
    ] as const) {
      const result = await lab.settle(lab.exec.run(request))
      assert.propertyVal(result, "reason", reason, JSON.stringify(request).slice(0, 80))
    }
  })

  it("may say more than is kept without being held up", async () => {
    await using lab = await openWorkspace()
    const much = await run(lab, { command: "head -c 5000000 /dev/zero; echo end >&2", shell: true })
    assert.deepInclude(much, { exitCode: 0, truncated: true, stderr: "end\n" })
    assert.strictEqual(much.stdout.length, 1_048_576)
    const exactly = await run(lab, { command: "head -c 1048576 /dev/zero", shell: true })
    assert.isFalse(exactly.truncated)
  })

  it("is ended with all that it started when its time is over, and when nobody waits for it any more", async () => {
    await using lab = await openWorkspace()
    // The child ignores what asks it, and has a session of its own.
    const command = `setsid sh -c 'trap "" TERM HUP; echo $$ > "$0"; while :; do sleep 1; done' $1 & sleep 100`
    const late = await run(lab, { command, args: ["one"], shell: true, timeoutMs: 300 })
    assert.isTrue(late.timedOut)
    assert.isNull(late.exitCode)
    assert.isFalse(await isAlive(await pidIn(join(lab.path, "one"))))

    const fiber = Effect.runFork(lab.exec.run({ command, args: ["two"], shell: true }))
    const pid = await pidIn(join(lab.path, "two"))
    assert.isTrue(await isAlive(pid))
    await Effect.runPromise(Fiber.interrupt(fiber))
    assert.isFalse(await isAlive(pid))
  })

  it("leaves nothing running when it ends by itself", async () => {
    await using lab = await openWorkspace()
    const ended = await run(lab, { command: `sleep 100 & echo $! > pid; echo done`, shell: true })
    assert.deepInclude(ended, { exitCode: 0, stdout: "done\n", timedOut: false })
    assert.isBelow(ended.durationMs, 10_000)
    assert.isFalse(await isAlive(await pidIn(join(lab.path, "pid"))))
  })

  it("is the fifth at once only in another session", async () => {
    await using lab = await openWorkspace()
    const wait = (name: string) =>
      lab.exec.run({ command: `echo $$ > ${name}; while ! [ -e go ]; do sleep 0.02; done`, shell: true })
    const running = ["a", "b", "c", "d"].map((name) => lab.run(wait(name)))
    await Promise.all(["a", "b", "c", "d"].map((name) => pidIn(join(lab.path, name))))
    assert.strictEqual(await lab.reasonOf(lab.exec.run({ command: "true" })), "busy")
    await using other = await openWorkspace()
    assert.strictEqual((await run(other, { command: "true" })).exitCode, 0)
    await lab.run(lab.write("go", ""))
    for (const { exitCode } of await Promise.all(running)) assert.strictEqual(exitCode, 0)
    assert.strictEqual((await run(lab, { command: "true" })).exitCode, 0)
  })
})
