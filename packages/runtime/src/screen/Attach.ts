/**
 * Joining a running terminal: its screen, then its output from exactly the next byte. The output is read from the log at
 * the reader's own pace, so a reader that stalls loses nothing and slows nobody.
 */
import type { EventLogService, Followed, GapReason, LogUnavailable, SessionId, SessionNotFound } from "@holdfast/core"
import { type Array as Arr, Effect, Stream } from "effect"
import { type ScreenUnavailable, screenAt, type SessionScreen } from "./SessionScreen.ts"
import { type TerminalStep, TerminalSteps } from "./TerminalSteps.ts"
import { incompleteUtf8 } from "./Utf8Boundary.ts"

/** What happens on a terminal that somebody joined. */
export type AttachItem =
  | TerminalStep
  /** Output was removed before it was read: go on from this screen instead. Begin with {@link startAfresh}. */
  | { readonly kind: "resync"; readonly seq: number; readonly screen: SessionScreen }
  /** Events cannot be had, and why; what follows goes on behind them. After `removed` nothing follows. */
  | { readonly kind: "gap"; readonly seq: number; readonly from: number; readonly reason: GapReason }

/** A terminal that somebody joined. */
export interface Attached {
  readonly screen: SessionScreen
  /**
   * From exactly the next byte, for ever. Output never ends within a character, because xterm loses characters that it
   * is given in two parts; bytes that begin one are held back until its others come.
   */
  readonly output: Stream.Stream<AttachItem, ScreenUnavailable | SessionNotFound | LogUnavailable>
}

/**
 * Makes any terminal a fresh one, whatever it was in the middle of: to be written to a terminal in use before a screen's
 * `ansi`, and where a new program starts.
 */
export const startAfresh = "\x18\x1bc\x1b[?25h\x1b[?12l\x1b[20l\x1b]2;\x1b\\"

/** Most output of one item: what a screen is fed at once. */
const maxItemBytes = 64 * 1024

/** What a follower reads at once: as much as an item, so that the first is there soon. */
const followPage = { limit: 1024, maxBytes: maxItemBytes } as const

/** Joins neighbouring output to larger items that end with whole characters. */
class OutputJoiner {
  #held: Uint8Array

  constructor(held: Uint8Array) {
    this.#held = held
  }

  join(steps: ReadonlyArray<TerminalStep>): Array<AttachItem> {
    const items: Array<AttachItem> = []
    let parts: Array<Uint8Array> = []
    let length = 0
    let end = { seq: 0, offset: 0 }
    const flush = (): void => {
      if (length === 0) return
      const all = new Uint8Array(length)
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.length
      }
      const whole = length - incompleteUtf8(all)
      this.#held = all.slice(whole)
      const offset = end.offset - length
      if (whole > 0) items.push({ kind: "output", seq: end.seq, offset, bytes: all.subarray(0, whole) })
      parts = []
      length = 0
    }
    for (const step of steps) {
      if (step.kind !== "output") {
        flush()
        if (step.kind === "started") this.#held = this.#held.slice(0, 0)
        items.push(step)
        continue
      }
      if (length + step.bytes.length > maxItemBytes) flush()
      if (length === 0 && this.#held.length > 0) {
        parts.push(this.#held)
        length = this.#held.length
      }
      parts.push(step.bytes)
      length += step.bytes.length
      end = { seq: step.seq, offset: step.offset + step.bytes.length }
    }
    flush()
    return items
  }
}

const followFrom = (
  log: EventLogService,
  screen: SessionScreen
): Stream.Stream<AttachItem, ScreenUnavailable | SessionNotFound | LogUnavailable> =>
  Stream.suspend(() => {
    const steps = new TerminalSteps({ seq: screen.seq, offset: screen.offset })
    const joiner = new OutputJoiner(screen.pending)
    let fell = false
    const itemsOf = (page: Followed): Array<AttachItem> => {
      if (page.answer === "caught-up") return []
      if (page.answer === "gap") {
        steps.skipTo(page.to)
        return [{ kind: "gap", seq: page.to, from: page.from, reason: page.reason }]
      }
      const { seq } = steps.place
      if (page.answer === "snapshot" && page.covering.some((record) => Number(record.data["through"]) > seq)) {
        fell = true
        return []
      }
      return joiner.join(steps.take(page.events))
    }
    const items = log.follow(screen.sessionId, screen.seq, followPage).pipe(
      Stream.map(itemsOf),
      Stream.takeUntil(() => fell),
      Stream.filter((batch): batch is Arr.NonEmptyArray<AttachItem> => batch.length > 0)
    )
    return Stream.concat(
      Stream.flattenArray(items),
      Stream.suspend(() => (fell ? resync(log, screen.sessionId) : Stream.empty))
    )
  })

const resync = (
  log: EventLogService,
  sessionId: SessionId
): Stream.Stream<AttachItem, ScreenUnavailable | SessionNotFound | LogUnavailable> =>
  Stream.unwrap(
    Effect.map(screenAt(log, sessionId), (screen) =>
      Stream.concat(Stream.succeed<AttachItem>({ kind: "resync", seq: screen.seq, screen }), followFrom(log, screen))
    )
  )

/** Joins a session's terminal: the screen as it is, and a stream that goes on with the next byte. */
export const attach = Effect.fn("attach")(function* (log: EventLogService, sessionId: SessionId) {
  const screen = yield* screenAt(log, sessionId)
  return { screen, output: followFrom(log, screen) } satisfies Attached as Attached
})
