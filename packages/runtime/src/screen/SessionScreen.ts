/**
 * The screen of a session's terminal at any seq: the nearest snapshot before it and the output since. It is computed when
 * somebody asks, in slices of 3 ms, and costs the session's owner nothing.
 */
import {
  type EventLogService,
  type GapReason,
  type LogUnavailable,
  type Page,
  SessionId,
  type SessionNotFound
} from "@holdfast/core"
import { Effect, Schema } from "effect"
import { ScreenPlayer } from "./ScreenPlayer.ts"
import type { ScreenModes } from "./TerminalScreen.ts"
import { nearestSnapshot, readSnapshot, showSnapshot, type TerminalSnapshot } from "./TerminalSnapshot.ts"
import { TerminalSteps } from "./TerminalSteps.ts"

/**
 * What is read at once: 1 MiB, which takes a few milliseconds to read and at most 40 to show. A replay holds six such
 * pages at most, however long the session.
 */
export const replayPage = { limit: 10_000, maxBytes: 1024 * 1024 } as const

/** A screen, and where in the session it is. */
export interface SessionScreen {
  readonly sessionId: SessionId
  /** It shows everything up to and including this event: go on after it. */
  readonly seq: number
  /** Bytes of terminal output before the next. */
  readonly offset: number
  readonly cols: number
  readonly rows: number
  /** Written to a fresh terminal of this size, it shows the same and goes on the same. It asks the terminal nothing. */
  readonly ansi: string
  /** First bytes of a character whose others are in the output that follows: 0 to 3, to be written before it. */
  readonly pending: Uint8Array
  /** The text of the screen, top to bottom, without trailing blanks. */
  readonly lines: ReadonlyArray<string>
  readonly modes: ScreenModes
  readonly title: string
  /** Damaged events that had to be left out on the way; empty unless the log is damaged. */
  readonly missing: ReadonlyArray<{ readonly from: number; readonly to: number; readonly reason: GapReason }>
}

/** The screen that was asked for cannot be had; `earliest` is the first seq whose screen can. */
export class ScreenUnavailable extends Schema.TaggedError<ScreenUnavailable>("@holdfast/runtime/ScreenUnavailable")(
  "ScreenUnavailable",
  {
    sessionId: SessionId,
    at: Schema.Number,
    earliest: Schema.Int,
    head: Schema.Int,
    reason: Schema.Literals([
      /** `at` is not the seq of an event of this session. */
      "out-of-range",
      /** The output before `earliest` gave way to a snapshot. */
      "compacted",
      /** The output gave way to a snapshot that only a newer version of Holdfast can show. */
      "newer-snapshot"
    ])
  }
) {
  override get message() {
    const wanted = `The screen of session ${this.sessionId} at seq ${this.at} cannot be had`
    const range = `ask for one from ${this.earliest} to ${this.head}`
    if (this.reason === "out-of-range") return `${wanted}, because there is no such event: ${range}`
    if (this.reason === "compacted") return `${wanted}, because older output was removed: ${range}`
    return `${wanted}, because a newer version of Holdfast removed its output: use that version`
  }
}

/** What a page's holes mean for a replay. */
type Onward =
  | { readonly kind: "on" }
  | { readonly kind: "from"; readonly snapshot: TerminalSnapshot }
  | { readonly kind: "gone"; readonly earliest: number; readonly reason: "compacted" | "newer-snapshot" }

/** Whether a replay that has come to `seq` can take a page on its way to `at`. */
const onward = (page: Page, seq: number, at: number): Onward => {
  if (page.answer !== "snapshot") return { kind: "on" }
  const ahead = page.covering.filter((record) => Number(record.data["through"]) > seq)
  const last = ahead.at(-1)
  if (last === undefined) return { kind: "on" }
  const snapshots = ahead.map(readSnapshot).filter((snapshot) => snapshot !== undefined)
  const usable = snapshots.findLast((snapshot) => snapshot.through <= at)
  if (usable !== undefined) return { kind: "from", snapshot: usable }
  const reason = snapshots.length === 0 ? "newer-snapshot" : "compacted"
  return { kind: "gone", earliest: Number(last.data["through"]), reason }
}

/** Plays a session's terminal up to an event on a player, and says where that is. */
const replay = Effect.fnUntraced(function* (
  log: EventLogService,
  sessionId: SessionId,
  at: number,
  head: number,
  player: ScreenPlayer
) {
  let steps = new TerminalSteps()
  let cursor = 0
  const missing: Array<{ readonly from: number; readonly to: number; readonly reason: GapReason }> = []
  const startFrom = Effect.fnUntraced(function* (snapshot: TerminalSnapshot) {
    player.replace(yield* Effect.promise((signal) => showSnapshot(snapshot, { signal })))
    steps = new TerminalSteps({ seq: snapshot.through, offset: snapshot.offset })
    cursor = snapshot.through
  })
  const nearest = yield* nearestSnapshot(log, sessionId, at)
  if (nearest !== undefined) yield* startFrom(nearest)
  while (cursor < at) {
    const page = yield* log.read(sessionId, cursor, replayPage)
    const next = onward(page, steps.place.seq, at)
    if (next.kind === "gone") {
      return yield* new ScreenUnavailable({ sessionId, at, earliest: next.earliest, head, reason: next.reason })
    }
    if (next.kind === "from") {
      yield* startFrom(next.snapshot)
      continue
    }
    if (page.answer === "gap") {
      missing.push({ from: page.from, to: Math.min(page.to, at), reason: page.reason })
      if (page.cursor <= cursor) break
    } else {
      const taken = steps.take(page.events.filter((event) => event.seq <= at))
      if (taken.length > 0) yield* Effect.promise((signal) => player.play(taken, signal))
    }
    cursor = page.cursor
  }
  yield* Effect.promise((signal) => player.settle(signal))
  return { offset: steps.place.offset, missing }
})

const screenOf = Effect.fnUntraced(function* (log: EventLogService, sessionId: SessionId, at: number | undefined) {
  const head = yield* log.head(sessionId)
  const seq = at ?? head
  if (!Number.isInteger(seq) || seq < 1 || seq > head) {
    return yield* new ScreenUnavailable({ sessionId, at: seq, earliest: 1, head, reason: "out-of-range" })
  }
  return yield* Effect.acquireUseRelease(
    Effect.sync(() => new ScreenPlayer()),
    (player) =>
      Effect.map(replay(log, sessionId, seq, head, player), ({ missing, offset }): SessionScreen => {
        const { cols, pending, rows, title } = player.screen
        const ansi = player.screen.ansi()
        const lines = player.screen.lines()
        const modes = player.screen.modes()
        return { sessionId, seq, offset, cols, rows, ansi, pending, lines, modes, title, missing }
      }),
    (player) => Effect.sync(() => player.dispose())
  )
})

/**
 * The screen at an event of a session, by default the last. Reads the snapshot before it and at most the output up to
 * it, a page at a time; the time is that of the output since the snapshot, about 20 ms for a mebibyte.
 */
export const screenAt: (
  log: EventLogService,
  sessionId: SessionId,
  at?: number
) => Effect.Effect<SessionScreen, ScreenUnavailable | SessionNotFound | LogUnavailable> = Effect.fn("screenAt")(
  (log: EventLogService, sessionId: SessionId, at?: number) =>
    screenOf(log, sessionId, at).pipe(
      Effect.retry({
        // What was the last event when it began gave way to a snapshot of newer output meanwhile: there is a newer last.
        while: (error) => at === undefined && error._tag === "ScreenUnavailable" && error.reason === "compacted",
        times: 10
      })
    )
)
