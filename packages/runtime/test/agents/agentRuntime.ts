/** A runtime over a log on disk with one real agent, and what the tests ask of it. */
import {
  type EventLogService,
  type EventRecord,
  readEvent,
  type SessionEvent,
  type SessionId,
  type SessionPolicy,
  type SessionState
} from "@holdfast/core"
import { promises } from "@holdfast/process"
import { type HoldfastService, makeHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, type Scope } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { eventsOf, prompt } from "../fixtures.ts"
import { agentBackend, type AgentPlace } from "./agentHouse.ts"

/** Milliseconds for anything that is waited for: many times what it takes on a loaded machine. */
export const patience = 60_000

/**
 * For sessions whose runtime is killed again and again, seldom with a turn in between: the defaults wait ever longer, and give up, also
 * on a prompt that was on its way at three kills in a row.
 */
export const patient: Partial<SessionPolicy> = { maxAttempts: 1_000, maxPromptReturns: 1_000, retryDelayMs: 0 }

/** A runtime that runs. */
export interface AgentRuntime {
  readonly log: EventLogService
  readonly holdfast: HoldfastService
  /** Makes a session, by default of the place's usual spec, and waits until it is open. */
  readonly open: (spec?: unknown) => Effect.Effect<SessionId, unknown>
  /** Sends a prompt and waits until the session is idle after it. Gives the state then. */
  readonly say: (sessionId: SessionId, text: string) => Effect.Effect<SessionState, unknown>
  /** Sends a prompt and waits until its turn is in a state. */
  readonly begin: (
    sessionId: SessionId,
    text: string,
    fits: (state: SessionState) => boolean
  ) => Effect.Effect<SessionState, unknown>
  readonly until: (
    sessionId: SessionId,
    what: string,
    fits: (state: SessionState) => boolean
  ) => Effect.Effect<SessionState, unknown>
  /** The session's events so far, those of known types. */
  readonly events: (sessionId: SessionId) => Effect.Effect<ReadonlyArray<SessionEvent>, unknown>
}

/** Nothing runs and nothing waits. */
export const isQuiet = ({ awaitedTurn, chart, prompts, turn }: SessionState): boolean =>
  chart.lifecycle === "open" && turn === null && prompts.length === 0 && awaitedTurn === null

/** Starts a runtime; the scope's end stops it. */
export const startRuntime = (
  place: AgentPlace,
  policy: Partial<SessionPolicy> = {}
): Effect.Effect<AgentRuntime, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const log = yield* SqliteEventLog.open({ path: place.path })
    const backend = agentBackend(place)
    const holdfast = yield* makeHoldfast(log, { backends: [backend], policy: { retryDelayMs: 50, ...policy } })
    const until: AgentRuntime["until"] = (sessionId, what, fits) =>
      holdfast.until(sessionId, fits).pipe(
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () =>
            Effect.flatMap(eventsOf(log, sessionId), (events) =>
              Effect.fail(
                new Error(`${what} did not happen; the last events:\n${events.slice(-15).map(line).join("\n")}`)
              )
            )
        })
      )
    const begin: AgentRuntime["begin"] = Effect.fnUntraced(function* (sessionId, text, fits) {
      const { lastSeq } = yield* holdfast.command(sessionId, prompt(text))
      return yield* until(sessionId, text, (state) => state.seq > lastSeq && fits(state))
    })
    return {
      log,
      holdfast,
      until,
      begin,
      say: (sessionId, text) => begin(sessionId, text, isQuiet),
      open: Effect.fnUntraced(function* (spec = place.spec) {
        const { sessionId } = yield* holdfast.create({ backend: backend.name, spec })
        yield* until(sessionId, "the opening", isQuiet)
        return sessionId
      }),
      events: (sessionId) =>
        Effect.map(eventsOf(log, sessionId), (events) =>
          events.flatMap((record) => {
            const read = readEvent(record)
            return read.kind === "known" ? [read.event] : []
          })
        )
    }
  })

const line = ({ data, seq, type }: EventRecord): string => `${seq} ${type} ${JSON.stringify(data).slice(0, 300)}`

/** Events of one type. */
export const only = <T extends SessionEvent["type"]>(
  events: ReadonlyArray<SessionEvent>,
  type: T
): ReadonlyArray<Extract<SessionEvent, { readonly type: T }>> =>
  events.filter((event): event is Extract<SessionEvent, { readonly type: T }> => event.type === type)

/** What the agent said after an event, one message a line. */
export const saidAfter = (events: ReadonlyArray<SessionEvent>, seq: number): string =>
  only(events, "item.completed")
    .filter((event) => event.seq > seq && event.data.kind === "message" && event.data.role !== "user")
    .map((event) => event.data.text ?? "")
    .join("\n")

/** The agent's server as the session told of it last: the marker, and the processes that run for it. */
export const serverOf = (events: ReadonlyArray<SessionEvent>) =>
  Effect.promise(async () => {
    const { marker, pid } = only(events, "process.spawned").at(-1)!.data
    return { pid, marker: marker!, processes: await promises.tree({ marker }) }
  })

/** Looks until a condition is met, every 10 ms: for what the kernel tells nobody about. */
export const eventually = (what: string, condition: () => Promise<boolean>) =>
  Effect.gen(function* () {
    while (!(yield* Effect.promise(condition))) yield* Effect.sleep(10)
  }).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new Error(`${what} did not happen`)) }))

/** Waits until no process has a word among its arguments. */
export const noCommandWith = (word: string) =>
  eventually(`the end of all commands with ${word}`, async () => {
    const { stdout } = await promisify(execFile)("ps", ["-A", "-ww", "-o", "args="])
    return !new RegExp(`\\b${word}\\b`).test(stdout)
  })

/** Waits until nothing runs that carries a marker. */
export const nothingMarked = (marker: string) =>
  eventually(`the end of ${marker}`, async () => (await promises.tree({ marker })).length === 0)
