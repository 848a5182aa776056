import { assert, describe, it } from "@effect/vitest"
import { type Backend, type BackendEvent, BackendLost, makeSessionId, type OpenRequest } from "@holdfast/core"
import { Effect, Stream } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadNodePty } from "../src/PtyProcess.ts"
import { type LaunchProfile, ptyBackend } from "../src/index.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-pty-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const requestOf = (checked: { readonly spec: unknown; readonly secrets?: unknown }): OpenRequest => ({
  sessionId: makeSessionId(),
  generation: 1,
  inDoubt: [],
  ...checked
})

/** Runs a spec to its end and gives its events. */
const run = Effect.fnUntraced(function* (
  spec: unknown,
  backend: Backend = ptyBackend(),
  more: Partial<OpenRequest> = {}
) {
  const checked = yield* backend.check(spec)
  const session = yield* backend.open({ ...requestOf(checked), ...more })
  const batches = yield* Stream.runCollect(session.events)
  return batches.flat()
})

const textOf = (events: ReadonlyArray<BackendEvent>) =>
  Buffer.concat(events.flatMap((event) => (event.type === "terminal.output" ? [event.bytes] : []))).toString()

const sh = (source: string, more: object = {}) => ({ profile: "command", command: "sh", args: ["-c", source], ...more })

describe("a terminal's spec", () => {
  it.effect("is filled in with defaults, and keeps names in the place of values", () =>
    Effect.gen(function* () {
      const { spec, secrets, workspace, title } = yield* ptyBackend().check({
        profile: "command",
        command: "sh",
        args: ["-c", "true"],
        env: { pass: ["EXTRA"], values: { TOKEN: "x" } }
      })
      assert.deepStrictEqual(spec, {
        profile: "command",
        command: "sh",
        args: ["-c", "true"],
        cwd: process.cwd(),
        env: { pass: ["EXTRA"], values: ["TOKEN"] },
        cols: 80,
        rows: 24
      })
      assert.deepStrictEqual(secrets, { env: { TOKEN: "x" } })
      assert.strictEqual(workspace, process.cwd())
      assert.strictEqual(title, "sh -c true")
    })
  )

  it.effect("cannot be opened again by who has not its values, and says so", () =>
    Effect.gen(function* () {
      const backend = ptyBackend()
      const { spec } = yield* backend.check(sh("true", { env: { values: { TOKEN: "x" } } }))
      const error = yield* Effect.flip(backend.open(requestOf({ spec })))
      assert.strictEqual(error._tag, "SpecInvalid")
      assert.include(error.message, "env.values.TOKEN")
    })
  )

  it.live("gives the program its directory, its values, the marker and nothing that was not asked for", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      process.env["HOLDFAST_TEST_SECRET"] = "not passed"
      process.env["HOLDFAST_TEST_WANTED"] = "passed"
      const events = yield* run(
        sh("pwd; env", { cwd: folder, env: { pass: ["HOLDFAST_TEST_W*"], values: { TOKEN: "t0ken", TERM: "dumb" } } })
      )
      const lines = textOf(events).split("\r\n")
      assert.strictEqual(lines[0], folder)
      assert.includeMembers(lines, ["TOKEN=t0ken", "TERM=dumb", "HOLDFAST_TEST_WANTED=passed", "COLORTERM=truecolor"])
      assert.isFalse(lines.some((line) => line.startsWith("HOLDFAST_TEST_SECRET")))
      assert.isTrue(lines.some((line) => /^HOLDFAST_PROCESS=[0-9a-f-]{36}:1$/.test(line)))
      const spawned = events[0]
      assert.isTrue(spawned?.type === "process.spawned" && spawned.data.env?.includes("TOKEN"))
      assert.notInclude(JSON.stringify(spawned), "t0ken")
    }).pipe(Effect.scoped)
  )

  it.live("is checked again when it is opened: what was there may be gone", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const cwd = join(folder, "gone")
      mkdirSync(cwd)
      const backend = ptyBackend()
      const checked = yield* backend.check(sh("true", { cwd }))
      rmSync(cwd, { recursive: true })
      const error = yield* Effect.flip(backend.open(requestOf(checked)))
      assert.strictEqual(error._tag === "SpecInvalid" ? error.field : "", "cwd")
    }).pipe(Effect.scoped)
  )

  it.live("that races with its program's removal ends with an exit and says why", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const program = join(folder, "program")
      writeFileSync(program, "#!/holdfast/has/no/such/interpreter\n")
      chmodSync(program, 0o755)
      const events = yield* run({ profile: "command", command: program })
      assert.deepInclude(events.at(-1), { type: "backend.closed" })
      assert.match(textOf(events), /No such file/)
    }).pipe(Effect.scoped)
  )
})

describe("a launch profile", () => {
  const counter: LaunchProfile = {
    name: "counter",
    launch: ({ args }) =>
      args.length === 0 ? { field: "args", expected: "what to count" } : { command: "echo", args: ["new", ...args] },
    resume: ({ args }, nativeId) => ({ command: "echo", args: ["resumed", nativeId, ...args] }),
    understand: () => (event) =>
      event.type === "process.spawned" ? [event, { type: "backend.identified", data: { nativeId: "n1" } }] : [event],
    title: ({ args }) => `Counting ${args.at(-1)}`
  }
  const backend = ptyBackend({ profiles: [counter] })

  it.live("says how its program is started, titled, understood and resumed", () =>
    Effect.gen(function* () {
      assert.isTrue(backend.capabilities.resume)
      const spec = { profile: "counter", args: ["sheep"] }
      assert.strictEqual((yield* backend.check(spec)).title, "Counting sheep")
      const events = yield* run(spec, backend)
      assert.strictEqual(textOf(events), "new sheep\r\n")
      assert.deepStrictEqual(events[1], { type: "backend.identified", data: { nativeId: "n1" } })
      assert.strictEqual(textOf(yield* run(spec, backend, { nativeId: "n1" })), "resumed n1 sheep\r\n")
    }).pipe(Effect.scoped)
  )

  it.live("that throws loses its session and nothing else", () =>
    Effect.gen(function* () {
      const cause = new Error("a bug")
      const broken: LaunchProfile = {
        name: "broken",
        launch: () => ({ command: "cat", args: [] }),
        understand: () => () => {
          throw cause
        }
      }
      const error = yield* Effect.flip(run({ profile: "broken" }, ptyBackend({ profiles: [broken] })))
      assert.deepInclude(error, { _tag: "BackendLost", retryable: false, cause })
    }).pipe(Effect.scoped)
  )

  it.effect("says what is wrong with a request", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(backend.check({ profile: "counter" }))
      assert.deepInclude(error, { field: "args", expected: "what to count" })
    })
  )
})

describe("node-pty", () => {
  it.effect("that cannot be loaded is a typed error that says what to install", () =>
    Effect.gen(function* () {
      const cause = new Error("Cannot find module '../build/Release/pty.node'")
      const error = yield* Effect.flip(loadNodePty(() => Promise.reject(cause)))
      assert.instanceOf(error, BackendLost)
      assert.isFalse(error.retryable)
      assert.strictEqual(error.cause, cause)
      assert.match(error.message, /C\+\+ compiler/)
    })
  )
})
