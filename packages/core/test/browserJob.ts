/** The job of the browser test: what a page does with a session, from the log to what it shows. Runs without Node. */
import {
  decide,
  defaultPolicy,
  draft,
  emptyState,
  emptyTimeline,
  type EventBody,
  type EventRecord,
  evolveTimelinePage,
  fold,
  groupTimeline,
  type ItemId,
  makeCommandId,
  makeMemory,
  makeSessionId,
  noCapabilities,
  sessionStatus,
  timelineEntries
} from "../src/index.ts"
import { Effect, Stream } from "effect"

const itemId = "i1" as ItemId

const told: ReadonlyArray<EventBody> = [
  { type: "backend.opened", data: { capabilities: { ...noCapabilities, prompts: true } } },
  { type: "item.started", data: { itemId, kind: "message", role: "agent" } },
  { type: "item.delta", data: { itemId, field: "text", text: "Hello, " } },
  { type: "item.delta", data: { itemId, field: "text", text: "browser" } },
  { type: "item.completed", data: { itemId, kind: "message", status: "completed", text: "Hello, browser" } }
]

/** Decides, stores, follows and folds a session; gives what a page would show. */
export const job = async () => {
  const log = makeMemory()
  const sessionId = makeSessionId()
  const decision = decide(
    emptyState(sessionId),
    {
      type: "session.create",
      data: { backend: "none", spec: {}, title: "In a browser" },
      sessionId,
      commandId: makeCommandId(),
      actor: "host",
      at: Date.now()
    },
    { policy: defaultPolicy, capabilities: noCapabilities }
  )
  if (!decision.accepted) throw decision.rejection
  let state = emptyState(sessionId)
  const records: Array<EventRecord> = []
  for (const body of [...decision.events, ...told]) {
    const drafted = draft(state, body, { at: Date.now() })
    state = drafted.state
    records.push(drafted.record)
  }
  return Effect.runPromise(
    Effect.gen(function* () {
      yield* log.append(sessionId, 0, records)
      const timeline = yield* log.follow(sessionId, 0).pipe(
        Stream.takeUntil((page) => page.answer === "caught-up"),
        Stream.runFold(emptyTimeline, (timeline, page) =>
          page.answer === "caught-up" ? timeline : evolveTimelinePage(timeline, page)
        )
      )
      const summary = yield* log.summary(sessionId)
      return {
        status: sessionStatus(fold(emptyState(sessionId), records)),
        title: summary.title,
        seq: timeline.seq,
        rows: groupTimeline(timelineEntries(timeline)).length,
        text: timelineEntries(timeline).flatMap((entry) => (entry.type === "message" ? [entry.text] : []))
      }
    })
  )
}
