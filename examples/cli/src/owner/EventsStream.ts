/** The events of a session for somebody who reads along, at their own pace. */
import type { Followed, LogUnavailable, SessionId, SessionNotFound } from "@holdfast/core"
import type { SessionReader } from "@holdfast/runtime"
import * as Stream from "effect/Stream"
import type { EventsItem } from "./OwnerApi.ts"

/** Begins with the first event after a cursor. */
export const eventsAfter = (
  reader: Pick<SessionReader, "follow">,
  sessionId: SessionId,
  after: number
): Stream.Stream<EventsItem, SessionNotFound | LogUnavailable> => Stream.map(reader.follow(sessionId, after), itemOf)

const itemOf = (page: Followed): EventsItem => {
  switch (page.answer) {
    case "caught-up":
      return { kind: "caught-up" }
    case "gap":
      return { kind: "gap", detail: page.detail }
    case "snapshot":
      return { kind: "events", events: [...page.covering.filter((one) => one.seq > page.cursor), ...page.events] }
    case "exact":
      return { kind: "events", events: page.events }
  }
}
