/** A session's log: its events, and what is folded from them at any of them. */
import { EventsAnswer, ScreenAnswer, TimelineAnswer } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { ofSession, says } from "./Parameters.ts"

const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const cursor = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const at = Schema.optionalKey(
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({
    description: "After this event; the last unless given."
  })
)

const streamed = (contentType: string) => HttpApiSchema.StreamUint8Array({ contentType })

/** Logs. */
export class LogApi extends HttpApiGroup.make("log")
  .add(
    HttpApiEndpoint.get("events", "/sessions/:sessionId/events", {
      params: ofSession,
      query: {
        after: Schema.optionalKey(
          cursor.annotate({ description: "Events after this seq; 0, from the start, unless given." })
        ),
        before: Schema.optionalKey(
          Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({
            description: "The last `limit` events before this seq instead, oldest first: for scrolling back."
          })
        ),
        limit: Schema.optionalKey(whole(1, 10_000).annotate({ description: "1 to 10,000, 512 unless given." }))
      },
      success: EventsAnswer.annotate({ identifier: "EventPage" })
    }).annotateMerge(
      says(
        "Read events",
        "One page, of about 256 KiB at most. `exact`: every event after your cursor. `snapshot`: some were compacted; `covering` " +
          "stand for them. `gap`: some cannot be had, and why. Go on with `after=cursor` until `cursor` is `head`. Payloads are base64."
      )
    ),
    HttpApiEndpoint.get("stream", "/sessions/:sessionId/events/stream", {
      params: ofSession,
      query: {
        after: Schema.optionalKey(cursor.annotate({ description: "Events after this seq; 0 unless given." })),
        ticket: Schema.optionalKey(
          Schema.String.annotate({ description: "Of `POST /auth/tickets`, for who cannot set headers." })
        )
      },
      headers: {
        "last-event-id": Schema.optionalKey(
          Schema.String.annotate({ description: "What a browser sends when it comes back: counts before `after`." })
        )
      },
      success: streamed("text/event-stream")
    }).annotateMerge(
      says(
        "Follow events",
        "As server-sent events: each with its seq as `id` and the JSON of a page's event as `data`; `snapshot`, `gap`, " +
          "`caught-up` and `end` are named. For clients without WebSockets."
      )
    ),
    HttpApiEndpoint.get("timeline", "/sessions/:sessionId/timeline", {
      params: ofSession,
      query: {
        at,
        limit: Schema.optionalKey(
          whole(1, 2_000).annotate({ description: "The newest entries: 1 to 2,000, 200 unless given." })
        )
      },
      success: TimelineAnswer.annotate({ identifier: "Timeline" })
    }).annotateMerge(
      says(
        "Look at the timeline",
        "What had happened by any event, as people read it. Parts of entries are cut at 16,384 characters, the whole at about 4 MiB."
      )
    ),
    HttpApiEndpoint.get("screen", "/sessions/:sessionId/screen", {
      params: ofSession,
      query: { at },
      success: ScreenAnswer.annotate({ identifier: "Screen" })
    }).annotateMerge(says("Look at the screen", "What the terminal showed at any event.")),
    HttpApiEndpoint.get("export", "/sessions/:sessionId/export", {
      params: ofSession,
      query: {
        format: Schema.Literals(["cast", "jsonl", "txt"]).annotate({
          description:
            "An asciicast (version 2) of the terminal, every event as a line of JSON, or the terminal's text."
        })
      },
      success: streamed("application/octet-stream")
    }).annotateMerge(
      says("Export", "Streamed. `application/x-asciicast`, `application/jsonl` or `text/plain`, as an attachment.")
    )
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Log", description: "Events, and what is folded from them." })) {}
