/** A session's pages from its start to where it is now: what every export walks. */
import type { EventLogService, LogUnavailable, Page, SessionId, SessionNotFound } from "@holdfast/core"
import { Effect, Option, Stream } from "effect"

/** What an export reads, and so about what it holds, at once: 256 KiB. */
const exportPage = { limit: 2_000, maxBytes: 256 * 1024 } as const

/** The pages up to the event that is last when the stream starts; later events are left out, so that it ends. */
export const sessionPages = (
  log: EventLogService,
  sessionId: SessionId
): Stream.Stream<Page, SessionNotFound | LogUnavailable> =>
  Stream.unwrap(
    Effect.map(log.head(sessionId), (head) =>
      Stream.paginate(0, (cursor: number) =>
        Effect.map(log.read(sessionId, cursor, exportPage), (page) => {
          const cut =
            page.answer === "gap" ? page : { ...page, events: page.events.filter((event) => event.seq <= head) }
          const more = page.cursor > cursor && page.cursor < head
          return [[cut], more ? Option.some(page.cursor) : Option.none()] as const
        })
      )
    )
  )
