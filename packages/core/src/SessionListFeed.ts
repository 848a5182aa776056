/**
 * How every log serves `followSessions`: a list that need not be polled. A follower keeps the ids of sessions that
 * changed since it last looked, each once, and takes their newest summaries when it comes back.
 */
import { Clock, Effect, Stream } from "effect"
import type { LogUnavailable, SessionListItem, SessionNotFound, SessionPage, SessionQuery } from "./EventLog.ts"
import type { SessionId } from "./Ids.ts"
import { emptySummary, type SessionSummary } from "./SessionSummary.ts"

/**
 * Changed sessions that a follower of the list keeps while it is busy: 1,024, about 50 KB. Past it they are forgotten,
 * and it is given the list again instead.
 */
export const maxDirtySessions = 1024

/** Summaries of one item of the list's feed. */
const itemSessions = 100

/** Milliseconds between two tellings of mere activity (times, output bytes): a flooding terminal is not news. */
export const activityMs = 1000

/** Everything in a summary but what only tells that there was activity. */
const shownFields = Object.keys(emptySummary("" as SessionId)).filter(
  (field) => field !== "seq" && field !== "updatedAt" && field !== "outputBytes"
) as ReadonlyArray<keyof SessionSummary>

/** Whether a list shows a difference: anything but the counters of mere activity. */
export const showsChange = (before: SessionSummary, after: SessionSummary): boolean => {
  for (const field of shownFields) if (after[field] !== before[field]) return true
  return false
}

/** The text that a search looks in: title, working directory and id, in lower case. */
export const searchText = (summary: SessionSummary): string =>
  `${summary.title}\n${summary.workspace ?? ""}\n${summary.sessionId}`.toLowerCase()

const hasLabels = (summary: SessionSummary, labels: NonNullable<SessionQuery["labels"]>): boolean =>
  Object.entries(labels).every(
    ([name, value]) => (Object.hasOwn(summary.labels, name) ? summary.labels[name] : null) === value
  )

/** Whether a session is what a query asks for. */
export const matchesQuery = (summary: SessionSummary, query: SessionQuery): boolean =>
  (query.archived === undefined || summary.archived === query.archived) &&
  (query.backend === undefined || summary.backend === query.backend) &&
  (query.status === undefined || query.status.includes(summary.status)) &&
  (query.search === undefined || searchText(summary).includes(query.search.toLowerCase())) &&
  (query.labels === undefined || hasLabels(summary, query.labels))

/** The live side of a log's list of sessions. */
export interface SessionListFeed {
  readonly isFollowed: () => boolean
  /** Tells that a session has a new summary; `shown` says that a list shows the difference. */
  readonly changed: (sessionId: SessionId, shown: boolean) => void
  /** Tells that more may have changed than can be named: followers get the whole list again. */
  readonly changedAll: () => void
  /** Ends every follower with an error. */
  readonly fail: (error: LogUnavailable) => void
  /** Answers {@link EventLogService.followSessions}. */
  readonly follow: (query?: SessionQuery) => Stream.Stream<SessionListItem, LogUnavailable>
}

/** What one follower has not looked at yet. */
interface Follower {
  readonly shown: Set<SessionId>
  readonly quiet: Set<SessionId>
  everything: boolean
  wake: (() => void) | undefined
}

/** Makes the feed over a store's `sessions` and `summary`. */
export const makeSessionListFeed = (store: {
  readonly sessions: (query: SessionQuery) => Effect.Effect<SessionPage, LogUnavailable>
  readonly summary: (sessionId: SessionId) => Effect.Effect<SessionSummary, SessionNotFound | LogUnavailable>
}): SessionListFeed => {
  const followers = new Set<Follower>()
  let failure: LogUnavailable | undefined

  const wake = (follower: Follower) => {
    const resume = follower.wake
    follower.wake = undefined
    resume?.()
  }

  const relist = (follower: Follower) => {
    follower.everything = true
    follower.shown.clear()
    follower.quiet.clear()
    wake(follower)
  }

  const changed: SessionListFeed["changed"] = (sessionId, shown) => {
    for (const follower of followers) {
      if (follower.everything || follower.shown.has(sessionId)) continue
      if (shown) {
        follower.quiet.delete(sessionId)
        follower.shown.add(sessionId)
        if (follower.shown.size > maxDirtySessions) relist(follower)
        else wake(follower)
      } else if (follower.quiet.size < maxDirtySessions && !follower.quiet.has(sessionId)) {
        // The first one has to start the clock of a follower that waits.
        follower.quiet.add(sessionId)
        if (follower.quiet.size === 1) wake(follower)
      }
    }
  }

  const pullFor = (follower: Follower, query: SessionQuery) => {
    /** What it was shown and not told to drop: as many ids as its list is long. */
    const listed = new Set<SessionId>()
    const { cursor: _cursor, limit: _limit, ...conditions } = query
    let page: { readonly cursor?: string; readonly unseen: Set<SessionId> } | undefined
    let activityAt = 0

    const nextPage = Effect.fnUntraced(function* ({ cursor, unseen }: NonNullable<typeof page>) {
      const asked = { ...conditions, limit: itemSessions, ...(cursor === undefined ? {} : { cursor }) }
      const { next, sessions } = yield* store.sessions(asked)
      for (const { sessionId } of sessions) {
        listed.add(sessionId)
        unseen.delete(sessionId)
      }
      const items: Array<SessionListItem> = sessions.length === 0 ? [] : [{ kind: "changed", sessions }]
      page = next === undefined ? undefined : { cursor: next, unseen }
      if (page === undefined) {
        if (unseen.size > 0) items.push({ kind: "gone", sessionIds: [...unseen] })
        for (const sessionId of unseen) listed.delete(sessionId)
        items.push({ kind: "caught-up" })
      }
      return items
    })

    const look = Effect.fnUntraced(function* (dirty: Set<SessionId>) {
      const sessions: Array<SessionSummary> = []
      const sessionIds: Array<SessionId> = []
      for (const sessionId of [...dirty].slice(0, itemSessions)) {
        dirty.delete(sessionId)
        const summary = yield* Effect.catchTag(store.summary(sessionId), "SessionNotFound", () => Effect.undefined)
        if (summary !== undefined && matchesQuery(summary, conditions)) {
          listed.add(sessionId)
          sessions.push(summary)
        } else if (listed.delete(sessionId)) sessionIds.push(sessionId)
      }
      const items: Array<SessionListItem> = []
      if (sessions.length > 0) items.push({ kind: "changed", sessions })
      if (sessionIds.length > 0) items.push({ kind: "gone", sessionIds })
      return items
    })

    const wait = Effect.callback<void>((resume) => {
      follower.wake = () => resume(Effect.void)
      return Effect.sync(() => (follower.wake = undefined))
    })

    const step = Effect.gen(function* () {
      if (failure !== undefined) return yield* failure
      if (follower.everything) {
        follower.everything = false
        page = { unseen: new Set(listed) }
      }
      if (page !== undefined) return yield* nextPage(page)
      if (follower.shown.size > 0) return yield* look(follower.shown)
      if (follower.quiet.size > 0) {
        const now = yield* Clock.currentTimeMillis
        if (now - activityAt >= activityMs || now < activityAt) {
          const items = yield* look(follower.quiet)
          if (follower.quiet.size === 0) activityAt = now
          return items
        }
        yield* Effect.timeoutOption(wait, activityAt + activityMs - now)
      } else yield* wait
      return []
    })

    return Effect.gen(function* () {
      let items = yield* step
      while (items.length === 0) items = yield* step
      return items as [SessionListItem, ...Array<SessionListItem>]
    })
  }

  return {
    isFollowed: () => followers.size > 0,
    changed,
    changedAll: () => followers.forEach(relist),
    fail: (error) => {
      failure = error
      followers.forEach(wake)
    },
    follow: (query = {}) =>
      Stream.unwrap(
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => {
              const follower: Follower = { shown: new Set(), quiet: new Set(), everything: true, wake: undefined }
              followers.add(follower)
              return follower
            }),
            (follower) => Effect.sync(() => followers.delete(follower))
          ),
          (follower) => Stream.fromPull(Effect.succeed(pullFor(follower, query)))
        )
      )
  }
}
