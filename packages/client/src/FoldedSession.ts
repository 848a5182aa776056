/** A session folded in the client: state, summary and timeline with core's own code, from wherever it was joined. */
import {
  emptyTimeline,
  defaultMaxEntries,
  type EventRecord,
  evolve,
  evolveSummary,
  evolveTimeline,
  type Followed,
  type HistoryPage,
  type ScreenHead,
  type SessionState,
  type SessionSummary,
  type Timeline,
  weigh
} from "@holdfast/core"
import { clientError } from "./ClientError.ts"
import type { Begun } from "./Subscription.ts"

/** Events that are kept to fold the timeline anew when older ones are loaded: 20,000, and 64 MiB of them, about. */
const maxKept = 20_000
const maxKeptBytes = 64 * 1024 * 1024

/** What nobody looks at in a timeline: the screen has it. */
const isOutput = ({ type }: EventRecord): boolean => type === "terminal.output" || type === "terminal.snapshot"

/** A folded session. */
export class FoldedSession {
  state: SessionState | null = null
  summary: SessionSummary | null = null
  timeline: Timeline = emptyTimeline()
  #kept: Array<EventRecord> = []
  #keptBytes = 0
  /** Items that go on, of which pieces are kept. */
  readonly #pieces = new Set<string>()
  /** The timeline has every event after this seq. */
  #after = 0
  /** It was begun, and its history has not come yet. */
  #begunAt: number | undefined

  /** The seq after which everything is loaded, where older events can be loaded still. */
  get olderThan(): number | undefined {
    const room = this.#kept.length < maxKept && this.#keptBytes < maxKeptBytes
    return this.#after > 0 && room && this.#begunAt === undefined ? this.#after + 1 : undefined
  }

  /** Takes the server's state. Throws where it is none. */
  begin(begun: Begun, sessionId: string): void {
    const { cursor, state, summary } = begun
    if (typeof state !== "object" || state === null || state.seq !== cursor || state.sessionId !== sessionId) {
      throw clientError("internal", "the server began a subscription without the session's state")
    }
    this.state = state
    if (this.summary === null || summary.seq >= this.summary.seq) this.summary = summary
    this.#begunAt = cursor
  }

  /** Goes on where the timeline is, if the history reaches back to there, and begins it anew if not. */
  showHistory({ after, events }: HistoryPage): void {
    const cursor = this.#begunAt
    if (cursor === undefined) return
    this.#begunAt = undefined
    if (after > this.timeline.seq || this.timeline.seq > cursor || this.timeline.seq === 0) {
      this.timeline = emptyTimeline()
      this.#kept = []
      this.#keptBytes = 0
      this.#pieces.clear()
      this.#after = after
    }
    for (const record of events) this.#tell(record)
    this.#advance(cursor)
  }

  /** Says whether anything but output changed. */
  follow(page: Exclude<Followed, { readonly answer: "gap" }>): boolean {
    // A server that has no history to give begins with the first page.
    if (this.#begunAt !== undefined) this.showHistory({ after: this.#begunAt, events: [] })
    if (page.answer === "caught-up") return false
    let told = false
    for (const record of page.events) {
      if (this.state !== null && record.seq > this.state.seq) {
        if (record.type === "terminal.output") this.#outputAt(record.data["offset"])
        this.state = evolve(this.state, record)
      }
      if (this.summary !== null && record.seq > this.summary.seq) this.summary = evolveSummary(this.summary, record)
      told = this.#tell(record) || told
    }
    this.#advance(page.cursor)
    return told
  }

  /** A terminal's screen says how much output there was, whether it was given or not. */
  showScreen({ offset, seq }: ScreenHead): void {
    if (seq === this.state?.seq) this.#outputAt(offset)
  }

  /** Puts older events before those that are there. */
  prepend(after: number, events: ReadonlyArray<EventRecord>): void {
    const older = events.filter((record) => record.seq <= this.#after && !isOutput(record))
    this.#after = after
    this.#kept = [...older, ...this.#kept]
    for (const record of older) this.#keptBytes += weigh(record)
    const { maxEntries, seq } = this.timeline
    let timeline = emptyTimeline({
      maxEntries: Math.min(maxKept, Math.max(defaultMaxEntries, maxEntries) + older.length)
    })
    for (const record of this.#kept) timeline = evolveTimeline(timeline, record)
    this.timeline = { ...timeline, seq }
  }

  #tell(record: EventRecord): boolean {
    if (isOutput(record) || record.seq <= this.timeline.seq) return false
    this.timeline = evolveTimeline(this.timeline, record)
    this.#keep(record)
    return true
  }

  #keep(record: EventRecord): void {
    const itemId = String(record.data["itemId"])
    if (record.type === "item.delta") this.#pieces.add(itemId)
    else if (record.type === "item.completed" && this.#pieces.delete(itemId) && record.data["partial"] !== true) {
      this.#dropPieces(itemId)
    }
    this.#kept.push(record)
    this.#keptBytes += weigh(record)
    if (this.#kept.length <= maxKept && this.#keptBytes <= maxKeptBytes) return
    // A part at once, so that it is not done for each event. What is shown stays, and can be loaded again.
    const given = this.#kept.splice(0, Math.ceil(this.#kept.length / 8))
    for (const one of given) this.#keptBytes -= weigh(one)
    this.#after = given.at(-1)!.seq
  }

  /** An item that has ended repeats what its pieces said: the timeline without them is the same. */
  #dropPieces(itemId: string): void {
    this.#kept = this.#kept.filter((one) => {
      if (one.type !== "item.delta" || one.data["itemId"] !== itemId) return true
      this.#keptBytes -= weigh(one)
      return false
    })
  }

  #advance(cursor: number): void {
    if (cursor > this.timeline.seq) this.timeline = { ...this.timeline, seq: cursor }
    // What was left out on the way is output, or pieces of items that ended: nothing that the state holds.
    if (this.state !== null && cursor > this.state.seq) this.state = { ...this.state, seq: cursor }
  }

  #outputAt(offset: unknown): void {
    const state = this.state
    if (state?.terminal == null || typeof offset !== "number" || state.terminal.offset === offset) return
    this.state = { ...state, terminal: { ...state.terminal, offset } }
  }
}
