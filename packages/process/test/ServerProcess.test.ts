import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { ProgramNotStarted, promises, type ServerLaunch, type ServerProcess, startServer } from "../src/index.ts"
import { until } from "./trees.ts"

const { isAlive, tree } = promises

/** A bash script as a server. */
const launch = (script: string, more: Partial<ServerLaunch> = {}): ServerLaunch => ({
  command: "/bin/bash",
  // Its input may be a socket: without this bash takes it for a remote login, and reads somebody's start-up files.
  args: ["--norc", "-c", script],
  cwd: "/",
  env: { PATH: process.env["PATH"]! },
  marker: `server-test-${randomUUID()}`,
  stop: "stdin",
  ...more
})

/** Waits for the next line that a server prints. */
const lineOf = ({ stdout }: Pick<ServerProcess, "stdout">) =>
  Effect.promise(async () => {
    const lines = createInterface({ input: stdout })
    const [line] = (await once(lines, "line")) as [string]
    lines.close()
    return line
  })

/** Ends in its own time, which the suite's timeout bounds. */
const gone = (marker: string) => Effect.promise(() => until(async () => (await tree({ marker })).length === 0))

/** Starts a server in a scope that the test closes itself. */
const started = Effect.fnUntraced(function* (what: ServerLaunch) {
  const scope = yield* Scope.make()
  const server = yield* startServer(what).pipe(Scope.provide(scope))
  return { server, close: Scope.close(scope, Exit.void) }
})

describe("a server", () => {
  for (const keeper of [false, true]) {
    const kept = keeper ? ", with a keeper" : ""

    it.live(`gives its output, and its exit code when it ends by itself${kept}`, () =>
      Effect.gen(function* () {
        const what = launch("", {
          args: ["-c", "echo $0 $1; echo $'its \\e[31mlast\\e[0m words' >&2; exit 3", "one", "two"],
          stop: "SIGTERM",
          keeper
        })
        const { close, server } = yield* started(what)
        assert.strictEqual(yield* lineOf(server), "one two")
        assert.deepStrictEqual(yield* server.exited, { exitCode: 3, signal: null })
        yield* Effect.promise(() => until(async () => server.lastWords() === "its last words"))
        yield* close
      })
    )

    it.live(`names the signal that ended it${kept}`, () =>
      Effect.gen(function* () {
        const { close, server } = yield* started(launch("kill -KILL $$", { stop: "SIGTERM", keeper }))
        assert.deepStrictEqual(yield* server.exited, { exitCode: null, signal: "SIGKILL" })
        yield* close
      })
    )

    it.live(`is asked to end, and ends with its own last work done${kept}`, () =>
      Effect.gen(function* () {
        const script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
        const what = launch(script, { stop: "SIGTERM", keeper, graceMs: 20_000 })
        const { close, server } = yield* started(what)
        assert.strictEqual(yield* lineOf(server), "ready")
        const last = yield* Effect.forkChild(lineOf(server), { startImmediately: true })
        yield* close
        assert.strictEqual(yield* Fiber.join(last), "bye")
        assert.deepInclude(yield* server.exited, { exitCode: 0 })
        assert.deepStrictEqual(yield* Effect.promise(() => tree({ marker: what.marker })), [])
      })
    )

    it.live(`is forced when the grace is over, with all that it started${kept}`, () =>
      Effect.gen(function* () {
        const script = "trap '' TERM HUP INT; (setsid sleep 1000 &); echo ready; while :; do sleep 0.01; done"
        const what = launch(script, { stop: "SIGTERM", keeper, graceMs: 50 })
        const { close, server } = yield* started(what)
        yield* lineOf(server)
        yield* close
        assert.isFalse(yield* Effect.promise(() => isAlive(server.identity!)))
        assert.deepStrictEqual(yield* Effect.promise(() => tree({ marker: what.marker })), [])
      })
    )

    it.live(`leaves nothing that it started when it ends by itself${kept}`, () =>
      Effect.gen(function* () {
        const what = launch("(setsid sleep 1000 > /dev/null 2>&1 &); exit 0", { stop: "SIGTERM", keeper })
        const { close, server } = yield* started(what)
        assert.deepStrictEqual(yield* server.exited, { exitCode: 0, signal: null })
        yield* close
        assert.deepStrictEqual(yield* Effect.promise(() => tree({ marker: what.marker })), [])
      })
    )
  }

  it.live("ends when its input is closed, where it is stopped so", () =>
    Effect.gen(function* () {
      const { close, server } = yield* started(launch("echo ready; cat; echo done", { graceMs: 20_000 }))
      assert.strictEqual(yield* lineOf(server), "ready")
      server.stdin!.write("echoed\n")
      assert.strictEqual(yield* lineOf(server), "echoed")
      yield* close
      assert.deepStrictEqual(yield* server.exited, { exitCode: 0, signal: null })
    })
  )

  it.live("does not fail its host when it dies while it is written to", () =>
    Effect.gen(function* () {
      const { close, server } = yield* started(launch("exec 0<&-; echo ready; exec sleep 1000", { graceMs: 20 }))
      yield* lineOf(server)
      for (let count = 0; count < 100; count++) server.stdin!.write("x".repeat(10_000))
      yield* close
    })
  )

  it.live("has the environment that it was given, its marker, and nothing of the host's", () =>
    Effect.gen(function* () {
      const what = launch("env | sort | tr '\\n' ' '; echo", { env: { A: "b" }, stop: "SIGTERM", keeper: true })
      const { close, server } = yield* started(what)
      const words = (yield* lineOf(server)).trim().split(" ")
      const names = words.map((word) => word.split("=")[0]).filter((name) => !["PWD", "SHLVL", "_"].includes(name!))
      assert.deepStrictEqual(names, ["A", "HOLDFAST_PROCESS"])
      yield* close
    })
  )

  it.live("fails when the system will not start it", () =>
    Effect.gen(function* () {
      for (const missing of [{ command: "/nonesuch/server" }, { cwd: "/nonesuch" }]) {
        const error = yield* Effect.flip(Effect.scoped(startServer(launch("exit 0", missing))))
        assert.instanceOf(error, ProgramNotStarted)
        assert.match(error.message, /could not be started/)
      }
    })
  )

  it.live("behind a keeper exits with 127 when the system will not start it, and says why", () =>
    Effect.gen(function* () {
      const what = launch("exit 0", { command: "/nonesuch/server", stop: "SIGTERM", keeper: true })
      const { close, server } = yield* started(what)
      assert.deepStrictEqual(yield* server.exited, { exitCode: 127, signal: null })
      yield* Effect.promise(() => until(async () => server.lastWords().includes("ENOENT")))
      yield* close
    })
  )

  it.live("keeps the end of what it wrote to stderr, however much that was", () =>
    Effect.gen(function* () {
      const script = "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo the end >&2"
      const { close, server } = yield* started(launch(script))
      yield* server.exited
      yield* Effect.promise(() => until(async () => server.lastWords().endsWith("the end")))
      assert.isAtMost(server.lastWords().length, 8_192)
      yield* close
    })
  )

  it.live("ends though nobody reads its output", () =>
    Effect.gen(function* () {
      const what = launch("yes", { stop: "SIGTERM", graceMs: 5_000 })
      const { close } = yield* started(what)
      yield* close
      assert.deepStrictEqual(yield* Effect.promise(() => tree({ marker: what.marker })), [])
    })
  )
})

describe("a keeper", () => {
  /** A host in a process of its own, which says the pid of its server's child. */
  const startHost = (what: ServerLaunch): ChildProcess =>
    spawn(
      process.execPath,
      [
        "--conditions=@holdfast/source",
        fileURLToPath(new URL("./serverHost.ts", import.meta.url)),
        JSON.stringify(what)
      ],
      { stdio: ["ignore", "pipe", "inherit"] }
    )

  for (const [how, script] of [
    ["with its re-parented children", "(setsid sleep 1000 &); echo ready; exec sleep 1000"],
    ["though it ignores requests", "trap '' TERM HUP INT; echo ready; while :; do sleep 0.01; done"]
  ] as const) {
    it.live(`ends the server ${how} when the host is killed`, () =>
      Effect.gen(function* () {
        const what = launch(script, { stop: "SIGTERM", keeper: true, graceMs: 200 })
        const host = startHost(what)
        assert.strictEqual(yield* lineOf({ stdout: host.stdout! }), "ready")
        assert.isNotEmpty(yield* Effect.promise(() => tree({ marker: what.marker })))
        host.kill("SIGKILL")
        yield* gone(what.marker)
      })
    )
  }

  it.live("that is killed itself leaves nothing: the host ends the server", () =>
    Effect.gen(function* () {
      const what = launch("echo ready; exec sleep 1000", { stop: "SIGTERM", keeper: true })
      const { close, server } = yield* started(what)
      yield* lineOf(server)
      process.kill(server.pid, "SIGKILL")
      assert.deepStrictEqual(yield* server.exited, { exitCode: null, signal: "SIGKILL" })
      yield* close
      assert.deepStrictEqual(yield* Effect.promise(() => tree({ marker: what.marker })), [])
    })
  )
})
