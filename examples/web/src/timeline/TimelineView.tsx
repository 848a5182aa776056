/** What happened in a session, newest at the end: rows that are there only while they are in sight. */
import { groupTimeline, timelineEntries, type TimelineRow } from "@holdfast/core"
import { useVirtualizer } from "@tanstack/react-virtual"
import { ArrowDown, ArrowUp, LoaderCircle } from "lucide-react"
import { useCallback, useEffect, useMemo, useRef, useState } from "react"
import { Announcer } from "./Announcer.tsx"
import { arrange } from "./Arrangement.ts"
import type { TimelineViewProps } from "./props.ts"
import { keyOf, Row } from "./Row.tsx"
import { nameOf, problemText, SessionContext, type SessionScope, useNewScope } from "./SessionScope.ts"
import { useStickToEnd } from "./useStickToEnd.ts"
import "./timeline.css"

/** Rows beyond the edges that are drawn: about a screen of short ones. */
const overscan = 10

/** Pixels from the beginning at which older entries are fetched: before the reader is there. */
const fetchAhead = 800

/** Pixels above the first row, where it is said what comes before. */
const headHeight = 48

/** About how high a row is before it is measured, in pixels. */
const estimate = (row: TimelineRow): number => {
  if (row.row === "tools") return 40
  switch (row.entry.type) {
    case "message":
      return 60 + Math.min(1_200, row.entry.text.length / 4)
    case "prompt":
      return 84
    case "permission":
    case "question":
      return row.entry.by === null ? 180 : 36
    case "plan":
      return 56 + 26 * row.entry.entries.length
    default:
      return 40
  }
}

/** What a row is, for who goes from one to the next. */
const labelOf = (row: TimelineRow, scope: SessionScope): string => {
  if (row.row === "tools") return `${row.count} tool calls`
  const { entry } = row
  switch (entry.type) {
    case "prompt":
      return `Prompt by ${nameOf(scope, entry.author)}`
    case "message":
      return entry.role === "agent" ? "Agent" : `Message by ${nameOf(scope, entry.author)}`
    case "reasoning":
      return "Reasoning"
    case "tool":
      return `Tool call: ${entry.title ?? entry.name}`
    case "turn":
      return "Turn"
    case "sandbox":
      return "Sandbox"
    default:
      return entry.type
  }
}

const Head = ({ hasOlder, isLoading, onLoad, problem, total }: HeadProps) => {
  if (problem !== null) {
    return (
      <>
        <span className="tl-bad">{problem}</span>
        <button type="button" className="tl-small" onClick={onLoad}>
          Try again
        </button>
      </>
    )
  }
  if (isLoading) {
    return (
      <>
        <LoaderCircle className="tl-icon spin" aria-hidden="true" /> Loading what came before…
      </>
    )
  }
  if (hasOlder) {
    return (
      <button type="button" className="tl-small" onClick={onLoad}>
        Show what came before
      </button>
    )
  }
  return total > 0 ? <>The beginning</> : null
}

interface HeadProps {
  readonly hasOlder: boolean
  readonly isLoading: boolean
  readonly problem: string | null
  readonly total: number
  readonly onLoad: () => void
}

const Scroll = ({ loadOlder, readOnly = false, session, view, you }: TimelineViewProps) => {
  const { timeline } = view
  const scroller = useRef<HTMLDivElement>(null)
  const scope = useNewScope(session, view, you, readOnly)
  const entries = timelineEntries(timeline)
  const rows = useMemo(() => groupTimeline(arrange(entries)), [entries])
  const asked = useMemo(() => rows.findIndex(isOpenRequest), [rows])

  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimate(rows[index]!),
    getItemKey: useCallback((index: number) => keyOf(rows[index]!), [rows]),
    overscan,
    paddingStart: headHeight,
    paddingEnd: 20,
    // What is in sight stays where it is when older rows come in above it.
    anchorTo: "end"
  })
  const size = virtualizer.getTotalSize()
  const { isAtEnd, toEnd } = useStickToEnd(scroller, size)

  const { range } = virtualizer
  const askedFrom =
    asked === -1 || range === null ? null : asked < range.startIndex ? "above" : asked > range.endIndex ? "below" : null

  const [isLoading, setLoading] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const loads = useRef(false)
  const hasOlder = view.hasOlder && loadOlder !== undefined
  const load = useCallback(() => {
    if (loads.current || loadOlder === undefined) return
    loads.current = true
    setLoading(true)
    setProblem(null)
    loadOlder()
      .catch((error: unknown) => setProblem(problemText(error)))
      .finally(() => {
        loads.current = false
        setLoading(false)
      })
  }, [loadOlder])
  // Before the list has come to its end for the first time it is at its start, and nobody looks at that.
  const isShort = size < (virtualizer.scrollRect?.height ?? 0) + fetchAhead
  const isNearStart = rows.length > 0 && (isShort || (!isAtEnd && (virtualizer.scrollOffset ?? 0) < fetchAhead))
  // A page's events may have been pieces of what is shown already: then the next page is fetched at once.
  useEffect(() => {
    if (isNearStart && hasOlder && problem === null && view.phase === "live" && !isLoading) load()
  }, [isNearStart, hasOlder, problem, view.phase, isLoading, load])

  return (
    <SessionContext value={scope}>
      <div className="tl">
        <div ref={scroller} className="tl-scroll" tabIndex={0} role="region" aria-label="Timeline">
          <div
            className="tl-rows"
            role="feed"
            aria-label="What happened"
            aria-busy={isLoading || view.phase === "opening"}
            style={{ height: size }}
          >
            <div className="tl-top" style={{ height: headHeight }}>
              <Head hasOlder={hasOlder} isLoading={isLoading} problem={problem} total={rows.length} onLoad={load} />
            </div>
            {virtualizer.getVirtualItems().map((item) => {
              const row = rows[item.index]!
              return (
                <div
                  key={item.key}
                  ref={virtualizer.measureElement}
                  data-index={item.index}
                  className="tl-row"
                  role="article"
                  aria-label={labelOf(row, scope)}
                  aria-posinset={item.index + 1}
                  aria-setsize={hasOlder ? -1 : rows.length}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <Row row={row} />
                </div>
              )
            })}
          </div>
          {rows.length === 0 && <Empty isOpening={view.phase === "opening"} readOnly={readOnly} />}
        </div>
        {askedFrom !== null && !readOnly ? (
          <button
            type="button"
            className="tl-newest tl-newest-waiting"
            onClick={() => virtualizer.scrollToIndex(asked, { align: "center" })}
          >
            {askedFrom === "above" ? (
              <ArrowUp className="tl-icon" aria-hidden="true" />
            ) : (
              <ArrowDown className="tl-icon" aria-hidden="true" />
            )}
            The agent waits for an answer
          </button>
        ) : (
          !isAtEnd &&
          !readOnly && (
            <button type="button" className="tl-newest" onClick={toEnd}>
              <ArrowDown className="tl-icon" aria-hidden="true" />
              Newest
            </button>
          )
        )}
        {!readOnly && <Announcer key={session.sessionId} entries={entries} />}
      </div>
    </SessionContext>
  )
}

const isOpenRequest = (row: TimelineRow): boolean =>
  row.row === "entry" && (row.entry.type === "permission" || row.entry.type === "question") && row.entry.by === null

const Empty = ({ isOpening, readOnly }: { readonly isOpening: boolean; readonly readOnly: boolean }) => (
  <p className="tl-empty">
    {isOpening ? "Opening…" : readOnly ? "Nothing had happened yet." : "Nothing has happened yet. Say what to do."}
  </p>
)

/** The timeline. Another session begins at its own end. */
export const TimelineView = (props: TimelineViewProps) => <Scroll key={props.session.sessionId} {...props} />
