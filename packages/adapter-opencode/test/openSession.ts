/** Sessions of a backend as a test drives them: opened, read along, and asked by the words of what happens in them. */
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

/** Milliseconds for anything that is waited for: many times what it takes, for the machine may be busy. */
const patience = 40_000

/** An event of a type. */
export type EventOf<T extends BackendEvent["type"]> = Extract<BackendEvent, { readonly type: T }>

/** A session that is read along. */
export interface OpenedSession {
  readonly request: OpenRequest
  readonly session: BackendSession
  readonly events: ReadonlyArray<BackendEvent>
  /** The first event of a type that fits, which may have been told already. */
  readonly waitFor: <T extends BackendEvent["type"]>(
    type: T,
    fits?: (data: EventOf<T> extends { readonly data: infer D } ? D : never) => boolean
  ) => Effect.Effect<EventOf<T>, Error>
  readonly until: <A>(
    what: string,
    find: (events: ReadonlyArray<BackendEvent>) => A | undefined
  ) => Effect.Effect<A, Error>
  readonly perform: (command: BackendCommand) => Effect.Effect<Performed, BackendRefused | BackendLost>
  readonly send: (
    content: string | ReadonlyArray<ContentBlock>
  ) => Effect.Effect<PromptId, BackendRefused | BackendLost>
  /** Sends a prompt, and waits for the start of its turn. */
  readonly begin: (text: string) => Effect.Effect<TurnId, BackendRefused | BackendLost | Error>
  readonly end: (turnId: TurnId) => Effect.Effect<EventOf<"turn.completed">["data"], Error>
  /** Sends a prompt, waits for the end of its turn, and gives what the agent said in it. */
  readonly ask: (text: string) => Effect.Effect<string, BackendRefused | BackendLost | Error>
  readonly said: (turnId: TurnId) => string
  readonly tools: (turnId: TurnId) => ReadonlyArray<EventOf<"item.completed">["data"]>
  readonly ended: Effect.Effect<Exit.Exit<void, BackendLost>, Error>
}

/** Fails with a name instead of hanging. */
export const within = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Error, R> =>
  Effect.timeoutOrElse(effect, {
    duration: patience,
    orElse: () => Effect.fail(new Error(`${what} did not happen within ${patience} ms`))
  })

/** Opens a session and reads it. */
export const openSession = Effect.fnUntraced(function* (
  backend: Backend,
  spec: unknown,
  more: Partial<OpenRequest> = {}
): Effect.fn.Return<OpenedSession, BackendLost | SpecInvalid | Error, Scope.Scope> {
  const checked = yield* backend.check(spec)
  const request: OpenRequest = { sessionId: makeSessionId(), generation: 1, spec: checked.spec, inDoubt: [], ...more }
  const session = yield* within("the opening", backend.open(request))
  return yield* readAlong(request, session)
})

/** Reads a session that is open. */
export const readAlong = Effect.fnUntraced(function* (
  request: OpenRequest,
  session: BackendSession
): Effect.fn.Return<OpenedSession, never, Scope.Scope> {
  const events: Array<BackendEvent> = []
  const watchers = new Set<() => void>()
  const reading = yield* Stream.runForEach(session.events, (batch) =>
    Effect.sync(() => {
      events.push(...batch)
      for (const watcher of watchers) watcher()
    })
  ).pipe(Effect.forkScoped({ startImmediately: true }))

  const until: OpenedSession["until"] = (what, find) =>
    within(
      what,
      Effect.callback((resume) => {
        const look = () => {
          const found = find(events)
          if (found === undefined) return
          watchers.delete(look)
          resume(Effect.succeed(found))
        }
        watchers.add(look)
        look()
        return Effect.sync(() => watchers.delete(look))
      })
    )
  const waitFor: OpenedSession["waitFor"] = (type, fits = () => true) =>
    until(type, (told) =>
      told.find(
        (event): event is EventOf<typeof type> =>
          event.type === type && fits((event as unknown as { data: never }).data)
      )
    )
  const perform: OpenedSession["perform"] = (command) => session.perform(command)
  const send: OpenedSession["send"] = (content) => {
    const promptId = makeUuid() as PromptId
    const blocks = typeof content === "string" ? [{ type: "text" as const, text: content }] : content
    return Effect.as(perform({ type: "prompt", promptId, content: blocks, delivery: "queue" }), promptId)
  }
  const begin: OpenedSession["begin"] = (text) =>
    Effect.gen(function* () {
      const promptId = yield* send(text)
      return (yield* waitFor("turn.started", (data) => data.promptId === promptId)).data.turnId
    })
  const end: OpenedSession["end"] = (turnId) =>
    Effect.map(
      waitFor("turn.completed", (data) => data.turnId === turnId),
      ({ data }) => data
    )
  const items = (turnId: TurnId) =>
    events.flatMap((event) => (event.type === "item.completed" && event.data.turnId === turnId ? [event.data] : []))
  const said = (turnId: TurnId) =>
    items(turnId)
      .filter(({ kind, role }) => kind === "message" && role !== "user")
      .map(({ text }) => text ?? "")
      .join("\n")
  return {
    request,
    session,
    events,
    waitFor,
    until,
    perform,
    send,
    begin,
    end,
    ask: (text) =>
      Effect.gen(function* () {
        const turnId = yield* begin(text)
        const { outcome } = yield* end(turnId)
        return outcome === "completed" ? said(turnId) : yield* Effect.fail(new Error(`the turn ended as ${outcome}`))
      }),
    said,
    tools: (turnId) => items(turnId).filter(({ kind }) => kind === "tool_call"),
    ended: within("the end of the stream", Fiber.await(reading))
  }
})
