/**
 * What a client is given that opens a session or was left too far behind: state, screen and last events as they are now.
 * Computed once for all who ask within a moment, so that a thousand clients that come back at once cost as much as one.
 */
import {
  encodeHistory,
  encodeScreen,
  type EventRecord,
  type LogUnavailable,
  type ScreenHead,
  type SessionId,
  type SessionNotFound,
  weigh
} from "@holdfast/core"
import type { HoldfastService, ScreenUnavailable } from "@holdfast/runtime"
import { Cache, Effect } from "effect"
import { SharedBody } from "./SharedBody.ts"

/** Milliseconds for which what was computed is given to others too: 250, as often as a person sees a screen change. */
const sharedMs = 250

/** Sessions whose opening is kept: a screen with its lines above takes some 100 KB. */
const keptOpenings = 32

/** Bytes of a history frame, about: the newest events are kept. */
export const maxHistoryBytes = 200_000

/** Bytes that are read for a history at most, terminal output among them. */
const maxHistoryReadBytes = 4 * 1024 * 1024

/** Events that are read at once on the way back. */
const historyStep = 250

/** What there is nothing of in a history: output is in the screen. */
const isOutput = ({ type }: EventRecord): boolean => type === "terminal.output" || type === "terminal.snapshot"

/** A session's state at a seq. */
export interface Opening {
  readonly seq: number
  readonly hasTerminal: boolean
  /** The state, as JSON. */
  readonly state: string
  /** The screen at the same seq, where it was asked for and the session has a terminal. */
  readonly screen?: { readonly offset: number; readonly bodyFor: (why: ScreenHead["why"]) => SharedBody }
}

type Failure = ScreenUnavailable | SessionNotFound | LogUnavailable

/** Openings of sessions. */
export interface SessionOpenings {
  readonly state: (sessionId: SessionId) => Effect.Effect<Opening, SessionNotFound | LogUnavailable>
  readonly withScreen: (sessionId: SessionId) => Effect.Effect<Opening, Failure>
  /** As {@link withScreen}, at `least` or later. */
  readonly screenFrom: (sessionId: SessionId, least: number) => Effect.Effect<Opening, Failure>
  /** The body of a history frame: the last `count` events up to `seq`. */
  readonly history: (
    sessionId: SessionId,
    seq: number,
    count: number
  ) => Effect.Effect<SharedBody, SessionNotFound | LogUnavailable>
}

/** Makes openings of a runtime's sessions. */
export const makeSessionOpenings = (holdfast: HoldfastService): Effect.Effect<SessionOpenings> =>
  Effect.gen(function* () {
    const current = (sessionId: SessionId) =>
      Effect.map(
        // As the owner has it: nothing is read where the session is in use.
        holdfast.until(sessionId, () => true),
        (state): Opening => ({ seq: state.seq, hasTerminal: state.terminal !== null, state: JSON.stringify(state) })
      )

    const opening = (sessionId: SessionId): Effect.Effect<Opening, Failure> =>
      Effect.gen(function* () {
        const now = yield* current(sessionId)
        if (!now.hasTerminal || now.seq === 0) return now
        const { ansi, cols, offset, pending, rows, seq, title } = yield* holdfast.screen(sessionId, now.seq)
        const text = new TextEncoder().encode(ansi)
        // The first bytes of a character go with it: the next output begins with its others.
        const shown = pending.byteLength === 0 ? text : Buffer.concat([text, pending])
        const bodies = new Map<ScreenHead["why"], SharedBody>()
        const bodyFor = (why: ScreenHead["why"]) => {
          let body = bodies.get(why)
          if (body === undefined) {
            const head = { seq, offset, cols, rows, title: title === "" ? null : title, why }
            body = new SharedBody(encodeScreen(head, shown))
            bodies.set(why, body)
          }
          return body
        }
        return { ...now, screen: { offset, bodyFor } }
      }).pipe(
        // Its output gave way to a newer snapshot meanwhile.
        Effect.retry({
          while: (error) => error._tag === "ScreenUnavailable" && error.reason === "compacted",
          times: 10
        })
      )

    const shared = { capacity: keptOpenings, timeToLive: () => sharedMs } as const
    const states = yield* Cache.makeWith(current, shared)
    const screens = yield* Cache.makeWith(opening, shared)
    const histories = yield* Cache.makeWith((key: string) => {
      const [sessionId, seq, count] = JSON.parse(key) as [SessionId, number, number]
      return Effect.map(lastEvents(holdfast, sessionId, seq, count), (page) => new SharedBody(encodeHistory(page)))
    }, shared)

    return {
      state: (sessionId) => Cache.get(states, sessionId),
      withScreen: (sessionId) => Cache.get(screens, sessionId),
      screenFrom: (sessionId, least) =>
        Effect.flatMap(Cache.get(screens, sessionId), (found) =>
          found.seq >= least
            ? Effect.succeed(found)
            : Effect.andThen(Cache.invalidate(screens, sessionId), Cache.get(screens, sessionId))
        ),
      history: (sessionId, seq, count) => Cache.get(histories, JSON.stringify([sessionId, seq, count]))
    }
  })

/** The last events up to `seq` but terminal output, read backwards in steps until there are enough. */
const lastEvents = Effect.fnUntraced(function* (
  holdfast: HoldfastService,
  sessionId: SessionId,
  seq: number,
  count: number
) {
  const oldest = Math.max(0, seq - count)
  let after = seq
  let events: ReadonlyArray<EventRecord> = []
  let kept = 0
  let read = 0
  while (after > oldest && kept < maxHistoryBytes && read < maxHistoryReadBytes) {
    const from = Math.max(oldest, after - historyStep)
    const step: Array<EventRecord> = []
    let cursor = from
    while (cursor < after) {
      const page = yield* holdfast.read(sessionId, cursor, { limit: after - cursor })
      if (page.cursor <= cursor) break
      cursor = page.cursor
      if (page.answer === "gap") continue
      for (const event of page.events) {
        if (event.seq > after) break
        const weight = weigh(event)
        read += weight
        if (isOutput(event)) continue
        kept += weight
        step.push(event)
      }
    }
    events = [...step, ...events]
    after = from
  }
  let dropped = 0
  while (kept > maxHistoryBytes && dropped < events.length) kept -= weigh(events[dropped++]!)
  return { after: dropped === 0 ? after : events[dropped - 1]!.seq, events: events.slice(dropped) }
})
