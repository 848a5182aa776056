import { assert, describe, it } from "@effect/vitest"
import type { BackendLost, TurnId } from "@holdfast/core"
import { lossOf, openSession, reopen } from "@holdfast/testkit"
import { Effect, Fiber, type Scope } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { codexBackend, type CodexOptions } from "../src/index.ts"
import type { Fault } from "./fakeCodex.ts"

/** A backend over a fake server that has a fault; it is released with the scope. */
const faulty = (fault: Fault, options: CodexOptions & { readonly version?: string } = {}) =>
  Effect.gen(function* () {
    const { version, ...more } = options
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "holdfast-codex-fake-")))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const path = join(folder, "codex")
    const program = fileURLToPath(new URL("fakeCodex.ts", import.meta.url))
    // The version is asked for in the host's environment, so it is in the program.
    writeFileSync(
      path,
      `#!/bin/sh\nFAKE_VERSION=${version ?? "0.169.0"} exec '${process.execPath}' '${program}' "$@"\n`
    )
    chmodSync(path, 0o755)
    const cwd = join(folder, "project")
    mkdirSync(cwd)
    const backend = codexBackend({
      path,
      home: join(folder, "home"),
      env: { values: { FAKE_CODEX: fault } },
      ...more
    })
    yield* Effect.addFinalizer(() => backend.release!)
    return { backend, spec: { cwd, sandbox: "danger-full-access" } }
  })

const test = (name: string, run: () => Effect.Effect<void, unknown, Scope.Scope>) => it.live(name, run)

/** How opening a session fails. */
const opening = (fault: Fault, options?: Parameters<typeof faulty>[1]) =>
  Effect.gen(function* () {
    const { backend, spec } = yield* faulty(fault, options)
    return (yield* Effect.flip(openSession(backend, spec))) as BackendLost
  })

describe("A Codex that cannot be started", () => {
  test("because there is none is named, with the command that installs it", () =>
    Effect.gen(function* () {
      const lost = yield* opening("none", { path: "/nowhere/codex" })
      assert.deepInclude(lost, { _tag: "BackendLost", backend: "codex", retryable: false })
      assert.include(lost.message, "/nowhere/codex")
      assert.include(lost.message, "npm install --prefix")
    }))

  test("because it is too old says which version is needed", () =>
    Effect.gen(function* () {
      const lost = yield* opening("none", { version: "0.98.3" })
      assert.strictEqual(lost.retryable, false)
      assert.include(lost.reason, "0.98.3")
      assert.include(lost.reason, "0.169.0 or newer")
    }))

  test("because it ends at once is told with its last words", () =>
    Effect.gen(function* () {
      const lost = yield* opening("crash")
      assert.strictEqual(lost.retryable, true)
      assert.include(lost.reason, "with code 3")
      assert.include(lost.reason, "its last words: the disk is full")
    }))

  test("because it never answers is given up at the deadline, and its process is gone", () =>
    Effect.gen(function* () {
      const lost = yield* opening("mute", { startTimeoutMs: 500 })
      assert.strictEqual(lost.retryable, true)
      assert.include(lost.reason, "no answer within 500 ms")
    }))

  test("because it refuses to is told in short", () =>
    Effect.gen(function* () {
      const lost = yield* opening("rude")
      assert.include(lost.reason, "Go away.")
      assert.isBelow(lost.reason.length, 1_000)
    }))

  test("because its home is a file is told before anything is started", () =>
    Effect.gen(function* () {
      const lost = yield* opening("none", { home: "/etc/passwd/codex" })
      assert.strictEqual(lost.retryable, false)
      assert.include(lost.reason, "/etc/passwd/codex")
    }))
})

describe("A Codex that misbehaves", () => {
  test("by printing garbage before it speaks is heard all the same", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("garbage")
      const session = yield* openSession(backend, spec)
      assert.strictEqual((yield* session.ask("Hi")).said, "Hello")
    }))

  test("by speaking of a thread before it has said that there is one is heard all the same", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("hasty")
      const session = yield* openSession(backend, spec)
      yield* session.event("backend.noted", ({ data }) => data.message === "in haste")
    }))

  test("by a line that is too long loses that line, says so, and goes on", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("long line", { maxLineBytes: 1024 * 1024 })
      const session = yield* openSession(backend, spec)
      assert.strictEqual((yield* session.ask("Hi")).said, "Hello")
      const note = yield* session.event("backend.noted", ({ data }) => data.message.includes("too long"))
      assert.strictEqual(note.data.level, "warning")
    }))

  test("by closing its output in the middle of a message loses its sessions, which can be opened again", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("cut")
      const session = yield* openSession(backend, spec)
      yield* Effect.ignore(session.send("Hi"))
      const lost = yield* lossOf(session)
      assert.include((lost as BackendLost).reason, "in the middle of a message")
      assert.strictEqual((lost as BackendLost).retryable, true)
      const again = yield* reopen(backend, session)
      assert.strictEqual(again.session.nativeId, "thread-1")
    }))

  test("by answering nothing any more is replaced by another, and all its sessions are told", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("silence", { requestTimeoutMs: 1_500 })
      const [one, other] = yield* Effect.all([openSession(backend, spec), openSession(backend, spec)])
      yield* one.send("Hi")
      const refused = yield* Effect.flip(one.perform({ type: "configure", model: "x" }))
      assert.deepInclude(refused, { _tag: "BackendLost", retryable: true })
      assert.include(String(yield* lossOf(one)), "does not answer any more")
      assert.include(String(yield* lossOf(other)), "does not answer any more")
      const again = yield* reopen(backend, one)
      const pids = [one, again].map(({ events }) => events[0]?.type === "process.spawned" && events[0].data.pid)
      assert.notStrictEqual(pids[0], pids[1])
    }))

  test("by being too busy is asked again until it answers", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("busy")
      const session = yield* openSession(backend, spec)
      assert.strictEqual((yield* session.ask("Hi")).said, "Hello")
    }))

  test("by asking what nobody knows, under ids that are ours, gets an error for each, and the turn ends", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("asks")
      const session = yield* openSession(backend, spec)
      const { data, said } = yield* session.ask("Hi")
      assert.strictEqual(data.outcome, "completed")
      const answers = JSON.parse(said) as ReadonlyArray<{
        readonly id: number
        readonly error?: { readonly code: number }
      }>
      assert.deepStrictEqual(
        answers.map(({ error, id }) => [id, error?.code]),
        [
          [4, -32601],
          [5, -32601],
          [6, -32601]
        ]
      )
    }))

  test("by answering what nobody asked is ignored", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("chatter")
      const session = yield* openSession(backend, spec)
      assert.strictEqual((yield* session.ask("Hi")).said, "Hello")
      assert.strictEqual((yield* session.ask("Hi again")).said, "Hello")
    }))

  test("by an answer that cannot be read refuses the command, and the session stays", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("nonsense")
      const session = yield* openSession(backend, spec)
      const refused = yield* Effect.flip(session.send("Hi"))
      assert.deepInclude(refused, { _tag: "BackendRefused", command: "prompt" })
      assert.include((refused as Error).message, "cannot be read")
      yield* session.close
    }))

  test("by forgetting a thread has it opened again", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("forgetful")
      const session = yield* openSession(backend, spec)
      assert.deepInclude(yield* Effect.flip(session.send("Hi")), { _tag: "BackendLost", retryable: true })
    }))

  test("by starting a turn late has it interrupted once it has started", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("late start")
      const session = yield* openSession(backend, spec)
      const sending = yield* Effect.forkChild(session.send("Hi"))
      const turnId = "turn-1" as TurnId
      // Refused by nobody: what is not announced yet is not running, so the interrupt is asked for until it is.
      yield* Effect.repeat(session.perform({ type: "interrupt", turnId }), {
        until: () => session.events.some((event) => event.type === "turn.completed")
      })
      assert.strictEqual((yield* session.end(turnId)).data.outcome, "interrupted")
      assert.strictEqual((yield* Fiber.join(sending)).turnId, turnId)
    }))

  test("by steering a turn that nobody was told of has the prompt delivered into that", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("hidden turn")
      const session = yield* openSession(backend, spec)
      const { promptId, turnId } = yield* session.send("Hi")
      assert.strictEqual(turnId, "hidden")
      yield* session.event("turn.started", ({ data }) => data.turnId === "hidden" && data.promptId === promptId)
      assert.strictEqual((yield* session.end(turnId)).said, "Steered")
    }))

  for (const [name, fault] of [
    ["that it cannot end yet is asked again", "early command"],
    ["that it never ends has that refused, to be tried again", "endless command"]
  ] as const) {
    test(`by telling of a command ${name}`, () =>
      Effect.gen(function* () {
        const { backend, spec } = yield* faulty(fault)
        const session = yield* openSession(backend, spec)
        const { turnId } = yield* session.send("Hi")
        const { data } = yield* session.event("item.started", (event) => event.data.kind === "tool_call")
        const stopped = yield* Effect.result(session.perform({ type: "stopItem", itemId: data.itemId }))
        if (fault === "endless command") {
          assert.strictEqual(stopped._tag, "Failure")
          assert.deepInclude((stopped as { failure?: unknown }).failure, { command: "stopItem", retryable: true })
          return
        }
        assert.strictEqual(stopped._tag, "Success")
        yield* session.event("item.completed", (event) => event.data.itemId === data.itemId)
        yield* session.end(turnId)
      }))
  }

  test("by a flood is held back until its events are taken, and nothing is lost", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("flood")
      const session = yield* openSession(backend, spec)
      const { turnId } = yield* session.send("Hi")
      const { said } = yield* session.end(turnId)
      assert.isTrue(said.startsWith("x".repeat(8 * 1024 * 1024)))
    }))

  test("by being newer than what was tested is used, with a warning", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* faulty("none", { version: "0.171.2" })
      const session = yield* openSession(backend, spec)
      assert.strictEqual(session.session.version, "0.171.2")
      const { data } = yield* session.event("backend.noted")
      assert.deepInclude(data, { level: "warning", code: "untested_version" })
      assert.strictEqual((yield* session.ask("Hi")).said, "Hello")
    }))
})
