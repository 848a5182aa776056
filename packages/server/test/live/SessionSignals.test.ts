import { makeSessionId, type SessionId } from "@holdfast/core"
import type { SessionSignal } from "@holdfast/runtime"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { makeSessionSignals } from "../../src/live/SessionSignals.ts"
import { eventually, withLiveServer } from "./LiveServer.ts"

const sessionId = makeSessionId()

/** Signals that are noted as words. */
const noted = () => {
  const told: Array<string> = []
  const signals = makeSessionSignals(
    (_, signal) => Effect.sync(() => void told.push(signal.type === "typing" ? "typing" : `${signal.people} people`)),
    (effect) => Effect.runSync(effect)
  )
  return { signals, told }
}

describe("what the runtime is told of people", () => {
  it("is that somebody writes, at most once in five seconds of a session", () => {
    const { signals, told } = noted()
    signals.typing(sessionId, 0)
    signals.typing(sessionId, 4_999)
    signals.typing(makeSessionId(), 4_999)
    signals.typing(sessionId, 5_000)
    expect(told).toEqual(["typing", "typing", "typing"])
  })

  it("is how many look on, at most once a second, and only where that has changed", () => {
    const { signals, told } = noted()
    let people = 1
    const come = (count: number) => {
      people = count
      signals.watched(sessionId, () => people)
    }
    come(1)
    signals.tick(10_000)
    for (const count of [2, 3, 2]) come(count)
    signals.tick(10_999)
    expect(told).toEqual(["1 people"])
    signals.tick(11_000)
    expect(told).toEqual(["1 people", "2 people"])
    come(0)
    come(2)
    signals.tick(12_000)
    signals.tick(13_000)
    expect(told).toEqual(["1 people", "2 people"])
    come(0)
    signals.tick(14_000)
    signals.tick(20_000)
    expect(told).toEqual(["1 people", "2 people", "0 people"])
  })

  it("is that nobody looks on any more when the endpoint ends", async () => {
    const { signals, told } = noted()
    signals.watched(sessionId, () => 4)
    signals.watched(makeSessionId(), () => 0)
    signals.tick(1_000)
    await Effect.runPromise(signals.end)
    expect(told).toEqual(["4 people", "0 people"])
  })
})

describe("people at a live connection", () => {
  const made = (
    run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>,
    create: Effect.Effect<{ readonly sessionId: string }, unknown>
  ) => run(Effect.orDie(create)).then(({ sessionId }) => sessionId as SessionId)

  it("have a session opened that is not, as soon as a member begins to write, and not for a viewer", () => {
    const told: Array<SessionSignal> = []
    return withLiveServer(
      async ({ connect, holdfast, run }) => {
        const waiting = await made(run, holdfast.create({ backend: "agent", spec: {}, open: false }))
        const lifecycle = async () => (await run(holdfast.state(waiting))).chart.lifecycle
        const viewer = await connect({ sub: "vic", name: "Vic", roles: ["viewer"] })
        const member = await connect({ sub: "bea", name: "Bea", roles: ["member"] })
        viewer.send({ type: "subscribe", subscription: 1, sessionId: waiting, from: { after: 0 }, terminal: "bytes" })
        member.send({ type: "subscribe", subscription: 1, sessionId: waiting, from: { after: 0 }, terminal: "bytes" })
        await eventually(() => told.some((signal) => signal.type === "watched" && signal.people === 2))

        viewer.send({ type: "typing", sessionId: waiting, typing: true })
        await member.until(() =>
          member.messages.some((message) => message.type === "presence" && message.present.some((one) => one.typing))
        )
        expect(await lifecycle()).toBe("created")
        expect(told.filter(({ type }) => type === "typing")).toHaveLength(0)

        member.send({ type: "typing", sessionId: waiting, typing: true })
        await run(holdfast.until(waiting, ({ chart }) => chart.lifecycle === "open"))
        member.send({ type: "typing", sessionId: waiting, typing: false })
        member.send({ type: "typing", sessionId: waiting, typing: true })
        member.send({ type: "unsubscribe", subscription: 1 })
        await eventually(() =>
          told.some((signal, index) => index > 1 && signal.type === "watched" && signal.people === 1)
        )
        expect(told.filter(({ type }) => type === "typing")).toHaveLength(1)
      },
      { onSignal: (_, signal) => told.push(signal) }
    )
  })
})
