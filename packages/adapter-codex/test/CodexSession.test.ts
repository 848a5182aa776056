import { assert, describe, it } from "@effect/vitest"
import type { BackendEvent, BackendLost, BackendRefused, ContentBlock } from "@holdfast/core"
import { promises } from "@holdfast/process"
import {
  agentTools,
  lossOf,
  type ModelScript,
  ModelStep,
  openSession,
  type ReadSession,
  reopen
} from "@holdfast/testkit"
import { suiteTokens } from "@holdfast/testkit/suites"
import { Effect, Fiber, type Scope } from "effect"
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { codexBackend, type CodexOptions } from "../src/index.ts"
import { installedCodex, openCodexHouse } from "./codexHouse.ts"

const { codex } = agentTools

/** A command that Codex leaves in the background after a quarter of a second. */
const brief = (cmd: string) => ModelStep.toolCall({ name: "exec_command", arguments: { cmd, yield_time_ms: 250 } })

/** What the model does by the first word of a prompt; the rest of it is the command. */
const script: ModelScript = (request) => {
  const [word, ...rest] = request.prompt.split(" ")
  const command = rest.join(" ")
  if (request.purpose !== "turn") return undefined
  switch (word) {
    case "run":
      return request.step === 0 ? [codex.shell(command)] : undefined
    case "background":
      return request.step === 0 ? [brief(command)] : undefined
    case "hang":
      return [ModelStep.text([`${command} `]), ModelStep.hang]
    case "recall":
      return [ModelStep.text(suiteTokens(JSON.stringify(request.body)).join(" "))]
    default:
      return undefined
  }
}

/** A house with a backend in it, which is released with the scope. */
const live = (home: Parameters<typeof openCodexHouse>[1] = {}, options: CodexOptions = {}) =>
  Effect.gen(function* () {
    const house = yield* openCodexHouse(script, home)
    const env = { ...options.env, values: { ...house.options.env?.values, ...options.env?.values } }
    const backend = codexBackend({ ...house.options, ...options, env })
    yield* Effect.addFinalizer(() => backend.release!)
    const spec = { cwd: house.cwd, approvalPolicy: "never", sandbox: "danger-full-access" }
    return { ...house, backend, spec }
  })

const test = (name: string, run: () => Effect.Effect<void, unknown, Scope.Scope>) => it.live(name, run)

/** The server that a session runs on. */
const serverOf = ({ events }: ReadSession) => {
  const spawned = events.find((event) => event.type === "process.spawned")
  if (spawned?.type !== "process.spawned") throw new Error("no process was told of")
  return spawned.data
}

/** Waits until a command of a turn runs; its item. */
const commandOf = (session: ReadSession, word: string) =>
  Effect.map(
    session.until(`the command ${word}`, (events) =>
      events.find(
        (event): event is Extract<BackendEvent, { readonly type: "item.started" }> =>
          event.type === "item.started" && JSON.stringify(event.data.tool?.input ?? "").includes(word)
      )
    ),
    ({ data }) => data.itemId
  )

/** Processes of a server's commands that have a word among their arguments. */
const commandsOf = (session: ReadSession, word: string) =>
  Effect.promise(async () => {
    const all = await promises.tree({ marker: serverOf(session).marker! })
    return all.filter(({ pid }) => commandLine(pid).includes(word))
  })

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ESRCH")
      return ""
    throw error
  }
}

/** Looks every 5 ms for what nothing tells of. */
const eventually = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(condition, (met) => (met ? Effect.void : Effect.andThen(Effect.sleep(5), eventually(condition))))

const gone = (session: ReadSession, word: string) =>
  eventually(Effect.map(commandsOf(session, word), (left) => left.length === 0))

const kill = (session: ReadSession) => Effect.sync(() => process.kill(serverOf(session).pid, "SIGKILL"))

/** A picture of one pixel. */
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

describe("A prompt for Codex", () => {
  test("reaches the model with its texts, pictures and resources", () =>
    Effect.gen(function* () {
      const { backend, model, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      const content: ReadonlyArray<ContentBlock> = [
        { type: "text", text: "What is \u{1F600}".slice(0, -1) },
        { type: "image", mimeType: "image/png", data: pixel },
        { type: "resource", uri: "file:///notes.txt", name: "notes", text: "three things" },
        { type: "resource", uri: "https://example.com/page" }
      ]
      const { data } = yield* session.ask(content)
      assert.strictEqual(data.outcome, "completed")
      const body = JSON.stringify(model.requests.at(-1)!.body)
      // Half of a pair of surrogates is no text that a server could read.
      assert.include(body, "What is \uFFFD")
      assert.include(body, `data:image/png;base64,${pixel}`)
      assert.include(body, "three things")
      assert.include(body, "https://example.com/page")
    }))

  for (const [name, content] of [
    ["is empty", [{ type: "text", text: "" }]],
    ["is too long", [{ type: "text", text: "\u{1F600}".repeat(1_048_577) }]],
    ["has something binary", [{ type: "resource", uri: "file:///a.zip", mimeType: "application/zip", blob: "AAAA" }]],
    ["has a picture without an address", [{ type: "image", mimeType: "image/png" }]]
  ] satisfies ReadonlyArray<readonly [string, ReadonlyArray<ContentBlock>]>) {
    test(`that ${name} is refused, and the next one works`, () =>
      Effect.gen(function* () {
        const { backend, spec } = yield* live()
        const session = yield* openSession(backend, spec)
        const refused = (yield* Effect.flip(session.send(content))) as BackendRefused
        assert.deepInclude(refused, { _tag: "BackendRefused", command: "prompt", retryable: false })
        assert.strictEqual((yield* session.ask("Hello")).said, "Hello")
      }))
  }

  test("that steers a turn which ends before it takes it in comes back", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      const { turnId } = yield* session.send("run sleep 61")
      yield* commandOf(session, "sleep 61")
      const steering = yield* Effect.forkChild(Effect.flip(session.send("and hurry", turnId)))
      yield* session.perform({ type: "interrupt", turnId })
      assert.strictEqual((yield* session.end(turnId)).data.outcome, "interrupted")
      const refused = (yield* Fiber.join(steering)) as BackendRefused
      assert.deepInclude(refused, { _tag: "BackendRefused", retryable: true })
      yield* gone(session, "sleep 61")
    }))
})

describe("Commands of Codex", () => {
  test("go on in the background after their turn, through an interrupt of another, until they are stopped", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      const background = yield* session.ask("background sleep 62")
      assert.strictEqual(background.data.outcome, "completed")
      const itemId = yield* commandOf(session, "sleep 62")
      yield* session.event("item.updated", ({ data }) => data.itemId === itemId && data.background === true)
      const { turnId } = yield* session.send("run sleep 63")
      yield* commandOf(session, "sleep 63")
      yield* session.perform({ type: "interrupt", turnId })
      yield* session.end(turnId)
      yield* gone(session, "sleep 63")
      assert.isNotEmpty(yield* commandsOf(session, "sleep 62"))
      yield* session.perform({ type: "stopItem", itemId })
      yield* session.event("item.completed", ({ data }) => data.itemId === itemId)
      yield* gone(session, "sleep 62")
      const refused = (yield* Effect.flip(session.perform({ type: "stopItem", itemId }))) as BackendRefused
      assert.deepInclude(refused, { command: "stopItem", retryable: false })
    }))

  test("in the background end when their session is closed, and those of others do not", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const [one, other] = yield* Effect.all([openSession(backend, spec), openSession(backend, spec)])
      yield* one.ask("background sleep 64")
      yield* other.ask("background sleep 65")
      yield* one.close
      yield* gone(one, "sleep 64")
      assert.isNotEmpty(yield* commandsOf(other, "sleep 65"))
    }))

  test("see the variables that were passed on, and no key, secret or token, nor anything else of the host", () =>
    Effect.gen(function* () {
      process.env["HOLDFAST_TEST_UNRELATED"] = "unrelated"
      process.env["HOLDFAST_TEST_PASSED"] = "passed"
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          delete process.env["HOLDFAST_TEST_UNRELATED"]
          delete process.env["HOLDFAST_TEST_PASSED"]
        })
      )
      const env = { pass: ["HOLDFAST_TEST_PASSED"], values: { MY_API_KEY: "very-secret", MY_COLOUR: "blue" } }
      const { backend, model, spec } = yield* live({}, { env })
      const session = yield* openSession(backend, spec)
      const { output } = yield* session.ask("run env")
      assert.include(output, "HOLDFAST_TEST_PASSED=passed")
      assert.include(output, "MY_COLOUR=blue")
      assert.notMatch(output, /unrelated|very-secret|MY_API_KEY|HOLDFAST_MODEL_KEY/)
      // The provider got its key all the same.
      assert.strictEqual(model.requests[0]!.headers["authorization"], "Bearer scripted")
    }))

  test("stay within the sandbox that the session has", () =>
    Effect.gen(function* () {
      const { backend, cwd, folder, spec } = yield* live({}, {})
      const temporary = join(folder, "temporary")
      mkdirSync(temporary)
      const own = codexBackend({
        path: installedCodex,
        home: join(folder, "home"),
        env: { pass: ["HOLDFAST_MODEL_KEY"], values: { TMPDIR: temporary, HOLDFAST_MODEL_KEY: "scripted" } }
      })
      yield* Effect.addFinalizer(() => own.release!)
      const session = yield* openSession(own, { ...spec, sandbox: "workspace-write" })
      // Longer than the 150 ms within which Codex tells nothing of a command that its sandbox stopped.
      const first = yield* session.ask("run touch first; sleep 0.3")
      // Where no namespaces can be made Codex has no sandbox, and its commands fail and say so.
      assert.isTrue(existsSync(join(cwd, "first")) || first.output.includes("namespace"), first.output)
      const reader = yield* openSession(own, { ...spec, sandbox: "read-only" })
      const second = yield* reader.ask("run touch second; sleep 0.3")
      assert.isFalse(existsSync(join(cwd, "second")))
      assert.match(second.output, /[Rr]ead-only|namespace/)
      assert.isFalse(
        session.events.some((event) => event.type === "backend.noted" && event.data.code === "sandbox_unusable")
      )
      const other = yield* openSession(backend, { ...spec, sandbox: "workspace-write" })
      yield* other.event("backend.noted", ({ data }) => data.code === "sandbox_unusable")
    }))

  test("of a sub-agent end with an interrupt of the turn that it works for", () =>
    Effect.gen(function* () {
      const agents: ModelScript = (request) => {
        if (request.prompt.startsWith("delegate")) {
          if (request.step === 0) {
            const message = "run sleep 66"
            return [ModelStep.toolCall({ namespace: "multi_agent_v1", name: "spawn_agent", arguments: { message } })]
          }
          const agentId = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(request.toolResults[0]!.output)![0]
          return [
            ModelStep.toolCall({ namespace: "multi_agent_v1", name: "wait_agent", arguments: { targets: [agentId] } })
          ]
        }
        return typeof script === "function" ? script(request) : undefined
      }
      const { backend, model, spec } = yield* live({ settings: { "features.multi_agent": true } })
      model.setScript(agents)
      const session = yield* openSession(backend, spec)
      const { turnId } = yield* session.send("delegate")
      yield* commandOf(session, "sleep 66")
      yield* session.perform({ type: "interrupt", turnId })
      assert.strictEqual((yield* session.end(turnId)).data.outcome, "interrupted")
      yield* gone(session, "sleep 66")
      assert.strictEqual((yield* session.ask("Hello")).said, "Hello")
    }))
})

describe("A thread of Codex", () => {
  test("goes on after its server was killed in the middle of a turn, and nothing is left of that", () =>
    Effect.gen(function* () {
      const { backend, model, spec } = yield* live()
      const [one, other] = yield* Effect.all([openSession(backend, spec), openSession(backend, spec)])
      const { promptId: first } = yield* one.send("tok000000000001")
      yield* other.ask("tok000000000002")
      yield* one.event("turn.completed")
      const { promptId: second, turnId } = yield* one.send("run sleep 67; echo tok000000000003")
      yield* commandOf(one, "sleep 67")
      yield* kill(one)
      for (const session of [one, other]) {
        assert.deepInclude((yield* lossOf(session)) as BackendLost, { retryable: true, backend: "codex" })
        assert.include(((yield* lossOf(session)) as BackendLost).reason, "SIGKILL")
      }
      const never = "019a0000-0000-7000-8000-000000000000" as typeof first
      const again = yield* reopen(backend, one, { inDoubt: [never, second, first] })
      assert.deepStrictEqual(again.session.arrived, [second, first])
      yield* gone(one, "sleep 67")
      assert.notStrictEqual(serverOf(again).pid, serverOf(one).pid)
      assert.isFalse(again.events.some((event) => event.type === "turn.started" && event.data.turnId === turnId))
      assert.include((yield* again.ask("recall")).said, "tok000000000001")
      assert.isTrue((yield* reopen(backend, other)).session.nativeId !== undefined)
      assert.lengthOf(
        model.requests.filter(({ prompt }) => prompt.startsWith("run sleep 67")),
        1
      )
    }))

  test("can be resumed from the moment on in which its id is told, even if its server dies in it", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      for (let round = 0; round < 3; round++) {
        const session = yield* openSession(backend, spec)
        assert.isUndefined(session.session.nativeId)
        const sending = yield* Effect.forkChild(Effect.exit(session.send("hang on")))
        yield* session.event("backend.identified")
        yield* kill(session)
        yield* lossOf(session)
        yield* Fiber.join(sending)
        yield* (yield* reopen(backend, session)).ask("Hello")
      }
    }))

  test("with a title can be resumed before its first turn, and has it in Codex as well", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const checked = yield* backend.check({ ...spec, title: "  Find the bug " })
      assert.deepInclude(checked, { title: "Find the bug", workspace: spec.cwd })
      const session = yield* openSession(backend, { ...spec, title: "  Find the bug " })
      assert.isString(session.session.nativeId)
      yield* session.event("agent.titled", ({ data }) => data.title === "Find the bug")
      yield* session.close
      yield* backend.release!
      assert.strictEqual((yield* (yield* reopen(backend, session)).ask("Hello")).said, "Hello")
    }))

  test("begins as a branch of another where that is asked for", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      yield* session.ask("tok000000000004")
      const { nativeId } = (yield* session.event("backend.identified")).data
      const branch = yield* openSession(backend, spec, { forkOf: nativeId })
      assert.notStrictEqual(branch.session.nativeId, nativeId)
      assert.include((yield* branch.ask("recall")).said, "tok000000000004")
    }))

  test("cannot be branched before its first turn, which is said", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      const refused = (yield* Effect.flip(session.perform({ type: "fork" }))) as BackendRefused
      assert.deepInclude(refused, { command: "fork", retryable: false })
      assert.include(refused.reason, "before the first turn")
    }))

  for (const [mode, settings] of [
    ["untrusted/workspace-write", undefined],
    ["never/read-only", "never/read-only"],
    ["on-request/danger-full-access", "on-request/danger-full-access"]
  ] as const) {
    test(`in the mode ${mode} ${settings === undefined ? "by default" : "by choice"} is in it again after its server was`, () =>
      Effect.gen(function* () {
        const { backend, cwd } = yield* live()
        const session = yield* openSession(backend, { cwd })
        yield* session.event("backend.configured", ({ data }) => data.mode === "untrusted/workspace-write")
        if (settings !== undefined) {
          yield* session.perform({ type: "configure", mode: settings, model: "another", effort: "high" })
        }
        yield* session.ask("Hello")
        yield* backend.release!
        const again = yield* reopen(backend, session)
        const { data } = yield* again.event("backend.configured")
        assert.deepStrictEqual(
          data,
          settings === undefined ? { model: "scripted-model", mode } : { model: "another", effort: "high", mode }
        )
      }))
  }

  test("offers its models and modes, and refuses a mode that there is not", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      const { data } = yield* session.event("agent.offered")
      assert.deepInclude(data.models?.[0], { id: "scripted-model" })
      assert.lengthOf(data.modes!, 9)
      const refused = (yield* Effect.flip(session.perform({ type: "configure", mode: "yolo" }))) as BackendRefused
      assert.include(refused.reason, "untrusted/workspace-write")
    }))

  test("is taken out of the archive by whoever opens it, or prompts it", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      yield* session.perform({ type: "archive", archived: true })
      yield* session.ask("tok000000000005")
      yield* session.perform({ type: "archive", archived: true })
      assert.include((yield* session.ask("recall")).said, "tok000000000005")
      yield* session.perform({ type: "archive", archived: true })
      yield* session.close
      const again = yield* reopen(backend, session)
      assert.include((yield* again.ask("recall")).said, "tok000000000005")
    }))

  test("that another process works on can be opened once that has left it", () =>
    Effect.gen(function* () {
      const { backend, options, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      yield* session.ask("Hello")
      const other = codexBackend(options)
      yield* Effect.addFinalizer(() => other.release!)
      const lost = (yield* Effect.flip(reopen(other, session))) as BackendLost
      assert.deepInclude(lost, { _tag: "BackendLost", retryable: true })
      assert.include(lost.reason, "another process works on this thread")
      const twice = (yield* Effect.flip(reopen(backend, session))) as BackendLost
      assert.include(twice.reason, "another session works on this thread")
      yield* session.close
      assert.strictEqual((yield* (yield* reopen(other, session)).ask("Hello")).said, "Hello")
    }))

  for (const nativeId of ["019a0000-0000-7000-8000-000000000000", "no id"]) {
    test(`that there is not (${nativeId}) cannot be opened, and nobody tries again`, () =>
      Effect.gen(function* () {
        const { backend, spec } = yield* live()
        const lost = (yield* Effect.flip(openSession(backend, spec, { nativeId }))) as BackendLost
        assert.deepInclude(lost, { _tag: "BackendLost", retryable: false })
        assert.strictEqual((yield* (yield* openSession(backend, spec)).ask("Hello")).said, "Hello")
      }))
  }
})

describe("A server of Codex", () => {
  test("offers the model no goals, with which it would start turns that nobody asked for, unless it is told to", () =>
    Effect.gen(function* () {
      for (const [config, offered] of [[{}, false] as const, [{ "features.goals": true }, true] as const]) {
        const { backend, model, spec } = yield* live({}, { config })
        const session = yield* openSession(backend, spec)
        yield* session.ask("hello")
        const { tools } = yield* model.waitForRequest(({ purpose }) => purpose === "turn")
        assert.strictEqual(tools.includes("create_goal"), offered, tools.join(", "))
      }
    }))

  test("tries a model that is not listed, and says what it does not know of it", () =>
    Effect.gen(function* () {
      const { backend, model, spec } = yield* live()
      const session = yield* openSession(backend, { ...spec, model: "unlisted", effort: "high" })
      assert.strictEqual((yield* session.ask("Hello")).said, "Hello")
      assert.strictEqual(model.requests[0]!.model, "unlisted")
      yield* session.event("backend.noted", ({ data }) => data.message.includes("unlisted"))
      const { data } = yield* session.event("backend.configured")
      assert.deepInclude(data, { model: "unlisted", effort: "high" })
    }))

  test("takes a hundred sessions that are opened at once", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const sessions = yield* Effect.all(
        Array.from({ length: 100 }, () => openSession(backend, spec)),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(new Set(sessions.map((session) => serverOf(session).pid)), 1)
      const [one, other] = [sessions[0]!, sessions[99]!]
      const said = yield* Effect.all([one.ask("one"), other.ask("other")], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        said.map((turn) => turn.said),
        ["one", "other"]
      )
    }))

  test("with a broken configuration says so, and what is only unknown in it is noted", () =>
    Effect.gen(function* () {
      const { backend, options, spec } = yield* live()
      appendFileSync(join(options.home, "config.toml"), "\n[nonsense]\nvalue = 1\n")
      const session = yield* openSession(backend, spec)
      yield* session.close
      yield* backend.release!
      appendFileSync(join(options.home, "config.toml"), "\nthis is = not toml\n")
      const lost = (yield* Effect.flip(openSession(backend, spec))) as BackendLost
      assert.deepInclude(lost, { _tag: "BackendLost", retryable: false })
      assert.include(lost.reason, "config.toml")
    }))

  test("whose model nobody serves ends the turn, and says that trying again may help", () =>
    Effect.gen(function* () {
      const config = { "model_providers.holdfast.base_url": "http://127.0.0.1:9/v1" }
      const { backend, spec } = yield* live({}, { config })
      const session = yield* openSession(backend, spec)
      const { data } = yield* session.ask("Hello")
      assert.strictEqual(data.outcome, "failed")
      assert.strictEqual(data.error?.retryable, true)
    }))

  test("is told of as shared, with its marker, and leaves nothing when it is released", () =>
    Effect.gen(function* () {
      const { backend, spec } = yield* live()
      const session = yield* openSession(backend, spec)
      const server = serverOf(session)
      assert.deepInclude(server, { shared: true, args: ["app-server"] })
      assert.notInclude(JSON.stringify(session.events), "very-secret")
      yield* session.ask("background sleep 68")
      yield* backend.release!
      assert.deepInclude((yield* lossOf(session)) as BackendLost, { retryable: true })
      assert.isEmpty(yield* Effect.promise(() => promises.tree({ marker: server.marker! })))
    }))
})
