/** Opens a {@link SessionView}: a member of a session's channel that folds what it is given. */
import { EventsAnswer, maxHistoryEvents, type Present, type SessionId } from "@holdfast/core"
import { FoldedSession } from "./FoldedSession.ts"
import type { HttpCaller } from "./HttpCaller.ts"
import { makeLive } from "./LiveValue.ts"
import type { SessionChannel } from "./SessionChannel.ts"
import type { SessionView, ViewOptions, ViewState } from "./SessionView.ts"

/** Events of history that a view begins with. */
const defaultHistory = 500

/** Events that are loaded at once, and how many pages of nothing but output are passed over at most. */
const olderEvents = 500
const maxOutputPages = 20

/** How often a view tells that there was output, which is nothing that it shows but some counters: four times a second. */
const outputMs = 250

/** What a view is made of. */
export interface ViewParts {
  readonly sessionId: SessionId
  readonly channel: SessionChannel
  readonly http: HttpCaller
  readonly watchPresent: (listener: (present: ReadonlyArray<Present>) => void) => () => void
  readonly onError: (error: unknown) => void
}

/** Opens a view. */
export const openView = (parts: ViewParts, { history = defaultHistory }: ViewOptions = {}): SessionView => {
  const { channel, http, onError, sessionId } = parts
  const folded = new FoldedSession()
  let phase: ViewState["phase"] = "opening"
  let present: ReadonlyArray<Present> = []
  let problem: string | null = null
  /** Why events are missing: it stays true. */
  let loss: string | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let loading: Promise<void> | undefined
  const closed = new AbortController()

  const look = (): ViewState => {
    const { state, summary } = folded
    const timeline =
      state === null || folded.timeline.usage === state.usage
        ? folded.timeline
        : (folded.timeline = { ...folded.timeline, usage: state.usage })
    return { phase, state, summary, timeline, present, hasOlder: folded.olderThan !== undefined, problem }
  }
  const value = makeLive<ViewState>(look(), onError)

  const show = () => {
    clearTimeout(timer)
    timer = undefined
    value.set(look())
  }
  const showSoon = () => {
    value.setQuietly(look())
    timer ??= setTimeout(show, outputMs)
  }
  const live = () => {
    phase = "live"
    problem = loss
  }

  const leave = channel.join({
    history: Math.max(0, Math.min(maxHistoryEvents, Math.floor(history))),
    begin: (begun) => folded.begin(begun, sessionId),
    showHistory: (page) => {
      folded.showHistory(page)
      live()
      show()
    },
    showScreen: (screen) => folded.showScreen(screen),
    follow: (page) => {
      const told = folded.follow(page)
      if (told || phase !== "live") {
        live()
        show()
      } else if (page.answer !== "caught-up") showSoon()
    },
    interrupted: (why, lost) => {
      phase = "opening"
      problem = why.detail
      if (lost) loss = why.detail
      show()
    },
    gone: (why) => {
      phase = "gone"
      problem = why.detail
      show()
    },
    closed: () => {
      show()
      value.end()
    }
  })
  const unwatch = parts.watchPresent((newer) => {
    present = newer
    show()
  })

  const load = async () => {
    for (let page = 0; page < maxOutputPages; page++) {
      const before = folded.olderThan
      if (before === undefined) return
      const entries = folded.timeline.total
      const answer = await http.json(EventsAnswer, {
        method: "GET",
        path: `/sessions/${sessionId}/events`,
        query: { before, limit: olderEvents },
        signal: closed.signal
      })
      // Begun anew meanwhile: what was loaded is not what comes before.
      if (folded.olderThan !== before) return
      const events = answer.answer === "gap" ? [] : answer.events
      // The oldest of what was asked for may not have fitted, or were compacted: what is before the first is asked for next.
      const first = events[0]?.seq ?? Math.max(1, before - olderEvents)
      folded.prepend(first - 1, events)
      show()
      if (folded.timeline.total > entries) return
    }
  }

  return Object.assign(value.live, {
    loadOlder: () => {
      loading ??= load().finally(() => (loading = undefined))
      return loading
    },
    close: () => {
      closed.abort()
      leave()
      unwatch()
      clearTimeout(timer)
      value.end()
    }
  })
}
