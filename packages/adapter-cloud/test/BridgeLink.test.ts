import { type BackendEvent, makeSessionId } from "@holdfast/core"
import { bridgeBounds, type EventBatch } from "@holdfast/core/cloud"
import { Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import { type BridgeLinkListener, makeBridgeLink } from "../src/BridgeLink.ts"
import { defaultBridgeQuotas } from "../src/BridgeQuota.ts"
import { hello, TestBridge } from "./support/scriptedSandboxes.ts"

const sessionId = makeSessionId()
const output = (text: string) => ({ type: "terminal.output", bytes: new TextEncoder().encode(text) }) as BackendEvent

/** A link, and what it tells. */
const open = (more: { readonly mirrored?: number; readonly quotas?: object } = {}) => {
  const told: Array<readonly [string, unknown?]> = []
  const batches: Array<EventBatch> = []
  const tell = (what: string) => (value?: unknown) => void told.push(value === undefined ? [what] : [what, value])
  const listener: BridgeLinkListener = {
    onHello: tell("hello"),
    onDisconnected: tell("disconnected"),
    onHeard: () => {},
    onEvents: (batch) => void batches.push(batch),
    onGap: (from, to) => void told.push(["gap", [from, to]]),
    onSyncing: tell("syncing"),
    onHeld: tell("held"),
    onCredentials: (_request, answer) => answer({ username: "u", password: "p" }),
    onSkew: tell("skew"),
    onBanned: tell("banned")
  }
  const link = makeBridgeLink({
    sessionId,
    generation: 1,
    mirrored: more.mirrored ?? 0,
    heartbeatMs: 1_000,
    quotas: { ...defaultBridgeQuotas, ...more.quotas },
    now: Date.now,
    listener
  })
  const connect = (how: object | null = {}) => {
    const bridge = new TestBridge({ sessionId, generation: 1, connect: link.connect })
    if (how !== null) bridge.say(hello(sessionId, how))
    return bridge
  }
  return { link, told, batches, connect }
}

const originsOf = (batches: ReadonlyArray<EventBatch>) =>
  batches.flatMap(({ events, first }) => events.map((_, index) => first + index))

describe("The link to a bridge", () => {
  it("welcomes it with what the log has, and takes what follows once, however often it is sent", () => {
    const { batches, connect } = open({ mirrored: 4 })
    const one = connect({ last: 9 })
    expect(one.said[0]).toMatchObject({ type: "welcome", protocol: 1, mirrored: 4, heartbeatMs: 1_000 })
    one.events({ generation: 1, first: 5, events: [output("a"), output("b")] })
    one.drop()
    const other = connect({ last: 9 })
    other.events({ generation: 1, first: 5, events: [output("a"), output("b"), output("c")] })
    expect(originsOf(batches)).toEqual([5, 6, 7])
  })

  it("acknowledges what was stored, and never more", async () => {
    const { connect, link } = open()
    const bridge = connect()
    bridge.events({ generation: 1, first: 1, events: [output("a"), output("b"), output("c")] })
    expect(bridge.said.some(({ type }) => type === "ack")).toBe(false)
    link.passed(2, 100)
    expect(await bridge.until(({ type }) => type === "ack")).toEqual({ type: "ack", through: 2 })
    bridge.drop()
    expect(connect({ last: 3 }).said[0]).toMatchObject({ mirrored: 2 })
  })

  it("takes what a log that was begun anew tells, and keeps what was received of the one before", () => {
    const { batches, connect } = open()
    const one = connect({ last: 3 })
    one.events({ generation: 1, first: 1, events: [output("a"), output("b"), output("c")] })
    one.drop()
    const anew = connect({ last: 0 })
    expect(anew.said[0]).toMatchObject({ mirrored: 3 })
    anew.events({ generation: 1, first: 4, events: [output("d")] })
    expect(originsOf(batches)).toEqual([1, 2, 3, 4])
  })

  it("sends unanswered commands again, in order and with their numbers, and goes on from what the bridge has taken", async () => {
    const { connect, link } = open()
    const first = connect({ commands: 7 })
    const one = Effect.runPromise(link.ask({ do: "freeze" }, 3))
    const other = Effect.runPromise(link.ask({ do: "thaw" }))
    expect(first.said.slice(1)).toMatchObject([{ id: 8, seq: 3 }, { id: 9 }])
    first.say({ type: "performed", id: 9, result: {} })
    await other
    first.drop()
    const typed = Effect.runPromise(link.type(new Uint8Array([1])))
    const second = connect({ commands: 9 })
    expect(second.said.slice(1)).toMatchObject([{ type: "command", id: 8, seq: 3 }])
    second.say({ type: "performed", id: 8, result: { nativeId: "n" } })
    second.say({ type: "performed", id: 8, result: { nativeId: "again" } })
    expect(await one).toEqual({ nativeId: "n" })
    second.say({ type: "failed", id: 10, failure: { kind: "refused", reason: "no", retryable: true } })
    await expect(typed).rejects.toMatchObject({ kind: "refused", reason: "no", retryable: true })
  })

  it("refuses commands past its bounds, and keeps those it has", async () => {
    const { connect, link } = open()
    connect()
    const large = "x".repeat(bridgeBounds.frameBytes)
    const ask = (text: string) =>
      Effect.runPromiseExit(Effect.timeout(link.ask({ do: "perform", command: { type: "signal", signal: text } }), 20))
    expect(Exit.isFailure(await ask(large))).toBe(true)
    const waiting = Array.from({ length: bridgeBounds.commands }, () => Effect.runFork(link.ask({ do: "thaw" })))
    const refused = await Effect.runPromise(Effect.flip(link.ask({ do: "thaw" })))
    expect(refused).toMatchObject({ kind: "busy", retryable: true })
    link.end(4410, "over")
    for (const fiber of waiting) expect(fiber.pollUnsafe()).toMatchObject({ _tag: "Failure" })
  })

  it("lets the newest connection that has said hello take the place of the one before", async () => {
    const { connect, told } = open()
    const old = connect()
    const silent = connect(null)
    expect(old.said.some(({ type }) => type === "close")).toBe(false)
    const newest = connect()
    expect(await old.closed()).toMatchObject({ code: 4409 })
    expect(await silent.closed()).toMatchObject({ code: 4409 })
    expect(newest.said[0]).toMatchObject({ type: "welcome" })
    expect(told.map(([what]) => what)).toEqual(["hello", "hello"])
  })

  it("turns away for good who speaks another version", async () => {
    for (const protocol of [0, 2]) {
      const { connect, told } = open()
      expect(await connect({ protocol }).closed()).toMatchObject({ code: 4426 })
      expect(told.map(([what]) => what)).toEqual(["banned"])
      expect(await connect().closed()).toMatchObject({ code: 4426 })
    }
  })

  for (const [what, say] of [
    ["no JSON", (bridge: TestBridge) => bridge.say("{")],
    ["an unknown message", (bridge: TestBridge) => bridge.say({ type: "nonesuch" })],
    ["a heartbeat without a time", (bridge: TestBridge) => bridge.say({ type: "heartbeat" })],
    ["a second hello", (bridge: TestBridge) => bridge.say(hello(sessionId))],
    ["an unknown frame", (bridge: TestBridge) => bridge.sayBytes(new Uint8Array([9, 9]))],
    ["an empty frame", (bridge: TestBridge) => bridge.sayBytes(new Uint8Array(0))],
    ["a frame that is cut off", (bridge: TestBridge) => bridge.sayBytes(new Uint8Array([1, 0, 0, 9, 9]))],
    ["a batch without events", (bridge: TestBridge) => bridge.events({ generation: 1, first: 1, events: [] })],
    [
      "a batch of generation 0",
      (bridge: TestBridge) => bridge.events({ generation: 0, first: 1, events: [output("a")] })
    ]
  ] as const) {
    it(`closes a connection that sends ${what}, and takes the next one`, async () => {
      const { connect, told } = open()
      const bridge = connect()
      say(bridge)
      expect(await bridge.closed()).toMatchObject({ code: 4400 })
      expect(told.map(([each]) => each)).toEqual(["hello", "disconnected"])
      expect(connect().said[0]).toMatchObject({ type: "welcome" })
    })
  }

  for (const [what, more] of [
    ["session", { sessionId: makeSessionId() }],
    ["generation", { generation: 2 }]
  ] as const) {
    it(`closes a connection whose hello is of another ${what} than its token`, async () => {
      const { connect, told } = open()
      expect(await connect(more).closed()).toMatchObject({ code: 4400 })
      expect(told).toEqual([])
    })
  }

  it("gives up a sandbox that breaks the protocol again and again", async () => {
    const { connect, told } = open()
    for (let time = 0; time < 10; time++) connect().say("{")
    expect(told.at(-1)).toMatchObject(["banned", expect.stringContaining("broke the protocol 10 times")])
  })

  for (const [what, quotas, send] of [
    ["bytes a second", { bytesPerSecond: 10 }, 3],
    ["events a second", { eventsPerSecond: 1 }, 12],
    ["bytes in a frame", { frameBytes: 20 }, 1],
    ["bytes in all", { totalBytes: 700 }, 5]
  ] as const) {
    it(`turns away for good who sends more ${what} than it may`, async () => {
      const { connect, told } = open({ quotas })
      const bridge = connect()
      for (let first = 1; first <= send; first++) {
        bridge.events({ generation: 1, first, events: [output("x".repeat(100))] })
      }
      expect(await bridge.closed()).toMatchObject({ code: 4429 })
      expect(told.at(-1)?.[0]).toBe("banned")
    })
  }

  it("tells of a clock that is off, once", () => {
    const { connect, told } = open()
    const bridge = connect({ at: Date.now() - 120_000 })
    bridge.say({ type: "heartbeat", at: Date.now() - 120_000 })
    expect(told.filter(([what]) => what === "skew")).toHaveLength(1)
  })

  it("tells that events are missing, where the bridge lost its log", () => {
    const { batches, connect, told } = open()
    const bridge = connect()
    bridge.events({ generation: 1, first: 1, events: [output("a")] })
    bridge.events({ generation: 1, first: 4, events: [output("d")] })
    expect(told.at(-1)).toEqual(["gap", [2, 3]])
    expect(originsOf(batches)).toEqual([1, 4])
  })

  it("answers for credentials with the number of the question", async () => {
    const { connect } = open()
    const bridge = connect()
    bridge.say({ type: "credentials", id: 5, operation: "fetch", repository: "https://example.test/r" })
    expect(await bridge.until(({ type }) => type === "credentials")).toEqual({
      type: "credentials",
      id: 5,
      credentials: { username: "u", password: "p" }
    })
  })
})
