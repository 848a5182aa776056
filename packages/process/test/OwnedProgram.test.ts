import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { randomUUID } from "node:crypto"
import type { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { type ProgramLaunch, ProgramNotStarted, processMarkerName, promises, startProgram } from "../src/index.ts"
import { until } from "./trees.ts"

const { tree } = promises

/** A bash script as a program that marks what it starts. */
const launch = (script: string, more: Partial<ProgramLaunch> = {}) => {
  const marker = `program-test-${randomUUID()}`
  const env = { PATH: process.env["PATH"]!, [processMarkerName]: marker }
  const what: ProgramLaunch = {
    command: "/bin/bash",
    // Its input is a socket: without this bash takes it for a remote login, and reads its start-up files.
    args: ["--norc", "-c", script],
    cwd: "/",
    env,
    marks: { marker },
    ...more
  }
  return { what, marker }
}

const all = (output: Readable) => Effect.promise(() => text(output))

const left = (marker: string) => Effect.promise(() => tree({ marker }))

describe("A program that is run", () => {
  it.live("gets its input and further pipes, and gives its outputs and its exit code", () =>
    Effect.gen(function* () {
      const { what } = launch("cat; echo problem >&2; echo further >&3; exit 3", { pipes: 1 })
      const program = yield* startProgram(what)
      program.stdin.end("given")
      const outputs = yield* Effect.all([all(program.stdout), all(program.stderr), all(program.stdio[3] as Readable)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(outputs, ["given", "problem\n", "further\n"])
      assert.deepStrictEqual(yield* program.exited, { exitCode: 3, signal: null })
      yield* program.closed
    })
  )

  it.live("is ended with all that it started when whoever waits for it is interrupted", () =>
    Effect.gen(function* () {
      const { marker, what } = launch("trap '' TERM HUP; (setsid sleep 1000 &); sleep 1000; sleep 1000")
      const run = Effect.scoped(Effect.flatMap(startProgram(what), ({ exited }) => exited))
      const running = yield* Effect.forkChild(run)
      // bash, and both sleeps.
      yield* Effect.promise(() => until(async () => (await tree({ marker })).length === 3))
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(yield* left(marker), [])
    })
  )

  it.live("leaves nothing behind that it marks when it ends by itself, and does not wait for its pipes", () =>
    Effect.gen(function* () {
      const { marker, what } = launch("(setsid sleep 1000 &); exit 0")
      const exit = yield* Effect.scoped(Effect.flatMap(startProgram(what), ({ exited }) => exited))
      assert.deepStrictEqual(exit, { exitCode: 0, signal: null })
      assert.deepStrictEqual(yield* left(marker), [])
    })
  )

  it.live("is asked to end where there is a grace, and its outputs end once nothing holds them", () =>
    Effect.gen(function* () {
      const { marker, what } = launch("trap 'echo bye; exit 4' TERM; (setsid sleep 1000 &); echo; sleep 1000 & wait")
      const program = yield* startProgram(what)
      const output = yield* Effect.forkChild(all(program.stdout))
      yield* Effect.promise(() => until(async () => (await tree({ marker })).length === 3))
      yield* program.end({ graceMs: 20_000, signal: "SIGTERM" })
      assert.deepStrictEqual(yield* program.exited, { exitCode: 4, signal: null })
      yield* program.closed
      assert.include(yield* Fiber.join(output), "bye")
      assert.deepStrictEqual(yield* left(marker), [])
    })
  )

  it.live("does not fail its host when it does not read its input", () =>
    Effect.gen(function* () {
      const program = yield* startProgram(launch("exec 0<&-; exec sleep 0.05").what)
      for (let count = 0; count < 100; count++) program.stdin.write("x".repeat(10_000))
      assert.deepStrictEqual(yield* program.exited, { exitCode: 0, signal: null })
    })
  )

  it.live("that the system will not start says why", () =>
    Effect.gen(function* () {
      const failures = [
        { more: { command: "/nonesuch" }, code: "ENOENT" },
        { more: { cwd: "/nonesuch" }, code: "ENOENT" },
        { more: { args: ["x".repeat(4 * 1024 * 1024)] }, code: "E2BIG" }
      ]
      for (const { code, more } of failures) {
        const error = yield* Effect.flip(Effect.scoped(startProgram(launch("exit 0", more).what)))
        assert.instanceOf(error, ProgramNotStarted)
        assert.strictEqual(error.code, code)
        assert.include(error.message, "could not be started")
      }
    })
  )
})
