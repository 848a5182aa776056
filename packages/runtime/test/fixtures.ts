/** Parts that the runtime's tests share. */
import { type EventLogService, type EventRecord, makeMemory, type SessionId, type SessionState } from "@holdfast/core"
import { makeHoldfast, type HoldfastService } from "@holdfast/runtime"
import { scriptedAgents, type ScriptedBackend, scriptedBackend } from "@holdfast/testkit"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

/** A well-behaved agent that can do everything, and can resume. */
export const agent = (): ScriptedBackend =>
  scriptedBackend({
    name: "agent",
    capabilities: {
      prompts: true,
      steer: true,
      interrupt: true,
      permissions: true,
      questions: true,
      resume: true,
      fork: true,
      configure: true,
      suspend: true,
      revert: true
    },
    openings: scriptedAgents()
  })

/** A prompt of one text. */
export const prompt = (text: string) => ({ type: "prompt.send", data: { content: [{ type: "text", text }] } }) as const

/** All events of a session as the log has them now. */
export const eventsOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.gen(function* () {
    const events: Array<EventRecord> = []
    for (let cursor = 0; ;) {
      const page = yield* log.read(sessionId, cursor)
      if (page.answer !== "gap") events.push(...page.events)
      cursor = page.cursor
      if (cursor >= page.head) return events
    }
  })

/** The types of a session's events, in order. */
export const typesOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.map(eventsOf(log, sessionId), (events) => events.map(({ type }) => type))

/** A runtime on a memory log with one session of one backend, open. */
export const openSession = Effect.fnUntraced(function* (
  backend: ScriptedBackend,
  options: { readonly log?: EventLogService; readonly policy?: Parameters<typeof makeHoldfast>[1]["policy"] } = {}
) {
  const log = options.log ?? makeMemory()
  const holdfast: HoldfastService = yield* makeHoldfast(log, {
    backends: [backend],
    ...(options.policy === undefined ? {} : { policy: options.policy })
  })
  const { sessionId } = yield* holdfast.create({ backend: backend.name, spec: {} })
  yield* holdfast.until(sessionId, isOpen)
  return { log, holdfast, sessionId }
})

/** Lets time pass, second by second, until a session is in a state. Fails after a day. */
export const elapseUntil = Effect.fnUntraced(function* (
  holdfast: HoldfastService,
  sessionId: SessionId,
  fits: (state: SessionState) => boolean
) {
  const reached = yield* Effect.forkChild(holdfast.until(sessionId, fits), { startImmediately: true })
  for (let second = 0; second < 86_400; second++) {
    if (reached.pollUnsafe() !== undefined) return yield* Fiber.join(reached)
    yield* TestClock.adjust(1_000)
  }
  return yield* Effect.die(new Error("a day has passed and nothing happened"))
})

export const isOpen = ({ chart }: SessionState): boolean => chart.lifecycle === "open"
export const isIdle = (state: SessionState): boolean =>
  isOpen(state) && state.turn === null && state.prompts.length === 0
export const isClosed = ({ chart }: SessionState): boolean => chart.lifecycle === "closed"
