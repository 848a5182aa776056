/** A session at a point of its past: folded by the server, shown as the present is. */
import type { ClientSession, ViewState } from "@holdfast/client"
import { emptyTimeline, type ScreenAnswer, type Timeline, type TimelineAnswer } from "@holdfast/core"
import { useEffect, useState } from "react"

/** Milliseconds that the slider rests before the server is asked. */
const restMs = 80

/** What was there. */
export interface Past {
  readonly at: number
  readonly timeline: Timeline
  /** Null where the session has no terminal. */
  readonly screen: ScreenAnswer | null
}

const timelineOf = ({ entries, files, seq, total, usage }: TimelineAnswer): Timeline => ({
  ...emptyTimeline({ maxEntries: Math.max(1, entries.length) }),
  seq,
  total,
  usage,
  files,
  chunks: [entries],
  first: total - entries.length
})

/**
 * The past at an event; the one before as long as it is being fetched, undefined as long as there is none. `null` asks for
 * nothing.
 */
export const usePast = (
  session: ClientSession,
  at: number | null,
  hasTerminal: boolean,
  onProblem: (error: unknown) => void
): Past | undefined => {
  const [past, setPast] = useState<Past>()
  useEffect(() => {
    if (at === null) {
      setPast(undefined)
      return
    }
    const left = new AbortController()
    const { signal } = left
    const fetchPast = async () => {
      try {
        const [timeline, screen] = await Promise.all([
          session.timelineAt(at, { signal, limit: 1_000 }),
          hasTerminal ? session.screen(at, { signal }) : null
        ])
        if (!signal.aborted) setPast({ at, timeline: timelineOf(timeline), screen })
      } catch (error) {
        if (!signal.aborted) onProblem(error)
      }
    }
    const timer = setTimeout(() => void fetchPast(), restMs)
    return () => {
      clearTimeout(timer)
      left.abort()
    }
  }, [at, hasTerminal, onProblem, session])
  return past
}

/** The view as it was, for who shows views. */
export const viewOfPast = (view: ViewState, past: Past): ViewState => ({
  ...view,
  timeline: past.timeline,
  hasOlder: false
})
