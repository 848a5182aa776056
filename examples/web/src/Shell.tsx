/** The page once it is somebody's: the list of sessions, one of them, and what is above both. */
import type { HoldfastClient } from "@holdfast/client"
import { SessionId } from "@holdfast/core"
import { Schema } from "effect"
import { Plus } from "lucide-react"
import { useCallback, useEffect, useMemo, useRef, useState } from "react"
import { SignedOut } from "./connection/SignedOut.tsx"
import { KeyboardHelp } from "./dialogs/KeyboardHelp.tsx"
import { NewSession } from "./dialogs/NewSession.tsx"
import { type Host, HostContext } from "./Host.ts"
import { type Shortcut, useShortcuts } from "./keyboard/useShortcuts.ts"
import { titleOf } from "./session/names.ts"
import type { SessionActions } from "./session/SessionActions.ts"
import { showSession, useShownSession } from "./session/sessionLink.ts"
import { PaneHead } from "./session/PaneHead.tsx"
import { SessionPane } from "./session/SessionPane.tsx"
import { useLive, useOpened } from "./session/useLive.ts"
import { groupSessions } from "./sidebar/groupSessions.ts"
import { Sidebar } from "./sidebar/Sidebar.tsx"
import { Toasts, useToasts } from "./toasts/Toasts.tsx"
import { narrow, useMedia } from "./useMedia.ts"

const isSessionId = Schema.is(SessionId)

/** Workspaces and models that a new session is offered: the newest of those in use. */
const maxOffered = 20

const newest = (values: ReadonlyArray<string | null>): ReadonlyArray<string> =>
  [...new Set(values.filter((value) => value !== null && value !== ""))].slice(0, maxOffered) as ReadonlyArray<string>

export const Shell = ({ client }: { readonly client: HoldfastClient }) => {
  const connection = useLive(client.connection)
  const { dismiss, report, toasts } = useToasts()
  const { you } = connection
  const connected = connection.phase === "connected"
  const host = useMemo<Host>(() => ({ client, you, connected, report }), [client, connected, report, you])

  const list = useLive(useOpened(useCallback(() => client.sessions(), [client])))
  const sessions = list?.sessions
  const shown = useShownSession()
  const [search, setSearch] = useState("")
  const groups = useMemo(() => groupSessions(sessions ?? [], search), [search, sessions])

  const isNarrow = useMedia(narrow)
  const [sidebarOpen, setSidebarOpen] = useState(!isNarrow)
  const [detailsOpen, setDetailsOpen] = useState(false)
  const [dialog, setDialog] = useState<"new" | "help" | null>(null)
  const searchField = useRef<HTMLInputElement>(null)
  const actions = useRef<SessionActions>(null)
  const keepActions = useCallback((given: SessionActions | null) => {
    actions.current = given
  }, [])

  useEffect(() => setSidebarOpen(!isNarrow), [isNarrow])
  // On a narrow screen the list has done its work once one is chosen.
  useEffect(() => {
    if (isNarrow && shown !== null) setSidebarOpen(false)
  }, [isNarrow, shown])

  const title = sessions?.find(({ sessionId }) => sessionId === shown)
  const waiting = sessions?.filter(({ archived, status }) => status === "needs_you" && !archived).length ?? 0
  useEffect(() => {
    const name = title === undefined ? "Holdfast" : `${titleOf(title)} · Holdfast`
    document.title = waiting === 0 ? name : `(${waiting}) ${name}`
  }, [title, waiting])

  const step = (by: 1 | -1) => {
    const order = groups.filter(({ name }) => name !== "archived" || search !== "").flatMap(({ sessions }) => sessions)
    if (order.length === 0) return
    const at = order.findIndex(({ sessionId }) => sessionId === shown)
    const next = at < 0 ? order[0] : order[(at + by + order.length) % order.length]
    if (next !== undefined) showSession(next.sessionId)
  }

  useShortcuts((shortcut: Shortcut) => {
    switch (shortcut) {
      case "help":
        setDialog("help")
        return true
      case "new":
        setDialog("new")
        return true
      case "search":
        setSidebarOpen(true)
        // It may only be there after this.
        requestAnimationFrame(() => searchField.current?.focus())
        return true
      case "sidebar":
        setSidebarOpen(!sidebarOpen)
        return true
      case "details":
        setDetailsOpen(!detailsOpen)
        return true
      case "next":
      case "previous":
        step(shortcut === "next" ? 1 : -1)
        return true
      case "stop":
        if (isNarrow && sidebarOpen && shown !== null) {
          setSidebarOpen(false)
          return true
        }
        return actions.current?.act("stop") ?? false
      default:
        return actions.current?.act(shortcut) ?? false
    }
  })

  if (connection.phase === "refused") return <SignedOut why={connection.problem} />

  const isDrawer = isNarrow && sidebarOpen
  return (
    <HostContext value={host}>
      <div className="shell" data-sidebar={sidebarOpen} data-phase={connection.phase}>
        {sidebarOpen ? (
          <Sidebar
            list={list}
            groups={groups}
            search={search}
            setSearch={setSearch}
            searchField={searchField}
            shown={shown}
            onNew={() => setDialog("new")}
            onHelp={() => setDialog("help")}
            onHide={() => setSidebarOpen(false)}
          />
        ) : null}
        {isDrawer ? (
          <button
            className="backdrop"
            type="button"
            aria-label="Close the list of sessions"
            onClick={() => setSidebarOpen(false)}
          />
        ) : null}
        <div className="shell-main" inert={isDrawer}>
          {shown !== null && isSessionId(shown) ? (
            <SessionPane
              key={shown}
              sessionId={shown}
              detailsOpen={detailsOpen}
              setDetailsOpen={setDetailsOpen}
              sidebarOpen={sidebarOpen}
              onShowSidebar={() => setSidebarOpen(true)}
              onActions={keepActions}
            />
          ) : (
            <main className="pane" aria-label="No session">
              <PaneHead sidebarOpen={sidebarOpen} onShowSidebar={() => setSidebarOpen(true)} />
              <div className="welcome">
                <h1>{shown === null ? "Pick up where you left off" : "There is no such session"}</h1>
                <p>
                  Choose a session from the list, or start one: a shell, a command, or a coding agent. Close this page
                  whenever you like: sessions go on, and nothing of them is lost.
                </p>
                {you?.role === "viewer" ? null : (
                  <button className="button primary" type="button" onClick={() => setDialog("new")}>
                    <Plus aria-hidden="true" />
                    New session
                  </button>
                )}
                <p className="hint">
                  <kbd>?</kbd> shows what keys do.
                </p>
              </div>
            </main>
          )}
        </div>
        {dialog === "new" ? (
          <NewSession
            workspaces={newest((sessions ?? []).map(({ workspace }) => workspace))}
            models={newest((sessions ?? []).map(({ model }) => model))}
            onClose={() => setDialog(null)}
            onCreated={(sessionId) => {
              setDialog(null)
              showSession(sessionId)
            }}
          />
        ) : null}
        {dialog === "help" ? <KeyboardHelp onClose={() => setDialog(null)} /> : null}
        <Toasts toasts={toasts} dismiss={dismiss} />
      </div>
    </HostContext>
  )
}
