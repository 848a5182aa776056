/**
 * Arbitrary lives of a session: what people ask, what a backend tells (in order, out of order, and rubbish), crashes and
 * the passing of time. Played on a {@link SimulatedSession} they give logs as a runtime writes them.
 */
import {
  type Actor,
  type CommandBody,
  type CommandDataOf,
  type CommandType,
  type EventBody,
  type EventRecord,
  type KnownType,
  type Observed,
  type PromptId,
  type SessionId,
  type TurnId
} from "@holdfast/core"
import * as fc from "fast-check"
import {
  artifacts,
  contentBlocks,
  eventData,
  eventsOfType,
  idArbitraries as id,
  jsonArbitrary,
  permissionOutcomes,
  questionOutcomes,
  textArbitrary as text
} from "./eventArbitraries.ts"
import { everyCapability, makeSimulatedSession, type SimulatedSession } from "./simulatedSession.ts"

const all = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>

const any = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(model, { noNullPrototype: true, requiredKeys: [] }) as unknown as fc.Arbitrary<Partial<T>>

const none = fc.constant({})
const content = fc.array(contentBlocks, { minLength: 1, maxLength: 2 })
const title = fc.string({ minLength: 1, maxLength: 12 })
const artifact = all({ artifactId: id.artifact, artifact: artifacts })
const role = fc.constantFrom("viewer", "member", "owner")
const dimension = fc.integer({ min: 1, max: 10_000 })

/** Arbitrary payloads by type of command; all of them fit their schemas. */
export const commandData: { readonly [T in CommandType]: fc.Arbitrary<CommandDataOf<T>> } = {
  "session.create": fc
    .tuple(
      all({ backend: fc.constant("scripted"), spec: jsonArbitrary }),
      any({ title, owner: all({ participantId: id.participant, name: text }), nativeId: text })
    )
    .map(([required, optional]) => ({ ...required, ...optional })),
  "session.open": none,
  "session.rename": all({ title }),
  "session.archive": none,
  "session.unarchive": none,
  "session.fork": fc.oneof(all({ into: id.session }), all({ into: id.session, at: fc.integer({ min: 1, max: 100 }) })),
  "session.move": fc
    .tuple(
      all({
        backend: fc.constant("scripted"),
        spec: jsonArbitrary,
        generation: fc.integer({ min: 1, max: 3 }),
        lastTurnId: fc.option(id.turn, { nil: null })
      }),
      any({ nativeId: text, workspace: text })
    )
    .map(([required, optional]) => ({ ...required, ...optional })),
  "session.suspend": any({ reason: text }),
  "session.close": any({ reason: text, force: fc.boolean(), graceMs: fc.integer({ min: 0, max: 1_000 }) }),
  "prompt.send": fc.oneof(
    all({ content }),
    all({ content, delivery: fc.constantFrom("queue", "steer"), turnId: id.turn })
  ),
  "prompt.edit": all({ promptId: id.prompt, content }),
  "prompt.withdraw": all({ promptId: id.prompt }),
  "turn.interrupt": any({ turnId: id.turn }),
  "permission.resolve": all({ requestId: id.request, outcome: permissionOutcomes }),
  "question.answer": all({ requestId: id.request, outcome: questionOutcomes }),
  "request.expire": all({ requestId: id.request }),
  "context.compact": none,
  "history.revert": all({ turnId: id.turn }),
  "history.restore": none,
  "item.stop": all({ itemId: id.item }),
  "backend.configure": any({ model: text, effort: text, mode: text }),
  "participant.join": all({ participantId: id.participant, name: text, role }),
  "participant.change": fc
    .tuple(all({ participantId: id.participant }), any({ name: text, role }))
    .map(([required, optional]) => ({ ...required, ...optional })),
  "participant.leave": all({ participantId: id.participant }),
  "terminal.write": all({ bytes: fc.uint8Array({ maxLength: 4 }) }),
  "terminal.resize": all({ cols: dimension, rows: dimension }),
  "process.signal": all({ signal: fc.constant("SIGINT") }),
  "artifact.add": artifact,
  "artifact.update": artifact
}

/** A command of one type. */
export const commandsOfType = <T extends CommandType>(type: T): fc.Arbitrary<CommandBody<T>> =>
  commandData[type].map((data) => ({ type, data })) as never

const several = <T>(weights: { readonly [type: string]: number }, make: (type: never) => fc.Arbitrary<T>) =>
  fc.oneof(...Object.entries(weights).map(([type, weight]) => ({ weight, arbitrary: make(type as never) })))

const commandTypes = Object.keys(commandData) as ReadonlyArray<CommandType>

/** A command of any type, prompts the most often. */
export const commandBodies = (): fc.Arbitrary<CommandBody> =>
  several<CommandBody>(
    Object.fromEntries(commandTypes.map((type) => [type, type === "prompt.send" ? 12 : 1])),
    (type: CommandType) => commandsOfType(type) as fc.Arbitrary<CommandBody>
  )

/** Types that a backend does not tell: only commands and the runtime bring them. */
const foreign = new Set<KnownType>([
  "prompt.queued",
  "prompt.edited",
  "prompt.withdrawn",
  "prompt.dispatched",
  "backend.opening",
  "backend.configuring",
  "backend.closing",
  "backend.suspending",
  "turn.interrupting",
  "context.compacting",
  "history.reverting",
  "history.restoring",
  "item.stopping",
  "process.signalled",
  "terminal.typed",
  "terminal.output"
])

const toldTypes = (Object.keys(eventData) as Array<KnownType>).filter(
  (type) => !foreign.has(type) && !type.startsWith("session.") && !type.startsWith("participant.")
)

/** Ends are rarer than what happens before them. */
const weightOf = (type: KnownType): number => {
  if (/^(turn|item|permission|question)\./.test(type)) return 6
  return /^backend\.(lost|closed|failed|suspended)$/.test(type) ? 1 : 2
}

/** Something that a backend or the runtime may have observed, well-formed but at any moment. */
export const observations = (): fc.Arbitrary<Observed> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.uint8Array({ maxLength: 8 }).map((bytes) => ({ type: "terminal.output", bytes }) as const)
    },
    {
      weight: 95,
      arbitrary: several<EventBody>(
        Object.fromEntries(toldTypes.map((type) => [type, weightOf(type)])),
        (type: KnownType) => eventsOfType(type) as fc.Arbitrary<EventBody>
      ).map(withoutPolicy)
    }
  ) as fc.Arbitrary<Observed>

/** A request leaves its deadline and default to the policy. */
const withoutPolicy = (body: EventBody): Observed => {
  if (body.type !== "permission.requested" && body.type !== "question.asked") return body as Observed
  const { deadline: _deadline, default: _default, ...rest } = body.data
  return { type: body.type, data: rest } as Observed
}

/** What no backend should tell: any value, any type with any data, types that are not a backend's to tell. */
export const rubbish = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true }),
    all({
      type: fc.constantFrom(...(Object.keys(eventData) as Array<KnownType>)),
      data: fc.anything({ withBigInt: true })
    }),
    all({ type: fc.oneof(text, fc.constantFrom("__proto__", "later.thing")), data: jsonArbitrary }),
    all({ type: fc.constant("terminal.output"), bytes: fc.anything() }),
    fc.oneof(
      ...[...foreign, "session.created" as const, "participant.joined" as const].map((type) => eventsOfType(type))
    )
  )

/** One thing that happens to a session. */
export type SessionStep =
  | { readonly step: "command"; readonly body: CommandBody; readonly actor: Actor }
  /** What a backend tells, of the current generation or of one before it. */
  | { readonly step: "tell"; readonly events: ReadonlyArray<Observed>; readonly age: number }
  /** The backend does what a good one would do next. */
  | { readonly step: "behave"; readonly id: number }
  | { readonly step: "wait"; readonly milliseconds: number }
  /** Time goes by until something is due. */
  | { readonly step: "next" }
  /** The process dies, starts again and sweeps. */
  | { readonly step: "crash" }

/** Any step; `behave` often enough that sessions get far. */
export const sessionSteps = (): fc.Arbitrary<SessionStep> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: all({
        step: fc.constant("command" as const),
        body: commandBodies(),
        actor: fc.oneof({ weight: 3, arbitrary: fc.constant("host") }, { weight: 1, arbitrary: id.participant })
      })
    },
    {
      weight: 6,
      arbitrary: all({
        step: fc.constant("tell" as const),
        events: fc.array(observations(), { minLength: 1, maxLength: 3 }),
        age: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2)
      })
    },
    { weight: 8, arbitrary: all({ step: fc.constant("behave" as const), id: fc.integer({ min: 1, max: 999 }) }) },
    {
      weight: 1,
      arbitrary: all({ step: fc.constant("wait" as const), milliseconds: fc.integer({ min: 0, max: 120_000 }) })
    },
    { weight: 2, arbitrary: fc.constant({ step: "next" as const }) },
    { weight: 1, arbitrary: fc.constant({ step: "crash" as const }) }
  )

/** Plays one step. */
export const playStep = (session: SimulatedSession, step: SessionStep): void => {
  switch (step.step) {
    case "command":
      session.command(step.body, step.actor)
      return
    case "tell":
      session.tell(step.events, session.state().generation - step.age)
      return
    case "behave":
      session.tell(nextOf(session, step.id))
      return
    case "wait":
      session.wait(step.milliseconds)
      return
    case "next":
      session.waitForNext()
      return
    case "crash":
      session.tell([{ type: "backend.lost", data: { reason: "the host died", retryable: true } }])
  }
}

/** What a good backend tells next, given where its session is. */
const nextOf = (session: SimulatedSession, n: number): ReadonlyArray<Observed> => {
  const state = session.state()
  const turnId = `turn ${n}` as TurnId
  switch (state.chart.lifecycle) {
    case "opening": {
      const data = { capabilities: everyCapability, nativeId: "native" }
      const doubts = state.prompts.filter((prompt) => prompt.dispatchedAt !== null)
      return [
        ...doubts.map((prompt): Observed => ({
          type: "prompt.delivered",
          data: { promptId: prompt.promptId as PromptId }
        })),
        state.nativeId === null ? { type: "backend.opened", data } : { type: "backend.resumed", data }
      ]
    }
    case "suspending":
      return [{ type: "backend.suspended", data: { reason: "asked for" } }]
    case "closing":
      return [{ type: "backend.closed", data: { reason: "asked for", exitCode: 0 } }]
    case "open":
      break
    default:
      return []
  }
  const sent = state.prompts.find((prompt) => prompt.dispatchedAt !== null)
  if (sent !== undefined) {
    const promptId = sent.promptId as PromptId
    return state.turn === null
      ? [
          { type: "prompt.delivered", data: { promptId, turnId } },
          { type: "turn.started", data: { turnId, promptId } }
        ]
      : [{ type: "prompt.delivered", data: { promptId, turnId: state.turn.turnId as TurnId } }]
  }
  if (state.turn === null) return []
  const outcome = state.chart.turn === "interrupting" ? "interrupted" : "completed"
  return [{ type: "turn.completed", data: { turnId: state.turn.turnId as TurnId, outcome } }]
}

/** What makes a session, first of all. */
export const creation: CommandBody<"session.create"> = {
  type: "session.create",
  data: { backend: "scripted", spec: { program: "test" } }
}

/** How many steps a life has, at most. */
export interface SessionLogOptions {
  readonly maxSteps?: number
  readonly sessionId?: SessionId
}

/** Whole logs, as a runtime writes them. */
export const sessionLogs = (options: SessionLogOptions = {}): fc.Arbitrary<ReadonlyArray<EventRecord>> =>
  fc.array(sessionSteps(), { maxLength: options.maxSteps ?? 30, size: "max" }).map((steps) => {
    const session = makeSimulatedSession(options.sessionId === undefined ? {} : { sessionId: options.sessionId })
    session.command(creation)
    for (const step of steps) playStep(session, step)
    return session.records()
  })
