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
import { processMarker } from "@holdfast/process"
import { Deferred, Effect, Exit, Scope, Stream } from "effect"
import { randomBytes } from "node:crypto"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect } from "vitest"
import type { BackendSuiteAgent } from "./BackendSuiteAgent.ts"
import { commandsNaming, runningOf, type SuiteMachine } from "./SuiteMachine.ts"
import type { EventOf } from "./ReadSession.ts"
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
   * Makes one backend for the whole suite instead of one for each test: for backends whose server is slow to start. It is
   * released once, at the end. Default false.
   */
  readonly once?: boolean
  /**
   * With `once`: a test of an agent's turns, requests and interrupts goes on with the session that the one before left idle, in
   * place of opening one. For sessions that are slow to open, such as those that start an agent's server of their own. What
   * is said of new sessions and of ends is tested with sessions of their own all the same. Default false.
   */
  readonly handOn?: boolean
  /** Where the programs of sessions run, if not where the suite does. */
  readonly machine?: SuiteMachine
  /**
   * Milliseconds that one thing which is waited for may take. Default 20,000: many times what a local process needs on a
   * loaded machine. Raise it for a remote backend; a test as a whole then has four times as long, whatever vitest's
   * `testTimeout` is.
   */
  readonly deadline?: number
  /**
   * How often the tests that look for rare losses repeat themselves. Default 1: a few hundred short sessions. Below 1, as for
   * sessions that are slow to open, each runs once at least.
   */
  readonly effort?: number
}

/** See {@link BackendSuiteOptions.deadline}. */
export const defaultDeadline = 20_000

/** Everything that one test needs. */
export interface Bench {
  readonly backend: Backend
  readonly options: BackendSuiteOptions
  /** Fails, naming what was waited for, when it takes longer than the deadline. */
  readonly within: <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Error, R>
}

/** What a backend told of processes that outlive its sessions. */
type SharedProcess = EventOf<"process.spawned">["data"]

const sharedOf = new WeakMap<Backend, Array<SharedProcess>>()

const makeBench = (backend: Backend, options: BackendSuiteOptions): Bench => {
  const duration = options.deadline ?? defaultDeadline
  return {
    backend,
    options,
    within: (what, effect) =>
      Effect.timeoutOrElse(effect, {
        duration,
        orElse: () => Effect.fail(new Error(`${what} did not happen within ${duration} ms`))
      })
  }
}

/** A test over a fresh backend, or the suite's own; what it opened is closed at its end, then a fresh backend is released. */
export const withBackend =
  (
    make: MakeBackend,
    options: BackendSuiteOptions,
    test: (bench: Bench) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
  () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const bench = makeBench(yield* make, options)
          const tested = Effect.scoped(test(bench))
          yield* options.once === true ? tested : Effect.onExit(tested, () => releaseBackend(bench))
        })
      )
    )

/** Makes the one backend of a suite before its tests, and releases it after them. Gives what each test gets. */
export const keepBackend = (make: MakeBackend, options: BackendSuiteOptions): MakeBackend => {
  const scope = Scope.makeUnsafe()
  let kept: Backend | undefined
  beforeAll(async () => {
    kept = await Effect.runPromise(Scope.provide(make, scope))
  })
  afterAll(async () => {
    const released = kept === undefined ? Effect.void : releaseBackend(makeBench(kept, options))
    await Effect.runPromise(Effect.onExit(released, () => Scope.close(scope, Exit.void)))
  })
  return Effect.suspend(() =>
    kept === undefined ? Effect.fail(new Error("the suite's backend could not be made")) : Effect.succeed(kept)
  )
}

/** Releases a backend, and checks that no process is left which it shared among its sessions. */
export const releaseBackend = Effect.fnUntraced(function* ({ backend, options, within }: Bench) {
  const { machine = {} } = options
  yield* within("the release of the backend", backend.release ?? Effect.void)
  const shared = sharedOf.get(backend) ?? []
  sharedOf.delete(backend)
  yield* within(
    "the end of all processes that sessions shared",
    Effect.forEach(shared, (told) => until(Effect.map(runningOf(machine, told, told.marker), isEmpty)), {
      discard: true
    })
  )
  yield* expectNoRemains(options)
})

/** Waits until nothing is left that sessions ran in, and names what is left otherwise. */
const expectNoRemains = ({ deadline = defaultDeadline, machine }: BackendSuiteOptions) => {
  let left: ReadonlyArray<string> = []
  return until(Effect.map(machine?.remains ?? Effect.succeed([]), (found) => isEmpty((left = found)))).pipe(
    Effect.timeoutOrElse({
      duration: deadline,
      orElse: () => Effect.fail(new Error(`after ${deadline} ms there is still: ${left.join(", ")}`))
    })
  )
}

const isEmpty = (list: ReadonlyArray<unknown>): boolean => list.length === 0

/** Looks every 5 ms for what nothing tells of. */
export const until = <E>(condition: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.flatMap(condition, (met) => (met ? Effect.void : Effect.andThen(Effect.sleep(5), until(condition))))

/** A token that was never used before: see {@link BackendSuiteAgent}. */
export const makeToken = (): string => `tok${randomBytes(6).toString("hex")}`

/** An open session that is read along. */
export interface Opened {
  readonly sessionId: SessionId
  readonly generation: number
  readonly session: BackendSession
  /** Everything that was read so far, but what a remote backend tells of its sandbox and its link: {@link isOfSession}. */
  readonly events: ReadonlyArray<BackendEvent>
  /** Waits for an event, which may have been read already. */
  readonly waitFor: <T extends BackendEvent["type"]>(
    type: T,
    fits?: (event: EventOf<T>) => boolean
  ) => Effect.Effect<EventOf<T>, Error>
  /** Waits until `find` finds something in what was read so far, and names it where it does not. */
  readonly waitUntil: <A>(
    what: string,
    find: (events: ReadonlyArray<BackendEvent>) => A | undefined
  ) => Effect.Effect<A, Error>
  /** Waits until the output so far has this text. */
  readonly waitForText: (text: string) => Effect.Effect<void, Error>
  /** All output so far. */
  readonly output: () => Buffer
  readonly perform: (command: BackendCommand) => ReturnType<BackendSession["perform"]>
  /** Waits for the end of the stream; how it ended. */
  readonly ended: Effect.Effect<Exit.Exit<void, BackendLost>, Error>
}

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

const noteShared = (backend: Backend, told: SharedProcess) => {
  const shared = sharedOf.get(backend)
  if (shared === undefined) sharedOf.set(backend, [told])
  else shared.push(told)
}

/** Opens a spec without reading it. */
export const openUnread = Effect.fnUntraced(function* (bench: Bench, spec: unknown, more: Partial<OpenRequest> = {}) {
  const request = yield* prepare(bench, spec, more)
  const session = yield* bench.within("open", bench.backend.open(request))
  return { request, session }
})

/** A session that is open, with all who read along. */
export interface Reading {
  /** The session as it was from its beginning on. */
  readonly opened: Opened
  /** The session as if it began now: with the events that are read from now on. */
  readonly follow: () => Opened
  /** Whether there is nothing more to read. */
  readonly hasEnded: () => boolean
}

/**
 * Takes some of what a session passes plainly, in turns: it refuses, stores at once, and stores when the event loop has gone round.
 * What is refused comes with the rest of its events.
 */
const takePlainly = (session: BackendSession, hear: (output: ReadonlyArray<BackendEvent>) => void) => {
  let offered = 0
  let storing = false
  let violation: Error | undefined
  /** Whether something else is told while output is being stored. */
  const isEarly = (what: string) => {
    if (storing) violation ??= new Error(`${what} while output is being stored`)
    return storing
  }
  session.passOutput?.((output, stored) => {
    if (isEarly("output is offered")) return false
    const turn = offered++ % 3
    if (turn === 0) return false
    hear(output)
    if (turn === 1) stored()
    else {
      storing = true
      setImmediate(() => {
        storing = false
        stored()
      })
    }
    return true
  })
  return { isEarly, violation: () => violation }
}

/** Opens a spec, and reads along for all who follow, until the scope closes. */
export const readSession = Effect.fnUntraced(function* (bench: Bench, spec: unknown, more: Partial<OpenRequest> = {}) {
  const { request, session } = yield* openUnread(bench, spec, more)
  const followers = new Set<(event: BackendEvent) => void>()
  const ended = Deferred.makeUnsafe<Exit.Exit<void, BackendLost>>()
  const follow = (): Opened => {
    const list = makeWaitableList<BackendEvent>()
    const chunks: Array<Uint8Array> = []
    followers.add((event) => {
      if (event.type === "terminal.output") chunks.push(event.bytes)
      list.add(event)
    })
    const output = () => Buffer.concat(chunks)
    return {
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
      waitUntil: (what, find) => bench.within(what, list.find(find)),
      waitForText: (text) =>
        bench.within(
          `the output ${JSON.stringify(text)}`,
          list.find(() => (output().includes(text) ? true : undefined)).pipe(Effect.asVoid)
        ),
      output,
      perform: session.perform,
      ended: bench.within("the end of the stream", Deferred.await(ended))
    }
  }
  const opened = follow()
  const hear = (batch: ReadonlyArray<BackendEvent>) => {
    expect(batch.length, "a batch is not empty").toBeGreaterThan(0)
    for (const event of batch.filter(isOfSession)) {
      if (event.type === "process.spawned" && event.data.shared === true) noteShared(bench.backend, event.data)
      for (const follower of followers) follower(event)
    }
  }
  const plain = takePlainly(session, hear)
  yield* Stream.runForEach(session.events, (batch) =>
    Effect.sync(() => {
      plain.isEarly("something is told")
      hear(batch)
    })
  ).pipe(
    Effect.onExit((exit) => {
      const violation = plain.violation()
      return violation === undefined ? Deferred.succeed(ended, exit) : Deferred.die(ended, violation)
    }),
    Effect.forkScoped({ startImmediately: true })
  )
  return { opened, follow, hasEnded: () => Deferred.isDoneUnsafe(ended) } satisfies Reading
})

/** Opens a spec and reads along. */
export const openSession = (bench: Bench, spec: unknown, more: Partial<OpenRequest> = {}) =>
  Effect.map(readSession(bench, spec, more), ({ opened }) => opened)

/**
 * Where a session runs, and how it is reached, is beside the point of what it tells: its `sandbox.…` and `link.…` events, and notes
 * whose code begins with `sandbox`, such as one that says that a full log holds it.
 */
export const isOfSession = (event: BackendEvent): boolean =>
  !event.type.startsWith("sandbox.") &&
  !event.type.startsWith("link.") &&
  !(event.type === "backend.noted" && event.data.code?.startsWith("sandbox") === true)

/** Reads a session to its end: all its events, but those of a sandbox and a link. */
export const readToEnd = Effect.fnUntraced(function* ({ within }: Bench, session: BackendSession) {
  const batches = yield* within("the end of the stream", Stream.runCollect(session.events))
  return batches.flat().filter(isOfSession)
})

/** All output among events. */
export const outputOf = (events: ReadonlyArray<BackendEvent>): Buffer =>
  Buffer.concat(events.flatMap((event) => (event.type === "terminal.output" ? [event.bytes] : [])))

/** Types of events, with repeats in a row told once. */
export const typesOf = (events: ReadonlyArray<BackendEvent>): ReadonlyArray<string> =>
  events.map((event) => event.type).filter((type, index, types) => type !== types[index - 1])

/**
 * Waits until no process of a session runs, neither one that carries its marker nor one that it told of. Those that it shares
 * with other sessions go on.
 */
export const expectNoProcess = ({ options, within }: Bench, opened: Opened | OpenRequest) => {
  const events = "events" in opened ? opened.events : []
  const told = events.flatMap((event) =>
    event.type === "process.spawned" && event.data.shared !== true ? [event.data] : []
  )
  const marker = processMarker(opened.sessionId, opened.generation)
  return within(
    "the end of all processes of the session",
    until(
      Effect.map(
        Effect.forEach([undefined, ...told], (each) => runningOf(options.machine ?? {}, each, marker)),
        (left) => isEmpty(left.flat())
      )
    )
  )
}

/** Waits until so many processes carry a session's marker: without it nothing could be said of those that are gone. */
export const expectProcesses = ({ options, within }: Bench, opened: Opened, count: number) => {
  const marker = processMarker(opened.sessionId, opened.generation)
  return within(
    `the sight of ${count} processes with the marker ${marker}`,
    until(Effect.map(runningOf(options.machine ?? {}, undefined, marker), (found) => found.length >= count))
  )
}

/** Waits until a process has a token among its arguments, where the suite looks elsewhere than usual. */
export const expectCommand = ({ options: { machine }, within }: Bench, token: string) =>
  machine === undefined
    ? Effect.void
    : within(
        "the sight of the agent's command",
        until(Effect.map(commandsNaming(machine, token), (found) => found.length > 0))
      )

/** Waits until no process has a token among its arguments. */
export const expectNoCommand = ({ options, within }: Bench, token: string) =>
  within("the end of the agent's command", until(Effect.map(commandsNaming(options.machine ?? {}, token), isEmpty)))

/** A folder for files of one test that the backend's programs see as well, and may write to. */
export const temporaryFolder = ({ options }: Bench) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(options.machine?.folder ?? tmpdir(), "holdfast-suite-"))
      // They may be another user.
      if (options.machine?.folder !== undefined) chmodSync(folder, 0o777)
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
