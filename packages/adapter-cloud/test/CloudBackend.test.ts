import {
  type BackendEvent,
  type EventRecord,
  makeMemory,
  makeSessionId,
  type SessionId,
  type SessionState,
  type TurnId
} from "@holdfast/core"
import { type BridgeMessage, BridgeRefused } from "@holdfast/core/cloud"
import { makeHoldfast } from "@holdfast/runtime"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { type CloudOptions, hashToken, makeCloud, makeSandboxToken } from "../src/index.ts"
import { innerBackends } from "./support/cloudHouse.ts"
import { quickPolicy } from "./support/quickPolicy.ts"
import {
  connectBridge,
  hello,
  makeScriptedSandboxes,
  openedAgent,
  openedTerminal,
  type TestBridge
} from "./support/scriptedSandboxes.ts"

const pty = { inner: { backend: "pty", spec: { profile: "command", command: "cat" } } }
const codex = { inner: { backend: "codex", spec: {} } }

type House = Effect.Success<ReturnType<typeof openHouse>>

/** A runtime over scripted sandboxes. */
const openHouse = (options: Partial<CloudOptions> = {}) =>
  Effect.gen(function* () {
    const scripted = makeScriptedSandboxes()
    const cloud = yield* makeCloud({
      owner: "test",
      inner: innerBackends,
      controlPlane: "http://127.0.0.1:1",
      ...options,
      providers: [scripted.provider],
      policy: { ...quickPolicy, ...options.policy }
    })
    const log = makeMemory()
    const holdfast = yield* makeHoldfast(log, { backends: [cloud.backend], policy: { retryDelayMs: 20 } })
    const until = (sessionId: SessionId, fits: (state: SessionState) => boolean) =>
      Effect.timeout(holdfast.until(sessionId, fits), 10_000)
    const events = (sessionId: SessionId) =>
      Effect.map(log.read(sessionId, 0, { limit: 10_000 }), (page) => (page.answer === "gap" ? [] : page.events))
    /** Creates a session, and opens it as its bridge. */
    const openSession = Effect.fnUntraced(function* (spec: unknown, opened: object = openedTerminal) {
      const before = scripted.requests.length
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec })
      const request = yield* Effect.promise(() => scripted.spawn(before + 1))
      const bridge = yield* serve(sessionId, request, opened)
      yield* until(sessionId, isOpen)
      return { sessionId, request, bridge }
    })
    const serve = Effect.fnUntraced(function* (
      sessionId: SessionId,
      request: (typeof scripted.requests)[number],
      opened: object,
      how: object = {}
    ) {
      const bridge = yield* Effect.promise(() => connectBridge(cloud.gateway, request))
      bridge.say(hello(sessionId, { generation: request.generation, ...how }))
      const { id } = yield* Effect.promise(() => bridge.command("open"))
      bridge.say({ type: "performed", id, result: opened } as BridgeMessage)
      return bridge
    })
    return { ...cloud, scripted, holdfast, log, until, events, openSession, serve }
  })

const isOpen = ({ chart }: SessionState) => chart.lifecycle === "open"
const isOver = ({ chart }: SessionState) => chart.lifecycle === "closed" || chart.lifecycle === "failed"

const test = (
  name: string,
  run: (house: House) => Effect.Effect<void, unknown, Scope.Scope>,
  options: Partial<CloudOptions> = {}
) => it(name, () => Effect.runPromise(Effect.scoped(Effect.flatMap(openHouse(options), run))))

const typesOf = (events: ReadonlyArray<EventRecord>) => events.map(({ type }) => type)
const output = (text: string) => ({ type: "terminal.output", bytes: new TextEncoder().encode(text) }) as BackendEvent

/** Ends the inner backend as a bridge does that was asked to close. */
const closeInner = Effect.fnUntraced(function* (bridge: TestBridge, first: number, generation = 1) {
  const { id } = yield* Effect.promise(() =>
    bridge.until(
      (said): said is Extract<typeof said, { readonly type: "command" }> =>
        said.type === "command" && said.command.do === "perform" && said.command.command.type === "close"
    )
  )
  bridge.say({ type: "performed", id, result: {} })
  bridge.events({ generation, first, events: [{ type: "backend.closed", data: { reason: "closed", exitCode: 0 } }] })
})

describe("A cloud session", () => {
  test("tells how its sandbox comes about, with the hash of its token before it is made", ({ events, openSession }) =>
    Effect.gen(function* () {
      const { request, sessionId } = yield* openSession(pty)
      const told = yield* events(sessionId)
      expect(typesOf(told).filter((type) => type.startsWith("sandbox.") || type.startsWith("backend."))).toEqual([
        "backend.opening",
        "sandbox.pending",
        "sandbox.warming",
        "sandbox.syncing",
        "sandbox.ready",
        "backend.opened"
      ])
      const token = request.environment["HOLDFAST_BRIDGE_TOKEN"]!
      expect(told.find(({ type }) => type === "sandbox.warming")?.data).toEqual({
        provider: "scripted",
        tokenHash: hashToken(token)
      })
      expect(JSON.stringify(told)).not.toContain(token)
      expect(request).toMatchObject({ owner: "test", generation: 1, controlPlane: "http://127.0.0.1:1" })
    }))

  test("shows each line of how far its workspace is", ({ events, gateway, holdfast, scripted, until }) =>
    Effect.gen(function* () {
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: pty })
      const bridge = yield* Effect.promise(async () => connectBridge(gateway, await scripted.spawn(1)))
      bridge.say(hello(sessionId))
      const { id } = yield* Effect.promise(() => bridge.command("open"))
      bridge.say({ type: "syncing", detail: "cloning, 40 %" })
      bridge.say({ type: "performed", id, result: openedTerminal })
      yield* until(sessionId, isOpen)
      const told = yield* events(sessionId)
      expect(told.filter(({ type }) => type === "sandbox.syncing").map(({ data }) => data["reason"])).toContain(
        "cloning, 40 %"
      )
    }))

  test("copies its sandbox's events with their numbers, and goes on over a broken connection as if nothing had been", (house) =>
    Effect.gen(function* () {
      const { events, gateway, openSession, until } = house
      const { bridge, request, sessionId } = yield* openSession(pty)
      bridge.events({ generation: 1, first: 1, events: [output("a"), output("b")] })
      yield* until(sessionId, ({ mirrored }) => mirrored === 2)
      bridge.drop()
      const away = yield* until(sessionId, ({ chart }) => chart.link === "reconnecting")
      expect(away.chart).toMatchObject({ lifecycle: "open", sandbox: "ready" })
      const again = yield* Effect.promise(() => connectBridge(gateway, request))
      again.say(hello(sessionId, { last: 3, open: 1, commands: 1 }))
      again.events({ generation: 1, first: 1, events: [output("a"), output("b"), output("c")] })
      const back = yield* until(sessionId, ({ chart, mirrored }) => chart.link === "connected" && mirrored === 3)
      expect(back.chart).toMatchObject({ lifecycle: "open", sandbox: "ready" })
      const copied = (yield* events(sessionId)).filter(({ origin }) => origin !== undefined)
      expect(copied.map(({ origin }) => origin)).toEqual([1, 2, 3])
      expect(Buffer.concat(copied.map(({ bytes }) => bytes!)).toString()).toBe("abc")
    }))

  test("takes nothing from its sandbox that only a host may tell, and no process of it for one of the host's", (house) =>
    Effect.gen(function* () {
      const { events, openSession, until } = house
      const { bridge, sessionId } = yield* openSession(pty)
      const told = [
        { type: "sandbox.stopped", data: {} },
        { type: "link.disconnected", data: { reason: "x" } },
        { type: "session.renamed", data: { title: "x" } },
        { type: "participant.joined", data: { participantId: "x", name: "x", role: "owner" } },
        { type: "backend.opened", data: {} },
        { type: "terminal.output" },
        { type: "turn.started" },
        {
          type: "process.spawned",
          data: { pid: 1, startTime: "1", host: "this host", command: "x", marker: "other:1" }
        }
      ]
      bridge.events({ generation: 1, first: 1, events: told as never })
      const state = yield* until(sessionId, ({ mirrored }) => mirrored === told.length)
      expect(state.chart).toMatchObject({ lifecycle: "open", sandbox: "ready", link: "connected" })
      expect(state.participants).toEqual({})
      expect(state.processes).toMatchObject([{ host: "sandbox:scripted/sandbox-1", marker: null }])
      const copied = (yield* events(sessionId)).filter(({ origin }) => origin !== undefined)
      expect(typesOf(copied)).toEqual([...Array.from({ length: 7 }, () => "backend.noted"), "process.spawned"])
    }))

  test("runs while a turn does, and is ready again after it", ({ openSession, until }) =>
    Effect.gen(function* () {
      const { bridge, sessionId } = yield* openSession(codex, openedAgent)
      bridge.events({ generation: 1, first: 1, events: [{ type: "turn.started", data: { turnId: "t1" as TurnId } }] })
      yield* until(sessionId, ({ chart }) => chart.turn === "running" && chart.sandbox === "running")
      const end = { type: "turn.completed", data: { turnId: "t1" as TurnId, outcome: "completed" } } as const
      bridge.events({ generation: 1, first: 2, events: [end] })
      yield* until(sessionId, ({ chart }) => chart.turn === "idle" && chart.sandbox === "ready")
      bridge.events({ generation: 1, first: 3, events: [{ type: "turn.started", data: { turnId: "t2" as TurnId } }] })
      yield* until(sessionId, ({ chart }) => chart.turn === "running" && chart.sandbox === "running")
    }))

  test("is closed once its sandbox and all snapshots of it are gone", ({ holdfast, openSession, scripted, until }) =>
    Effect.gen(function* () {
      const { bridge, sessionId } = yield* openSession(pty)
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      yield* closeInner(bridge, 1)
      const state = yield* until(sessionId, isOver)
      expect(state).toMatchObject({ chart: { lifecycle: "closed", sandbox: "stopped" }, mirrored: 1 })
      expect(scripted.destroyed).toEqual(["sandbox-1"])
      expect(scripted.stored.size).toBe(0)
      expect(yield* Effect.promise(() => bridge.closed())).toMatchObject({ code: 4410 })
    }))

  test("gives the values of its environment to the sandbox, and their names to the log", ({ events, openSession }) =>
    Effect.gen(function* () {
      const { request, sessionId } = yield* openSession({ ...pty, environment: { API_KEY: "s3cr3t" } })
      expect(request.environment["API_KEY"]).toBe("s3cr3t")
      const told = JSON.stringify(yield* events(sessionId))
      expect(told).toContain("API_KEY")
      expect(told).not.toContain("s3cr3t")
    }))

  test("fails with the field where what runs inside refuses its spec", ({ gateway, holdfast, scripted, until }) =>
    Effect.gen(function* () {
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: pty })
      const bridge = yield* Effect.promise(async () => connectBridge(gateway, await scripted.spawn(1)))
      bridge.say(hello(sessionId))
      const { id } = yield* Effect.promise(() => bridge.command("open"))
      const failure = { kind: "invalid", reason: "a program", retryable: false, field: "command" } as const
      bridge.say({ type: "failed", id, failure })
      const state = yield* until(sessionId, isOver)
      expect(state.chart.lifecycle).toBe("failed")
      expect(state.end?.reason).toContain("inner.spec.command")
    }))

  test("has no sandbox on its way after an opening that failed for good, and goes on in the same one when it is opened again", (house) =>
    Effect.gen(function* () {
      const { events, gateway, holdfast, scripted, until } = house
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: codex })
      const request = yield* Effect.promise(() => scripted.spawn(1))
      const bridge = yield* Effect.promise(() => connectBridge(gateway, request))
      bridge.say(hello(sessionId))
      const first = yield* Effect.promise(() => bridge.command("open"))
      const failure = { kind: "lost", reason: "no such agent", retryable: false } as const
      bridge.say({ type: "failed", id: first.id, failure })
      const failed = yield* until(sessionId, isOver)
      expect(failed).toMatchObject({ chart: { lifecycle: "failed", sandbox: "stopped" } })

      yield* holdfast.command(sessionId, { type: "session.open", data: {} })
      const isSecond = (said: (typeof bridge.said)[number]) =>
        said.type === "command" && said.command.do === "open" && said.command.generation === 2
      const second = (yield* Effect.promise(() => bridge.until(isSecond))) as typeof first
      bridge.say({ type: "performed", id: second.id, result: openedAgent } as BridgeMessage)
      const open = yield* until(sessionId, isOpen)
      expect(open).toMatchObject({ chart: { sandbox: "ready" }, sandbox: { sandboxId: "sandbox-1" } })
      const told = typesOf(yield* events(sessionId)).filter((type) => type.startsWith("sandbox."))
      const way = ["sandbox.pending", "sandbox.warming", "sandbox.syncing"]
      expect(told).toEqual([...way, "sandbox.pending", "sandbox.syncing", "sandbox.ready"])
      expect(scripted.requests).toHaveLength(1)
    }))

  test("has no sandbox on its way when it is closed before that is there", ({ holdfast, scripted, until }) =>
    Effect.gen(function* () {
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: pty })
      yield* Effect.promise(() => scripted.spawn(1))
      yield* until(sessionId, ({ chart }) => chart.sandbox === "warming")
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      const state = yield* until(sessionId, isOver)
      expect(state).toMatchObject({ chart: { lifecycle: "closed", sandbox: "stopped" } })
    }))

  test("says of events that are missing, of a clock that is off and of being held what whoever follows has to know", (house) =>
    Effect.gen(function* () {
      const { events, gateway, openSession, until } = house
      const { bridge, request, sessionId } = yield* openSession(pty)
      bridge.events({ generation: 1, first: 1, events: [output("a")] })
      bridge.events({ generation: 1, first: 5, events: [output("e")] })
      bridge.say({ type: "heartbeat", at: Date.now() + 600_000 } as BridgeMessage)
      // Told once, however often it is told the time.
      bridge.say({ type: "heartbeat", at: Date.now() + 600_000 } as BridgeMessage)
      const held = { type: "held", detail: "its disk is full" } as const
      // What passes at once is nobody's business.
      bridge.say({ ...held, full: true } as BridgeMessage)
      bridge.say({ ...held, full: false } as BridgeMessage)
      bridge.say({ ...held, full: true } as BridgeMessage)
      const notes = Effect.map(events(sessionId), (all) =>
        all.flatMap(({ data, type }) => (type === "backend.noted" ? [data] : []))
      )
      const noted = (count: number) =>
        Effect.repeat(Effect.delay(notes, 20), { until: (all) => all.length >= count }).pipe(Effect.timeout(5_000))
      yield* noted(3)
      bridge.say({ ...held, full: false } as BridgeMessage)
      expect(yield* noted(4)).toMatchObject([
        { level: "error", code: "sandbox_events_missing", message: "events 2 to 4 of the sandbox are missing" },
        { level: "warning", code: "sandbox_clock_skew", message: "the sandbox's clock is off by 600 s" },
        { level: "warning", code: "sandbox_held", message: "the sandbox is held: its disk is full" },
        { level: "info", code: "sandbox_held", message: "the sandbox goes on" }
      ])
      yield* until(sessionId, ({ chart, mirrored }) => chart.lifecycle === "open" && mirrored === 5)
      // Over another connection nothing is said twice.
      bridge.drop()
      const again = yield* Effect.promise(() => connectBridge(gateway, request))
      again.say(hello(sessionId, { last: 6, open: 1, commands: 1, at: Date.now() + 600_000 }))
      again.events({ generation: 1, first: 6, events: [output("f")] })
      yield* until(sessionId, ({ mirrored }) => mirrored === 6)
      expect(yield* notes).toHaveLength(4)
    }))

  test("is put to rest when it is idle, and wakes for a prompt in a sandbox made of the snapshot", (house) =>
    Effect.gen(function* () {
      const { gateway, holdfast, openSession, scripted, serve, until } = house
      const { bridge, request, sessionId } = yield* openSession({ ...codex, hibernateAfterMs: 100 }, openedAgent)
      const { id } = yield* Effect.promise(() => bridge.command("freeze"))
      bridge.say({ type: "performed", id, result: {} })
      const rests = yield* until(sessionId, ({ chart }) => chart.lifecycle === "suspended")
      expect(rests.sandbox?.snapshotId).toMatch(/^snapshot-/)
      yield* Effect.promise(() => scripted.until(() => scripted.sandboxes.size === 0))
      const old = yield* Effect.flip(gateway.admit(request.environment["HOLDFAST_BRIDGE_TOKEN"]!))
      expect(old).toMatchObject({ why: "gone" })

      yield* holdfast.command(sessionId, {
        type: "prompt.send",
        data: { content: [{ type: "text", text: "wake up" }] }
      })
      const second = yield* Effect.promise(() => scripted.spawn(2))
      expect(second).toMatchObject({ generation: 2, snapshotId: rests.sandbox!.snapshotId })
      const restored = yield* serve(sessionId, second, openedAgent, { last: 0, commands: 2 })
      const open = restored.said.find((said) => said.type === "command" && said.command.do === "open")
      expect(open).toMatchObject({ id: 3, command: { generation: 2, nativeId: "native-1" } })
      const prompt = yield* Effect.promise(() => restored.command("perform"))
      expect(prompt.command).toMatchObject({ command: { type: "prompt" } })
      expect(prompt.seq).toBeGreaterThan(0)
    }))

  test("ends for good where what ran in it cannot be woken", ({ openSession, until }) =>
    Effect.gen(function* () {
      const { bridge, sessionId } = yield* openSession({ ...pty, hibernateAfterMs: 100 })
      const { id } = yield* Effect.promise(() => bridge.command("freeze"))
      bridge.say({ type: "performed", id, result: {} })
      const state = yield* until(sessionId, isOver)
      expect(state.chart.lifecycle).toBe("closed")
      expect(state.end?.reason).toContain("nothing happened")
    }))

  test(
    "is lost when its sandbox falls silent, and goes on in the same one when that speaks again",
    (house) =>
      Effect.gen(function* () {
        const { openSession, serve, until } = house
        const { request, sessionId } = yield* openSession(codex, openedAgent)
        const lost = yield* until(sessionId, ({ chart }) => chart.lifecycle === "lost")
        expect(lost.chart.sandbox).toBe("stale")
        const bridge = yield* serve(sessionId, request, openedAgent, { open: 1, commands: 1 })
        const state = yield* until(sessionId, (each) => isOpen(each) && each.generation > 1)
        expect(state.sandbox?.sandboxId).toBe("sandbox-1")
        expect(yield* Effect.promise(() => bridge.command("end"))).toMatchObject({ command: { generation: 1 } })
      }),
    { policy: { heartbeatMs: 200, staleAfterMs: 1_000, lingerMs: 10_000 } }
  )

  test(
    "fails with the reason when its sandbox passes a quota",
    ({ openSession, scripted, until }) =>
      Effect.gen(function* () {
        const { bridge, sessionId } = yield* openSession(pty)
        bridge.events({ generation: 1, first: 1, events: [output("x".repeat(5_000))] })
        const state = yield* until(sessionId, isOver)
        expect(state.end?.reason).toContain("more than 4000 bytes in all")
        expect(state.chart.sandbox).toBe("failed")
        yield* Effect.promise(() => scripted.until(() => scripted.destroyed.length === 1))
      }),
    { quotas: { totalBytes: 4_000 } }
  )
})

describe("A sandbox that cannot be destroyed at once", () => {
  test(
    "is destroyed all the same, though the session is over",
    ({ openSession, scripted, until }) =>
      Effect.gen(function* () {
        scripted.clinging.times = 2
        const { bridge, sessionId } = yield* openSession(pty)
        bridge.events({ generation: 1, first: 1, events: [output("x".repeat(5_000))] })
        yield* until(sessionId, isOver)
        expect(scripted.destroyed).toEqual([])
        yield* Effect.promise(() => scripted.until(() => scripted.destroyed.length === 1))
      }),
    { quotas: { totalBytes: 4_000 } }
  )
})

describe("A provider's error", () => {
  test("that will pass is tried again, not before the wait that it names", ({ holdfast, scripted, serve, until }) =>
    Effect.gen(function* () {
      scripted.failures.push({ failure: "rate_limited", retryAfterMs: 300 }, { failure: "unavailable" })
      const begun = Date.now()
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: pty })
      yield* Effect.promise(() => scripted.spawn(2))
      expect(Date.now() - begun).toBeGreaterThanOrEqual(295)
      yield* serve(sessionId, yield* Effect.promise(() => scripted.spawn(3)), openedTerminal)
      yield* until(sessionId, isOpen)
      const tokens = scripted.requests.map(({ environment }) => environment["HOLDFAST_BRIDGE_TOKEN"])
      expect(new Set(tokens).size).toBe(3)
    }))

  test("that will not pass fails the session with the provider's words", ({ holdfast, scripted, until }) =>
    Effect.gen(function* () {
      scripted.failures.push({ failure: "forbidden" })
      const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: pty })
      const state = yield* until(sessionId, isOver)
      expect(state).toMatchObject({ chart: { lifecycle: "failed", sandbox: "failed" } })
      expect(state.end?.reason).toContain("scripted forbidden")
      expect(scripted.requests).toHaveLength(1)
    }))
})

describe("Sandboxes that nobody owns", () => {
  it("are destroyed at the start, with their snapshots, and nobody else's", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const scripted = makeScriptedSandboxes()
          const request = { owner: "test", generation: 1, environment: {}, controlPlane: "" }
          yield* scripted.provider.create({ ...request, sessionId: makeSessionId() })
          yield* scripted.provider.create({ ...request, sessionId: makeSessionId(), owner: "another" })
          yield* scripted.provider.snapshot("sandbox-1")
          const { backend } = yield* makeCloud({
            owner: "test",
            inner: innerBackends,
            controlPlane: "",
            providers: [scripted.provider]
          })
          yield* makeHoldfast(makeMemory(), { backends: [backend] })
          yield* Effect.promise(() => scripted.until(() => scripted.destroyed.length > 0))
          expect(scripted.destroyed).toEqual(["sandbox-1"])
          expect([...scripted.sandboxes.values()].map(({ owner }) => owner)).toEqual(["another"])
        })
      )
    ))
})

describe("The gateway", () => {
  test("lets in who has the token of the session's sandbox, and says to all others why not", (house) =>
    Effect.gen(function* () {
      const { gateway, holdfast, openSession, until } = house
      const { bridge, request, sessionId } = yield* openSession(pty)
      const good = request.environment["HOLDFAST_BRIDGE_TOKEN"]!
      const why = (token: string) => Effect.map(Effect.flip(gateway.admit(token)), (error) => error.why)
      expect(yield* gateway.admit(good)).toMatchObject({ sessionId, generation: 1 })
      expect(yield* why("hfs_nonsense")).toBe("unknown")
      expect(yield* why("")).toBe("unknown")
      expect(yield* why(makeSandboxToken(sessionId, 1))).toBe("unknown")
      expect(yield* why(makeSandboxToken(sessionId, 2))).toBe("gone")
      expect(yield* why(makeSandboxToken(makeSessionId(), 1))).toBe("gone")
      yield* holdfast.command(sessionId, { type: "session.close", data: {} })
      yield* closeInner(bridge, 1)
      yield* until(sessionId, isOver)
      expect(yield* why(good)).toBe("gone")
      expect(yield* Effect.flip(gateway.admit(good))).toBeInstanceOf(BridgeRefused)
    }))
})
