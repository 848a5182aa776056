/** What Opencode does that would lose, double or hang a session if nobody knew of it, tried on the real program. */
import {
  type Backend,
  BackendLost,
  BackendRefused,
  type PromptId,
  type TurnId,
  makeUuid,
  SpecInvalid
} from "@holdfast/core"
import { promises } from "@holdfast/process"
import {
  agentTools,
  type ModelRequest,
  type ModelScript,
  ModelStep,
  openSession,
  readAlong,
  type ReadSession,
  within
} from "@holdfast/testkit"
import { Clock, Effect, Exit, Schema, Scope } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeOpencodeClient, type OpencodeClient } from "../src/OpencodeClient.ts"
import { makeIdClock } from "../src/OpencodeIds.ts"
import { opencodeBackend } from "../src/index.ts"
import { makeProject, type OpencodeHouse, openOpencodeHouse } from "./opencodeHouse.ts"

const { opencode } = agentTools
const { text } = ModelStep

/** More than an outbox holds. */
const flood = "flood ".repeat(500_000)

const acts: Readonly<Record<string, (request: ModelRequest) => ReadonlyArray<ModelStep.ModelStep> | undefined>> = {
  run: ({ prompt, step }) => (step === 0 ? [opencode.shell(prompt.slice(4))] : undefined),
  edit: ({ step }) => (step === 0 ? [opencode.editFile("notes.txt", "two", "TWO")] : undefined),
  hang: ({ step }) => (step === 0 ? [text("It begins."), ModelStep.hang] : undefined),
  loop: () => [text("again "), ModelStep.endWithoutFinish],
  flood: () => [text(flood, { chunkSize: 20_000 })],
  delegate: ({ step }) => (step === 0 ? [opencode.subtask("run printf child")] : undefined)
}
const script: ModelScript = (request) => acts[request.prompt.split(" ", 1)[0] ?? ""]?.(request)

const scope = Scope.makeUnsafe()
let house: OpencodeHouse
let backend: Backend

beforeAll(async () => {
  const permission = { bash: { "*": "allow", "printf *": "ask" } } as const
  house = await Effect.runPromise(Scope.provide(openOpencodeHouse(script, { permission }), scope))
  backend = opencodeBackend({
    ...house.options,
    config: { instructions: [], provider: { holdfast: { options: { apiKey: "k3y-1n-c0nf1g" } } } },
    maxSteps: 5
  })
})
afterAll(() => Effect.runPromise(Effect.andThen(backend.release!, Scope.close(scope, Exit.void))))

const test = (name: string, run: () => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it(name, { timeout: 120_000 }, () => Effect.runPromise(Effect.scoped(run())))

const open = (more: Parameters<typeof openSession>[2] = {}, spec: object = {}) =>
  openSession(backend, { cwd: house.project, title: "Test", ...spec }, more)

/** Talks to the same server as the backend does, as somebody else would: with what its process was started with. */
const intruder = (opened: ReadSession): Effect.Effect<OpencodeClient, Error> =>
  Effect.gen(function* () {
    const { args = [], marker } = (yield* opened.event("process.spawned")).data
    const [member] = yield* Effect.promise(() => promises.tree({ marker: marker! }))
    const variables = readFileSync(`/proc/${member!.pid}/environ`, "utf8").split("\0")
    const password = variables.find((each) => each.startsWith("OPENCODE_SERVER_PASSWORD="))?.split("=")[1]
    return yield* makeOpencodeClient({ url: `http://127.0.0.1:${args.at(-1)}`, password })
  })

const killServer = (opened: ReadSession) =>
  Effect.gen(function* () {
    const { marker } = (yield* opened.event("process.spawned")).data
    const members = yield* Effect.promise(() => promises.tree({ marker: marker! }))
    // The server, not its keeper and not its tools.
    const server = members.find(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[1] === "serve")
    process.kill(server!.pid, "SIGKILL")
  })

describe("what an agent's tools see of the server", () => {
  test("is neither its password nor the keys of its configuration", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const [call] = (yield* opened.ask("run env")).tools
      expect(call?.output).toContain("PATH=")
      expect(call?.output).not.toMatch(/OPENCODE_SERVER|OPENCODE_CONFIG|k3y-1n-c0nf1g/)
      expect(JSON.stringify(opened.events)).not.toContain("k3y-1n-c0nf1g")
    }))

  test("is nothing of the host's environment but what was named", () =>
    Effect.gen(function* () {
      const names = (yield* (yield* open()).event("process.spawned")).data.env ?? []
      expect(names).toContain("PATH")
      expect(names).not.toContain("HOLDFAST_AGENTS")
      expect(names).not.toContain("HOLDFAST_TEST_RUN")
    }))

  test("is ripgrep, which would be downloaded otherwise", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      expect((yield* opened.ask("run rg --version")).output).toContain("ripgrep")
    }))
})

describe("a choice that Opencode does not have", () => {
  for (const [field, spec] of [
    ["model", { model: "holdfast/nonesuch" }],
    ["agent", { agent: "nonesuch" }],
    ["effort", { model: "holdfast/scripted-model", effort: "nonesuch" }]
  ] as const) {
    test(`of ${field} is refused when the session is opened, with what there is`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(open({}, spec))
        expect(error).toBeInstanceOf(SpecInvalid)
        expect(error).toMatchObject({ field, backend: "opencode" })
        expect(String(error.message)).toContain(field === "model" ? "holdfast/scripted-model" : "not nonesuch")
      }))
  }

  test("is refused while the session is open, and the next prompt works", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      for (const choice of [{ model: "a/b" }, { mode: "nonesuch" }, { mode: "compaction" }]) {
        const error = yield* Effect.flip(opened.perform({ type: "configure", ...choice }))
        expect(error).toMatchObject({ _tag: "BackendRefused", retryable: false })
      }
      expect((yield* opened.ask("hello")).said).toBe("hello")
    }))

  test("is told of before: the models, and the agents that can be talked to", () =>
    Effect.gen(function* () {
      const { models, modes } = (yield* (yield* open()).event("agent.offered")).data
      expect(models).toMatchObject([{ id: "holdfast/scripted-model" }])
      expect(modes?.map(({ id }) => id)).toEqual(["build", "plan"])
    }))
})

describe("a turn", () => {
  test("whose model never says that it has finished is stopped after a stated number of calls", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const { error, outcome } = (yield* opened.ask("loop")).data
      expect(outcome).toBe("failed")
      expect(error).toMatchObject({ code: "too_many_steps", retryable: false })
      expect((yield* opened.ask("hello")).said).toBe("hello")
      const calls = house.model.requests.filter(({ conversation }) => conversation === opened.session.nativeId)
      expect(calls.length).toBeLessThan(15)
    }))

  test("is refused where there is nothing to say", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      for (const content of [[], [{ type: "text", text: " \n" }] as const]) {
        expect(yield* Effect.flip(opened.send(content))).toMatchObject({ _tag: "BackendRefused", retryable: false })
      }
    }))

  test("of a subagent asks through its parent, and goes on with the answer", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const { turnId } = yield* opened.send("delegate")
      const asked = (yield* opened.event("permission.requested")).data
      const option = asked.options.find(({ kind }) => kind === "allow_once")!
      const outcome = { outcome: "selected", optionId: option.optionId } as const
      yield* opened.perform({ type: "resolvePermission", requestId: asked.requestId, outcome })
      const { data, tools } = yield* opened.end(turnId)
      expect(data.outcome).toBe("completed")
      expect(tools.some(({ output }) => output?.includes("child"))).toBe(true)
    }))

  test("that is interrupted while a permission waits leaves nothing that waits on the server", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const client = yield* intruder(opened)
      const { turnId } = yield* opened.send("run printf x")
      yield* opened.event("permission.requested")
      yield* opened.perform({ type: "interrupt", turnId })
      expect((yield* opened.end(turnId)).data.outcome).toBe("interrupted")
      // A prompt is sent after the refusal.
      expect((yield* opened.ask("hello")).said).toBe("hello")
      expect(yield* client.get("/permission", Schema.Unknown, { directory: house.project })).toEqual([])
    }))

  test("goes into what it reverts: a busy session refuses for the moment, and then takes the files back", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const notes = join(house.project, "notes.txt")
      const { turnId: edited } = yield* opened.ask("edit")
      expect(readFileSync(notes, "utf8")).toContain("TWO")
      const { turnId: running } = yield* opened.send("hang")
      const revert = opened.perform({ type: "revert", turnId: edited })
      expect(yield* Effect.flip(revert)).toMatchObject({ _tag: "BackendRefused", retryable: true })
      yield* opened.perform({ type: "interrupt", turnId: running })
      yield* opened.end(running)
      yield* revert
      yield* opened.event("history.reverted", ({ data }) => data.turnId === edited)
      expect(readFileSync(notes, "utf8")).toContain("two")
      const never = "msg_000000000000aaaaaaaaaaaaaa" as TurnId
      const refused = yield* Effect.flip(opened.perform({ type: "revert", turnId: never }))
      expect(refused).toMatchObject({ _tag: "BackendRefused", retryable: false })
    }))
})

describe("a session", () => {
  test("can be resumed from the moment that it has an id, though its server is killed at once", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const { nativeId } = opened.session
      yield* killServer(opened)
      const exit = yield* opened.ended
      expect(Exit.isFailure(exit)).toBe(true)
      const again = yield* open({ nativeId: nativeId!, generation: 2 })
      expect(again.session.nativeId).toBe(nativeId)
      expect((yield* again.ask("hello")).said).toBe("hello")
    }))

  test("whose server is killed in the middle of a tool is lost for the moment, and goes on without that turn", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const bystander = yield* open()
      yield* opened.ask("remember")
      const { marker } = (yield* opened.event("process.spawned")).data
      yield* opened.send("run sleep 300")
      yield* opened.event("item.updated", ({ data: { status } }) => status === "in_progress")
      yield* killServer(opened)
      for (const session of [opened, bystander]) {
        const exit = yield* session.ended
        expect(Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined).toMatchObject({
          error: { _tag: "BackendLost", retryable: true }
        })
      }
      const again = yield* open({ nativeId: opened.session.nativeId!, generation: 2 })
      const left = yield* Effect.promise(() => promises.tree({ marker: marker! }))
      expect(left).toEqual([])
      expect((yield* again.ask("hello")).said).toBe("hello")
      expect(again.events.filter(({ type }) => type === "turn.started")).toHaveLength(1)
      expect(JSON.stringify(again.events)).not.toContain("sleep 300")
    }))

  test("that the server does not know is lost for good", () =>
    Effect.gen(function* () {
      for (const nativeId of ["ses_000000000000aaaaaaaaaaaaaa", "nonsense", "ses_../x"]) {
        const error = yield* Effect.flip(open({ nativeId }))
        expect(error).toBeInstanceOf(BackendLost)
        expect(error).toMatchObject({ retryable: false })
      }
    }))

  test("that somebody deletes is lost for good", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const client = yield* intruder(opened)
      yield* client.send("DELETE", `/session/${opened.session.nativeId}`, Schema.Unknown)
      const exit = yield* opened.ended
      expect(Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined).toMatchObject({ error: { retryable: false } })
      expect(yield* Effect.flip(opened.send("hello"))).toBeInstanceOf(BackendRefused)
    }))

  test("whose instance is disposed of tells of the break, ends its turn as interrupted, and goes on", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const client = yield* intruder(opened)
      const { turnId } = yield* opened.send("hang")
      yield* opened.event("item.delta")
      yield* client.send("POST", "/instance/dispose", Schema.Unknown, { directory: house.project })
      expect((yield* opened.end(turnId)).data.outcome).toBe("interrupted")
      yield* opened.event("link.connected")
      expect(opened.events.some(({ type }) => type === "link.reconnecting")).toBe(true)
      expect((yield* opened.ask("hello")).said).toBe("hello")
    }))

  test("that nobody reads holds up no other, and tells everything when it is read", () =>
    Effect.gen(function* () {
      const checked = yield* backend.check({ cwd: house.project, title: "Unread" })
      const request = { ...(yield* open()).request, spec: checked.spec, sessionId: makeUuid() as never }
      const unread = yield* backend.open(request)
      const promptId = makeUuid() as PromptId
      const content = [{ type: "text", text: "flood" }] as const
      yield* unread.perform({ type: "prompt", promptId, content, delivery: "queue" })
      yield* house.model.waitForRequest(
        ({ conversation, state }) => conversation === unread.nativeId && state === "answered",
        { timeoutMs: 40_000 }
      )
      const other = yield* open()
      expect((yield* other.ask("hello")).said).toBe("hello")
      const read = yield* readAlong(request, unread)
      const { turnId } = (yield* read.event("turn.started")).data
      const { data, said } = yield* read.end(turnId)
      expect(data.outcome).toBe("completed")
      expect(said === flood).toBe(true)
    }))

  test("takes back a prompt that was stored and never run, so that it is sent once", () =>
    Effect.gen(function* () {
      const first = yield* open()
      const client = yield* intruder(first)
      yield* first.ask("hello")
      const { nativeId } = first.session
      const promptId = makeUuid() as PromptId
      const messageID = makeIdClock().messageId(promptId, yield* Clock.currentTimeMillis)
      const body = { messageID, noReply: true, parts: [{ type: "text", text: "half way" }] }
      yield* client.send("POST", `/session/${nativeId}/message`, Schema.Unknown, { body })
      yield* first.perform({ type: "close", force: false, graceMs: 2_000 })
      yield* first.ended
      const second = yield* open({ nativeId: nativeId!, generation: 2, inDoubt: [promptId] })
      expect(second.session.arrived).toEqual([])
      expect((yield* second.ask("half way")).said).toBe("half way")
      const last = house.model.requests.findLast(({ conversation }) => conversation === nativeId)
      expect(JSON.stringify(last?.body).split("half way")).toHaveLength(2)
    }))

  test("works in a directory with an odd name, unless Opencode would take it for another one", () =>
    Effect.gen(function* () {
      const cwd = makeProject(join(house.folder, "a b&c=ü+100%"))
      const opened = yield* openSession(backend, { cwd, title: "Odd" })
      expect((yield* opened.ask("run pwd")).output.trim()).toBe(cwd)
      const error = yield* Effect.flip(backend.check({ cwd: makeProject(join(house.folder, "a%20b")) }))
      expect(error).toMatchObject({ field: "cwd" })
    }))

  test("can be a branch of another from the start", () =>
    Effect.gen(function* () {
      const trunk = yield* open()
      yield* trunk.ask("remember the trunk")
      const branch = yield* open({ forkOf: trunk.session.nativeId! })
      expect(branch.session.nativeId).not.toBe(trunk.session.nativeId)
      yield* branch.ask("hello")
      const last = house.model.requests.findLast(({ conversation }) => conversation === branch.session.nativeId)
      expect(JSON.stringify(last?.body)).toContain("remember the trunk")
    }))

  test("that is closed stays stored, and its directory's files with it", () =>
    Effect.gen(function* () {
      const opened = yield* open()
      const client = yield* intruder(opened)
      const { turnId } = yield* opened.send("hang")
      yield* opened.perform({ type: "close", force: false, graceMs: 5_000 })
      yield* opened.ended
      expect((yield* opened.end(turnId)).data.outcome).toBe("interrupted")
      const path = `/session/${opened.session.nativeId}`
      expect(yield* client.get(path, Schema.Struct({ id: Schema.String }))).toEqual({ id: opened.session.nativeId })
      expect(yield* within("idle", client.get("/session/status", Schema.Unknown))).toEqual({})
    }))
})
