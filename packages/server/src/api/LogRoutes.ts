/** What the endpoints of {@link LogApi} do. */
import { encodeRecord, EventLog, type EventRecord, type Page, problem, type SessionSummary } from "@holdfast/core"
import { asciicastOf, Holdfast, jsonlOf, transcriptOf } from "@holdfast/runtime"
import { Effect, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { SessionAccess } from "../access/SessionAccess.ts"
import type { EventStreams } from "../live/EventStream.ts"
import { jsonText } from "./Answers.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { readBefore } from "./EventsBefore.ts"
import { HoldfastApi } from "./HoldfastApi.ts"
import { Refused } from "./Problems.ts"
import { makeTimelineReader } from "./TimelineAt.ts"

const list = (records: ReadonlyArray<EventRecord>) => `[${records.map(encodeRecord).join(",")}]`

/** A page in JSON. Each record is encoded once, however many readers it goes to. */
const pageText = (page: Page): string => {
  if (page.answer === "gap") return JSON.stringify(page)
  const { covering, events, ...rest } = page.answer === "snapshot" ? page : { ...page, covering: undefined }
  const head = JSON.stringify(rest).slice(0, -1)
  return `${head}${covering === undefined ? "" : `,"covering":${list(covering)}`},"events":${list(events)}}`
}

const exports = {
  cast: { contentType: "application/x-asciicast", write: asciicastOf },
  jsonl: { contentType: "application/jsonl", write: jsonlOf },
  txt: { contentType: "text/plain; charset=utf-8", write: transcriptOf }
} as const

/** A name for the file that is downloaded: letters, digits and dashes of the title, and when it began. */
const fileName = ({ createdAt, sessionId, title }: SessionSummary, format: string): string => {
  const words = title
    .normalize("NFKD")
    .replaceAll(/[^\w]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 60)
  const day = new Date(createdAt).toISOString().slice(0, 10)
  return `${words === "" ? sessionId : words}-${day}.${format}`
}

/** Where a stream begins: a browser that comes back says what it had last. */
const beginning = (after: number | undefined, lastEventId: string | undefined): Effect.Effect<number, Refused> => {
  if (lastEventId === undefined || lastEventId === "") return Effect.succeed(after ?? 0)
  const seq = /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : undefined
  return seq === undefined
    ? Effect.fail(
        new Refused({
          problem: problem("invalid", "Last-Event-ID is the id of an event of this stream", { field: "last-event-id" })
        })
      )
    : Effect.succeed(seq)
}

export const logRoutes = (streams: Pick<EventStreams, "open">) =>
  HttpApiBuilder.group(
    HoldfastApi,
    "log",
    Effect.fnUntraced(function* (handlers) {
      const access = yield* SessionAccess
      const holdfast = yield* Holdfast
      const log = yield* EventLog
      const timelines = makeTimelineReader(log)
      const allow = (sessionId: SessionSummary["sessionId"]) =>
        Effect.flatMap(CurrentCaller, (caller) => access.allow(caller, sessionId, "viewer"))
      return handlers.handleAll({
        events: Effect.fnUntraced(function* ({ params: { sessionId }, query: { after, before, limit } }) {
          yield* allow(sessionId)
          const bound = limit === undefined ? {} : { limit }
          const page =
            before === undefined ? log.read(sessionId, after ?? 0, bound) : readBefore(log, sessionId, before, limit)
          return jsonText(pageText(yield* page))
        }),
        stream: Effect.fnUntraced(function* ({ headers, params: { sessionId }, query }) {
          const after = yield* beginning(query.after, headers["last-event-id"])
          return yield* streams.open(yield* CurrentCaller, sessionId, after)
        }),
        timeline: Effect.fnUntraced(function* ({ params: { sessionId }, query }) {
          yield* allow(sessionId)
          return jsonText(JSON.stringify(yield* timelines.at(sessionId, query.at, query.limit ?? 200)))
        }),
        screen: Effect.fnUntraced(function* ({ params: { sessionId }, query }) {
          yield* allow(sessionId)
          const { ansi, cols, lines, offset, rows, seq, title } = yield* holdfast.screen(sessionId, query.at)
          return { seq, offset, cols, rows, title: title === "" ? null : title, ansi, lines }
        }),
        export: Effect.fnUntraced(function* ({ params: { sessionId }, query: { format } }) {
          const summary = yield* allow(sessionId)
          const { contentType, write } = exports[format]
          return HttpServerResponse.stream(Stream.encodeText(write(log, sessionId)), {
            contentType,
            headers: { "content-disposition": `attachment; filename="${fileName(summary, format)}"` }
          })
        })
      })
    })
  )
