/** What the conformance suite of backends is given, and the small tools that its tests share. */
import {
  type Backend,
  type BackendCommand,
  type BackendEvent,
  type BackendLost,
  type BackendSession,
  makeSessionId,
  type OpenRequest,
  type SessionId
} from "@holdfast/core"
import { processMarker, promises } from "@holdfast/process"
import { Effect, type Exit, Fiber, type Scope, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { makeWaitableList } from "./WaitableList.ts"

/** Makes the backend under test; the scope is one test's. */
export type MakeBackend = Effect.Effect<Backend, unknown, Scope.Scope>

/** What a backend does in its specs. */
export interface BackendSuiteOptions {
  /** A session that stays until it is asked to end. */
  readonly spec: unknown
  /** Specs that must be refused, each with the field that the refusal has to name. */
  readonly badSpecs: ReadonlyArray<{ readonly spec: unknown; readonly field: string }>
  /** A spec with a secret value in it, which the checked spec must not have. */
  readonly secret?: { readonly spec: unknown; readonly value: string }
  /** For backends with the capability `terminal`: a session that runs a POSIX shell's script, and ends with it. */
  readonly script?: (source: string) => unknown
  /** For backends with the capability `prompts`: what to say to the agent. */
  readonly agent?: BackendSuiteAgent
  /**
   * Milliseconds that one thing which is waited for may take. Default 20,000: many times what a local process needs on a
   * loaded machine. Raise it for a remote backend.
   */
  readonly deadline?: number
  /** How often the tests that look for rare losses repeat themselves. Default 1: a few hundred short sessions. */
  readonly effort?: number
}

/** Prompts with a known effect. Those that are left out leave their tests out. */
export interface BackendSuiteAgent {
  /** Gives one turn that completes with at least one message. */
  readonly simple: string
  /** Gives a turn that goes on until it is interrupted or steered. */
  readonly long?: string
  /** Steers a long turn so that it completes. */
  readonly steer?: string
  /** Gives a turn that asks for a permission and completes when any of its options is chosen. */
  readonly permission?: string
  /** Gives a turn that asks a question and completes when it is answered. */
  readonly question?: string
}

/** Everything that one test needs. */
export interface Bench {
  readonly backend: Backend
  readonly options: BackendSuiteOptions
  /** Fails, naming what was waited for, when it takes longer than the deadline. */
  readonly within: <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Error, R>
}

/** A test over a fresh backend; whatever it opened is closed at its end. */
export const withBackend =
  (
    make: MakeBackend,
    options: BackendSuiteOptions,
    test: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
  () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(make, (backend) => {
          const duration = options.deadline ?? 20_000
          const within = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
            Effect.timeoutOrElse(effect, {
              duration,
              orElse: () => Effect.fail(new Error(`${what} did not happen within ${duration} ms`))
            })
          return test({ backend, options, within })
        })
      )
    )

/** An open session that is read along. */
export interface Opened {
  readonly sessionId: SessionId
  readonly generation: number
  readonly session: BackendSession
  /** Everything that was read so far. */
  readonly events: ReadonlyArray<BackendEvent>
  /** Waits for an event, which may have been read already. */
  readonly waitFor: <T extends BackendEvent["type"]>(
    type: T,
    fits?: (event: EventOf<T>) => boolean
  ) => Effect.Effect<EventOf<T>, Error>
  /** Waits until the output so far has this text. */
  readonly waitForText: (text: string) => Effect.Effect<void, Error>
  /** All output so far. */
  readonly output: () => Buffer
  readonly perform: (command: BackendCommand) => ReturnType<BackendSession["perform"]>
  /** Waits for the end of the stream; how it ended. */
  readonly ended: Effect.Effect<Exit.Exit<void, BackendLost>, Error>
}

/** An event of a type. */
export type EventOf<T extends BackendEvent["type"]> = Extract<BackendEvent, { readonly type: T }>

/** Checks a spec and gives the request that opens it. */
export const prepare = Effect.fnUntraced(function* (
  { backend, within }: Bench,
  spec: unknown,
  more: Partial<OpenRequest> = {}
) {
  const checked = yield* within("check", backend.check(spec))
  const request: OpenRequest = {
    sessionId: makeSessionId(),
    generation: 1,
    spec: checked.spec,
    ...(checked.secrets === undefined ? {} : { secrets: checked.secrets }),
    inDoubt: [],
    ...more
  }
  return request
})

/** Opens a spec without reading it. */
export const openUnread = Effect.fnUntraced(function* (bench: Bench, spec: unknown, more: Partial<OpenRequest> = {}) {
  const request = yield* prepare(bench, spec, more)
  const session = yield* bench.within("open", bench.backend.open(request))
  return { request, session }
})

/** Opens a spec and reads along. */
export const openSession = Effect.fnUntraced(function* (bench: Bench, spec: unknown, more: Partial<OpenRequest> = {}) {
  const { request, session } = yield* openUnread(bench, spec, more)
  const list = makeWaitableList<BackendEvent>()
  const chunks: Array<Uint8Array> = []
  const reading = yield* Stream.runForEach(session.events, (batch) =>
    Effect.sync(() => {
      expect(batch.length, "a batch is not empty").toBeGreaterThan(0)
      for (const event of batch) {
        if (event.type === "terminal.output") chunks.push(event.bytes)
        list.add(event)
      }
    })
  ).pipe(Effect.forkScoped({ startImmediately: true }))
  const output = () => Buffer.concat(chunks)
  const opened: Opened = {
    sessionId: request.sessionId,
    generation: request.generation,
    session,
    events: list.items,
    waitFor: (type, fits = () => true) =>
      bench.within(
        `the event ${type}`,
        list.find((events) =>
          events.find((event): event is EventOf<typeof type> => event.type === type && fits(event as never))
        )
      ),
    waitForText: (text) =>
      bench.within(
        `the output ${JSON.stringify(text)}`,
        list.find(() => (output().includes(text) ? true : undefined)).pipe(Effect.asVoid)
      ),
    output,
    perform: session.perform,
    ended: bench.within("the end of the stream", Fiber.await(reading))
  }
  return opened
})

/** Reads a session to its end: all its events. */
export const readToEnd = Effect.fnUntraced(function* ({ within }: Bench, session: BackendSession) {
  const batches = yield* within("the end of the stream", Stream.runCollect(session.events))
  return batches.flat()
})

/** All output among events. */
export const outputOf = (events: ReadonlyArray<BackendEvent>): Buffer =>
  Buffer.concat(events.flatMap((event) => (event.type === "terminal.output" ? [event.bytes] : [])))

/** Types of events, with repeats in a row told once. */
export const typesOf = (events: ReadonlyArray<BackendEvent>): ReadonlyArray<string> =>
  events.map((event) => event.type).filter((type, index, types) => type !== types[index - 1])

/** Waits until no process of a session runs, neither one that carries its marker nor one that it told of. */
export const expectNoProcess = ({ within }: Bench, opened: Opened | OpenRequest) =>
  within(
    "the end of all processes of the session",
    Effect.gen(function* () {
      const marker = processMarker(opened.sessionId, opened.generation)
      const told = "events" in opened ? opened.events.filter((event) => event.type === "process.spawned") : []
      for (;;) {
        const left = yield* Effect.promise(() => promises.tree({ marker }))
        const alive = yield* Effect.forEach(told, (event) => Effect.promise(() => promises.isAlive(event.data)))
        if (left.length === 0 && !alive.includes(true)) return
        yield* Effect.sleep(5)
      }
    })
  )

/** A folder for files of one test, on the machine where the backend's programs run as well. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-suite-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)
