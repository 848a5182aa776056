/** All sessions, found by words, in groups; of a long list only the rows that can be seen are there. */
import { useVirtualizer } from "@tanstack/react-virtual"
import type { ListedSessions } from "@holdfast/client"
import type { SessionSummary } from "@holdfast/core"
import { Anchor, ChevronRight, CircleHelp, Monitor, Moon, PanelLeftClose, Plus, Search, Sun } from "lucide-react"
import { type RefObject, useEffect, useMemo, useRef, useState } from "react"
import { ConnectionBadge } from "../connection/ConnectionBadge.tsx"
import { useHost } from "../Host.ts"
import { useTheme } from "../theme/useTheme.ts"
import { useNow } from "../time/useNow.ts"
import type { GroupName, SessionGroup } from "./groupSessions.ts"
import { SessionRow } from "./SessionRow.tsx"

const groupWords: { readonly [G in GroupName]: string } = {
  active: "Active",
  inactive: "Inactive",
  archived: "Archived"
}

/** Pixels, as sidebar.css has them. */
const headerHeight = 34
const rowHeight = 58

type Row =
  | { readonly kind: "header"; readonly name: GroupName; readonly count: number; readonly open: boolean }
  | { readonly kind: "session"; readonly session: SessionSummary }

export interface SidebarProps {
  readonly list: ListedSessions | null
  readonly groups: ReadonlyArray<SessionGroup>
  readonly search: string
  readonly setSearch: (search: string) => void
  readonly searchField: RefObject<HTMLInputElement | null>
  readonly shown: string | null
  readonly onNew: () => void
  readonly onHelp: () => void
  readonly onHide: () => void
}

const ThemeButton = () => {
  const { theme, toggle } = useTheme()
  const Icon = theme === "system" ? Monitor : theme === "light" ? Sun : Moon
  const word = theme === "system" ? "as the system" : theme
  return (
    <button
      className="button icon"
      type="button"
      aria-label={`Colours: ${word}`}
      title={`Colours: ${word}`}
      onClick={toggle}
    >
      <Icon aria-hidden="true" />
    </button>
  )
}

export const Sidebar = ({
  groups,
  list,
  onHelp,
  onHide,
  onNew,
  search,
  searchField,
  setSearch,
  shown
}: SidebarProps) => {
  const { client, you } = useHost()
  const now = useNow(30_000)
  const scroller = useRef<HTMLDivElement>(null)
  const [folded, setFolded] = useState<ReadonlySet<GroupName>>(() => new Set(["archived"]))
  const isSearching = search.trim() !== ""

  const rows = useMemo(() => {
    const rows: Array<Row> = []
    for (const { name, sessions } of groups) {
      const open = isSearching || !folded.has(name)
      rows.push({ kind: "header", name, count: sessions.length, open })
      if (open) for (const session of sessions) rows.push({ kind: "session", session })
    }
    return rows
  }, [folded, groups, isSearching])

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index]?.kind === "header" ? headerHeight : rowHeight),
    getItemKey: (index) => {
      const row = rows[index]
      return row === undefined ? index : row.kind === "header" ? row.name : row.session.sessionId
    },
    overscan: 8
  })
  // Sizes follow from what a row is: another list has them elsewhere.
  useEffect(() => virtual.measure(), [rows, virtual])

  const shownAt = rows.findIndex((row) => row.kind === "session" && row.session.sessionId === shown)
  useEffect(() => {
    if (shownAt >= 0) virtual.scrollToIndex(shownAt, { align: "auto" })
    // Only when another one is shown: not when rows move.
  }, [shown])

  const toggleGroup = (name: GroupName) =>
    setFolded((before) => {
      const next = new Set(before)
      if (!next.delete(name)) next.add(name)
      return next
    })

  return (
    <nav className="sidebar" aria-label="Sessions">
      <header className="sidebar-head">
        <span className="logo" aria-hidden="true">
          <Anchor />
        </span>
        <strong className="sidebar-name">Holdfast</strong>
        <button
          className="button icon"
          type="button"
          aria-label="Hide the list of sessions"
          title="Hide the list"
          onClick={onHide}
        >
          <PanelLeftClose aria-hidden="true" />
        </button>
      </header>
      <div className="sidebar-tools">
        {you?.role === "viewer" ? null : (
          <button className="button primary" type="button" onClick={onNew}>
            <Plus aria-hidden="true" />
            New session
          </button>
        )}
        <label className="sidebar-search">
          <Search aria-hidden="true" />
          <span className="sr-only">Search sessions</span>
          <input
            ref={searchField}
            type="search"
            placeholder="Search"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape" || search === "") return
              event.preventDefault()
              setSearch("")
            }}
          />
        </label>
      </div>
      <div className="sidebar-list" ref={scroller} aria-busy={list?.caughtUp !== true}>
        <ul style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index]
            if (row === undefined) return null
            return (
              <li key={item.key} style={{ height: item.size, transform: `translateY(${item.start}px)` }}>
                {row.kind === "header" ? (
                  <button
                    className="group-head"
                    type="button"
                    aria-expanded={row.open}
                    onClick={() => toggleGroup(row.name)}
                  >
                    <ChevronRight aria-hidden="true" />
                    {groupWords[row.name]}
                    <span className="group-count">{row.count}</span>
                  </button>
                ) : (
                  <SessionRow session={row.session} selected={row.session.sessionId === shown} now={now} />
                )}
              </li>
            )
          })}
        </ul>
        <Emptiness list={list} isSearching={isSearching} isEmpty={rows.length === 0} />
      </div>
      <footer className="sidebar-foot">
        <ConnectionBadge client={client} />
        <span className="sidebar-foot-buttons">
          <ThemeButton />
          <button
            className="button icon"
            type="button"
            aria-label="Keyboard help"
            title="Keyboard help (?)"
            onClick={onHelp}
          >
            <CircleHelp aria-hidden="true" />
          </button>
        </span>
      </footer>
    </nav>
  )
}

const Emptiness = ({
  isEmpty,
  isSearching,
  list
}: {
  readonly list: ListedSessions | null
  readonly isEmpty: boolean
  readonly isSearching: boolean
}) => {
  if (!isEmpty) return null
  if (list !== null && list.problem !== null) return <p className="sidebar-empty">{list.problem}</p>
  if (isSearching) return <p className="sidebar-empty">No session has these words.</p>
  return <p className="sidebar-empty">{list?.caughtUp === true ? "No sessions yet." : "Reading the sessions…"}</p>
}
