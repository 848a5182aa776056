/** Sessions of a backend as a test drives them: opened, read along, and asked in the words of what happens in them. */
import {
  type Backend,
  type BackendCommand,
  type BackendEvent,
  type BackendLost,
  type BackendRefused,
  type BackendSession,
  type ContentBlock,
  makeSessionId,
  makeUuid,
  type OpenRequest,
  type Performed,
  type PromptId,
  type SpecInvalid,
  type TurnId
} from "@holdfast/core"
import { Effect, type Exit, Fiber, type Scope, Stream } from "effect"
import { makeWaitableList } from "./WaitableList.ts"

/** Milliseconds for anything that is waited for: many times what an agent takes, for the machine may be busy. */
const patience = 40_000

/** An event of a type. */
export type EventOf<T extends BackendEvent["type"]> = Extract<BackendEvent, { readonly type: T }>

/** A session that is read along. */
export interface ReadSession {
  readonly request: OpenRequest
  readonly session: BackendSession
  readonly events: ReadonlyArray<BackendEvent>
  /** Waits until something is found in the events so far. */
  readonly until: <A>(
    what: string,
    find: (events: ReadonlyArray<BackendEvent>) => A | undefined
  ) => Effect.Effect<A, Error>
  /** Waits for the first event of a type that fits. */
  readonly event: <T extends BackendEvent["type"]>(
    type: T,
    fits?: (event: EventOf<T>) => boolean
  ) => Effect.Effect<EventOf<T>, Error>
  readonly perform: (command: BackendCommand) => Effect.Effect<Performed, BackendRefused | BackendLost | Error>
  /** Sends a prompt, into the turn `steering` if there is one, and waits until it is known which turn it is in. */
  readonly send: (
    content: string | ReadonlyArray<ContentBlock>,
    steering?: TurnId
  ) => Effect.Effect<{ readonly promptId: PromptId; readonly turnId: TurnId }, BackendRefused | BackendLost | Error>
  /** Sends a prompt, waits for the end of its turn, and gives what came of it. */
  readonly ask: (
    content: string | ReadonlyArray<ContentBlock>
  ) => Effect.Effect<EndedTurn, BackendRefused | BackendLost | Error>
  readonly end: (turnId: TurnId) => Effect.Effect<EndedTurn, Error>
  /** Closes it, and waits for the end of the stream. */
  readonly close: Effect.Effect<void, BackendRefused | BackendLost | Error>
  /** Waits for the end of the stream. */
  readonly ended: Effect.Effect<Exit.Exit<void, BackendLost>, Error>
}

/** A turn that has ended. */
export interface EndedTurn {
  readonly turnId: TurnId
  readonly data: EventOf<"turn.completed">["data"]
  /** What the agent said. */
  readonly said: string
  /** Its tool calls that have ended, in that order. */
  readonly tools: ReadonlyArray<EventOf<"item.completed">["data"]>
  /** What its tool calls wrote. */
  readonly output: string
}

/** Fails with a name instead of hanging. */
export const within = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Error, R> =>
  Effect.timeoutOrElse(effect, {
    duration: patience,
    orElse: () => Effect.fail(new Error(`${what} did not happen within ${patience} ms`))
  })

/** Opens a session of a backend and reads it. The scope's end closes it. */
export const openSession = Effect.fnUntraced(function* (
  backend: Backend,
  spec: unknown,
  more: Partial<OpenRequest> = {}
): Effect.fn.Return<ReadSession, BackendLost | SpecInvalid | Error, Scope.Scope> {
  const checked = yield* backend.check(spec)
  const request: OpenRequest = { sessionId: makeSessionId(), generation: 1, spec: checked.spec, inDoubt: [], ...more }
  const session = yield* within("the opening", backend.open(request))
  return yield* readAlong(request, session)
})

/** Reads a session that is open already. */
export const readAlong = Effect.fnUntraced(function* (
  request: OpenRequest,
  session: BackendSession
): Effect.fn.Return<ReadSession, never, Scope.Scope> {
  const list = makeWaitableList<BackendEvent>()
  const reading = yield* Stream.runForEach(session.events, (batch) =>
    Effect.sync(() => {
      for (const event of batch) list.add(event)
    })
  ).pipe(Effect.forkScoped({ startImmediately: true }))

  const until: ReadSession["until"] = (what, find) => within(what, list.find(find))
  const event: ReadSession["event"] = (type, fits = () => true) =>
    until(type, (told) => told.find((one): one is EventOf<typeof type> => one.type === type && fits(one as never)))
  const perform: ReadSession["perform"] = (command) => within(command.type, session.perform(command))
  const send: ReadSession["send"] = (content, steering) =>
    Effect.gen(function* () {
      const promptId = makeUuid() as PromptId
      const performed = yield* perform({
        type: "prompt",
        promptId,
        content: typeof content === "string" ? [{ type: "text", text: content }] : content,
        ...(steering === undefined ? { delivery: "queue" } : { delivery: "steer", turnId: steering })
      })
      const known = performed.turnId ?? steering
      if (known !== undefined) return { promptId, turnId: known }
      const started = yield* event("turn.started", ({ data }) => data.promptId === promptId)
      return { promptId, turnId: started.data.turnId }
    })
  const end: ReadSession["end"] = (turnId) =>
    Effect.map(
      event("turn.completed", ({ data }) => data.turnId === turnId),
      ({ data }) => {
        const items = list.items.flatMap((one) =>
          one.type === "item.completed" && one.data.turnId === turnId ? [one.data] : []
        )
        const messages = items.filter(({ kind, role }) => kind === "message" && role !== "user")
        return {
          turnId,
          data,
          said: messages.map(({ text }) => text ?? "").join("\n"),
          tools: items.filter(({ kind }) => kind === "tool_call"),
          output: items.map(({ output }) => output ?? "").join("")
        }
      }
    )
  const ended = within("the end of the stream", Fiber.await(reading))
  return {
    request,
    session,
    events: list.items,
    until,
    event,
    perform,
    send,
    ask: (content) => Effect.flatMap(send(content), ({ turnId }) => end(turnId)),
    end,
    close: Effect.gen(function* () {
      yield* perform({ type: "close", force: false, graceMs: 2_000 })
      yield* ended
    }),
    ended
  }
})

/** Opens the session again, as its next generation. */
export const reopen = (backend: Backend, before: ReadSession, more: Partial<OpenRequest> = {}) =>
  Effect.gen(function* () {
    const nativeId = before.session.nativeId ?? (yield* before.event("backend.identified")).data.nativeId
    const { generation, sessionId, spec } = before.request
    return yield* openSession(backend, spec, { sessionId, generation: generation + 1, nativeId, ...more })
  })

/** How a stream that failed says why. */
export const lossOf = Effect.fnUntraced(function* ({ ended }: ReadSession) {
  const exit = yield* ended
  return yield* Effect.flip(exit)
})
