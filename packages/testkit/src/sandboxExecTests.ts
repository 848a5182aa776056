/** Programs that are run in a sandbox: what goes in and comes out, and that they end. */
import { Effect, Fiber } from "effect"
import { describe, expect } from "vitest"
import type { SharedSandboxTest } from "./sandboxProviderHarness.ts"

/** Every byte there is, many times over: more than any pipe or frame takes at once. */
const everyByte = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256)

const words = ["", " two  words ", `'single' "double"`, "$HOME `id` \\n", "a\nb", "ünï→☃", "-n", "*"]

const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(Buffer.from(one), Buffer.from(other)) === 0

/** Registers them. */
export const sandboxExecTests = (sharedTest: () => SharedSandboxTest): void => {
  describe("running programs", () => {
    const test = sharedTest()
    test("gives the exit code, stdout and stderr of what it ran", (bench, sandboxId) =>
      Effect.gen(function* () {
        for (const code of [0, 3, 255]) {
          expect(yield* bench.sh(sandboxId, `echo out; echo err >&2; exit ${code}`)).toEqual({
            code,
            out: "out\n",
            err: "err\n"
          })
        }
      }))

    test("says of a program that is not there that it could not be run, by the shell's exit code", (bench, sandboxId) =>
      Effect.gen(function* () {
        const result = yield* bench.provider.exec(sandboxId, { command: "no-such-program-at-all" })
        expect(result).toMatchObject({ exitCode: 127, timedOut: false })
      }))

    test("tells the end by a signal from an end by itself", (bench, sandboxId) =>
      Effect.gen(function* () {
        // Where the signal itself is not told, as of containers, the shell's 128 + 9 stands for it.
        expect([null, 137]).toContain((yield* bench.sh(sandboxId, "kill -9 $$")).code)
      }))

    test("hands on every word as it is", (bench, sandboxId) =>
      Effect.gen(function* () {
        const result = yield* bench.provider.exec(sandboxId, {
          command: "/bin/sh",
          args: ["-c", `printf '%s\\0' "$@"`, "sh", ...words]
        })
        expect(new TextDecoder().decode(result.stdout).split("\0").slice(0, -1)).toEqual(words)
      }))

    test("gives a program its input byte by byte, and the end of it", (bench, sandboxId) =>
      Effect.gen(function* () {
        const result = yield* bench.provider.exec(sandboxId, { command: "cat", stdin: everyByte })
        expect({ exitCode: result.exitCode, isSame: same(result.stdout, everyByte) }).toEqual({
          exitCode: 0,
          isSame: true
        })
        for (const stdin of [{}, { stdin: new Uint8Array() }]) {
          expect(yield* bench.provider.exec(sandboxId, { command: "cat", timeoutMs: 20_000, ...stdin })).toMatchObject({
            exitCode: 0,
            timedOut: false
          })
        }
        const unread = yield* bench.provider.exec(sandboxId, { command: "true", stdin: everyByte })
        expect(unread.exitCode, "a program need not read what it is given").toBe(0)
      }))

    test("runs in the workspace unless told otherwise", (bench, sandboxId) =>
      Effect.gen(function* () {
        const workspace = yield* bench.place(sandboxId, "HOLDFAST_WORKSPACE")
        expect((yield* bench.sh(sandboxId, "pwd -P")).out).toBe(
          (yield* bench.sh(sandboxId, `cd '${workspace}' && pwd -P`)).out
        )
        expect((yield* bench.sh(sandboxId, "pwd", { cwd: "/" })).out).toBe("/\n")
      }))

    test("does not run in another folder than the one asked for", (bench, sandboxId) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(bench.sh(sandboxId, "echo ran", { cwd: "/no/such/folder" }))
        if (exit._tag === "Success") {
          expect(exit.value.code).not.toBe(0)
          expect(exit.value.out).toBe("")
        }
      }))

    test("adds to the environment, which still has the home", (bench, sandboxId) =>
      Effect.gen(function* () {
        const home = yield* bench.place(sandboxId, "HOME")
        const { out } = yield* bench.sh(sandboxId, `printf '%s|%s|%s' "$GIVEN" "$HOME" "\${PATH:+path}"`, {
          environment: { GIVEN: "a'b\nc" }
        })
        expect(out).toBe(`a'b\nc|${home}|path`)
      }))

    test("ends what does not end by itself, with all that it started", (bench, sandboxId) =>
      Effect.gen(function* () {
        const began = performance.now()
        const result = yield* bench.provider.exec(sandboxId, {
          command: "/bin/sh",
          // One that ignores being asked, below it one that lost its parent, and both would go on writing.
          args: [
            "-c",
            `echo begun; trap '' TERM HUP INT; (setsid sh -c 'while :; do echo on >>hidden; sleep 0.02; done' &)
             while :; do echo on >>shown; sleep 0.02; done`
          ],
          timeoutMs: 1_000
        })
        expect(result).toMatchObject({ exitCode: null, timedOut: true })
        expect(new TextDecoder().decode(result.stdout), "what it said until then").toBe("begun\n")
        expect(performance.now() - began).toBeLessThan(15_000)
        const sizes = `wc -c <hidden; wc -c <shown`
        const [before, after] = [yield* bench.sh(sandboxId, sizes), yield* bench.sh(sandboxId, `sleep 0.3; ${sizes}`)]
        expect(after.out, "nobody writes any more").toBe(before.out)
        expect(yield* bench.provider.status(sandboxId), "the sandbox goes on").toBe("running")
      }))

    test("ends what is interrupted", (bench, sandboxId) =>
      Effect.gen(function* () {
        const running = yield* Effect.forkChild(
          bench.sh(sandboxId, "touch begun; while :; do echo on >>written; sleep 0.02; done")
        )
        yield* bench.sh(sandboxId, "until [ -s written ]; do sleep 0.02; done")
        yield* Fiber.interrupt(running)
        const before = yield* bench.sh(sandboxId, "wc -c <written")
        expect((yield* bench.sh(sandboxId, "sleep 0.3; wc -c <written")).out).toBe(before.out)
      }))

    test("keeps the beginning of long output, says that it is cut, and does not hold the program up", (bench, sandboxId) =>
      Effect.gen(function* () {
        const flood = {
          command: "/bin/sh",
          args: ["-c", "head -c 5000000 /dev/zero; head -c 10 /dev/zero >&2; exit 4"]
        }
        const cut = yield* bench.provider.exec(sandboxId, { ...flood, maxOutputBytes: 100_000 })
        expect(cut.truncated, "it says that it is cut").toBe(true)
        expect({ ...cut, stdout: cut.stdout.length, stderr: cut.stderr.length }).toMatchObject({
          exitCode: 4,
          timedOut: false,
          stdout: 100_000,
          stderr: 10
        })
        const whole = yield* bench.provider.exec(sandboxId, { ...flood, maxOutputBytes: 5_000_000 })
        expect({ truncated: whole.truncated, stdout: whole.stdout.length }).toEqual({
          truncated: false,
          stdout: 5_000_000
        })
        expect((yield* bench.provider.exec(sandboxId, flood)).stdout.length, "1 MiB unless told").toBe(1024 * 1024)
      }))
  })
}
