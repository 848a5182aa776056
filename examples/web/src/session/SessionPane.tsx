/** One session: its head, its timeline or terminal, what is typed below, and what is known of it beside. */
import { timelineEntries } from "@holdfast/core"
import { GitBranch, History, Info, ListTree, LoaderCircle, type LucideIcon, SquareTerminal } from "lucide-react"
import { useCallback, useEffect, useEffectEvent, useState } from "react"
import { useHost } from "../Host.ts"
import { later } from "../later.tsx"
import { BackendBadge } from "../sidebar/BackendBadge.tsx"
import { SandboxBadge } from "../sidebar/SandboxBadge.tsx"
import { SessionStatus } from "../sidebar/SessionStatus.tsx"
import { Composer } from "../timeline/Composer.tsx"
import { sandboxText } from "../timeline/SandboxLine.tsx"
import { TimelineView } from "../timeline/TimelineView.tsx"
import { cloudSpecOf } from "./cloudSpec.ts"
import { ChangesView } from "../workspace/ChangesView.tsx"
import { EndBanner } from "./EndBanner.tsx"
import type { SessionActions } from "./SessionActions.ts"
import { mayDo } from "./mayDo.ts"
import { titleOf, workspaceName } from "./names.ts"
import { PaneHead } from "./PaneHead.tsx"
import { People } from "./People.tsx"
import { SessionDetails } from "./SessionDetails.tsx"
import { SessionMenu } from "./SessionMenu.tsx"
import { SessionTitle } from "./SessionTitle.tsx"
import { TimeSlider } from "./TimeSlider.tsx"
import { usePast, viewOfPast } from "./usePast.ts"
import { useSession } from "./useSession.ts"

// xterm.js is the largest part of the page, and a timeline needs none of it.
const TerminalView = later(async () => (await import("../terminal/TerminalView.tsx")).TerminalView)
const FaceView = later(async () => (await import("../terminal/FaceView.tsx")).FaceView)
const PastScreen = later(async () => (await import("../terminal/PastScreen.tsx")).PastScreen)

/** The faces of a session; `changes` where it works in a git repository. */
type Face = "timeline" | "terminal" | "changes"

export interface SessionPaneProps {
  readonly sessionId: string
  readonly detailsOpen: boolean
  readonly setDetailsOpen: (open: boolean) => void
  readonly sidebarOpen: boolean
  readonly onShowSidebar: () => void
  /** Gets what keys can do here; null when it is gone. */
  readonly onActions: (actions: SessionActions | null) => void
}

const ended: ReadonlySet<string> = new Set(["closed", "failed", "suspended", "lost"])

export const SessionPane = (props: SessionPaneProps) => {
  const { client, connected, report, you } = useHost()
  const { loadOlder, session, view } = useSession(client, props.sessionId)
  const [chosenFace, setFace] = useState<Face>()
  const [renaming, setRenaming] = useState(false)
  const [at, setAt] = useState<number | null>(null)
  const onPastProblem = useCallback((error: unknown) => report("Looking at the past", error), [report])

  const summary = view?.summary ?? null
  const state = view?.state ?? null
  const hasTerminal = summary?.hasTerminal ?? false
  const face = chosenFace ?? (hasTerminal ? "terminal" : "timeline")
  const past = usePast(session, at, hasTerminal, onPastProblem)
  const head = summary?.seq ?? 0

  const switchFace = () => setFace(face === "terminal" ? "timeline" : "terminal")
  const toggleHistory = () => setAt(at === null ? head : null)
  const stop = (): boolean => {
    if (state?.turn == null || !mayDo(you, state, "turn.interrupt")) return false
    session.interrupt(state.turn.turnId).catch((error: unknown) => report("Stopping the agent", error))
    return true
  }
  const focus = () =>
    document.querySelector<HTMLElement>(".pane-composer textarea, .terminal-pane .xterm-helper-textarea")?.focus()

  const { onActions } = props
  const act = useEffectEvent((does: "stop" | "face" | "history" | "composer") => {
    if (does === "stop") return stop()
    if (does === "face") switchFace()
    else if (does === "history") toggleHistory()
    else focus()
    return true
  })
  useEffect(() => {
    onActions({ act: (does) => act(does) })
    return () => onActions(null)
  }, [onActions])

  if (view === null || summary === null) {
    const gone = view?.phase === "gone"
    return (
      <main className="pane" aria-label="Session">
        <PaneHead sidebarOpen={props.sidebarOpen} onShowSidebar={props.onShowSidebar} />
        <div className="pane-empty" role="status">
          {gone ? (view.problem ?? "There is no such session.") : "Opening…"}
        </div>
      </main>
    )
  }

  const isPast = at !== null
  const showsTerminal = face === "terminal"
  const rename = (title: string) => {
    session.rename(title).catch((error: unknown) => report("Renaming the session", error))
  }
  const cloud = cloudSpecOf(state)
  const isRemote = cloud !== null || summary.sandbox !== null
  const sandboxes = timelineEntries(view.timeline).filter((entry) => entry.type === "sandbox")
  const sandbox = sandboxes.at(-1)
  const start = sandboxes.findLast(({ condition }) => condition !== "stale")
  const sandboxReason = sandbox?.condition === summary.sandbox ? sandbox.reason : null
  const canPrompt = state?.capabilities?.prompts ?? !(hasTerminal || cloud?.backend === "pty")

  return (
    <main className="pane" aria-label={titleOf(summary)}>
      <PaneHead sidebarOpen={props.sidebarOpen} onShowSidebar={props.onShowSidebar}>
        <div className="pane-title">
          <SessionTitle
            title={titleOf(summary)}
            onRename={mayDo(you, state, "session.rename") ? rename : undefined}
            editing={renaming}
            setEditing={setRenaming}
          />
          <div className="pane-facts">
            <SessionStatus status={summary.status} />
            <BackendBadge backend={cloud?.backend ?? summary.backend} remote={isRemote} />
            {isRemote ? (
              <SandboxBadge
                condition={summary.sandbox}
                lifecycle={summary.lifecycle}
                restored={start?.restored ?? false}
                provider={cloud?.provider ?? null}
                reason={sandboxReason}
              />
            ) : null}
            {summary.workspace === null ? null : (
              <span className="pane-place" title={summary.workspace}>
                {workspaceName(summary.workspace)}
              </span>
            )}
            {summary.archived ? <span className="badge">Archived</span> : null}
          </div>
        </div>
        <div className="pane-tools">
          <People present={view.present} you={you} />
          <div className="faces" role="group" aria-label="Face">
            <FaceButton face="timeline" chosen={face} onChoose={setFace} />
            <FaceButton face="terminal" chosen={face} onChoose={setFace} />
            {state?.capabilities?.workspace === true ? (
              <FaceButton face="changes" chosen={face} onChoose={setFace} />
            ) : null}
          </div>
          <button
            className="button icon"
            type="button"
            aria-label="Time slider"
            title="Time slider (H)"
            aria-pressed={isPast}
            onClick={toggleHistory}
          >
            <History aria-hidden="true" />
          </button>
          <button
            className="button icon"
            type="button"
            aria-label="Details"
            title="Details (D)"
            aria-pressed={props.detailsOpen}
            onClick={() => props.setDetailsOpen(!props.detailsOpen)}
          >
            <Info aria-hidden="true" />
          </button>
          <SessionMenu
            session={session}
            summary={summary}
            state={state}
            timeline={view.timeline}
            onRename={() => setRenaming(true)}
          />
        </div>
      </PaneHead>
      <div className="pane-middle">
        <div className="pane-main">
          {view.phase === "gone" ? (
            <p className="pane-notice" role="alert">
              {view.problem ?? "This session is gone."}
            </p>
          ) : null}
          {!isPast && showsTerminal && sandbox !== undefined && sandbox.duration === null ? (
            <p className="pane-sandbox" role="status">
              <LoaderCircle className="spin" aria-hidden="true" />
              {sandboxText(sandbox)}
            </p>
          ) : null}
          <div className="pane-body" data-past={isPast}>
            {isPast ? (
              past === undefined ? (
                <div className="pane-empty" role="status">
                  Reading the past…
                </div>
              ) : showsTerminal && past.screen !== null ? (
                <PastScreen screen={past.screen} />
              ) : (
                <TimelineView view={viewOfPast(view, past)} session={session} you={you} readOnly />
              )
            ) : face === "changes" ? (
              <ChangesView view={view} session={session} you={you} />
            ) : !showsTerminal ? (
              <TimelineView view={view} session={session} you={you} {...(view.hasOlder ? { loadOlder } : {})} />
            ) : hasTerminal ? (
              <TerminalView key={session.sessionId} session={session} view={view} />
            ) : (
              <FaceView
                key={session.sessionId}
                session={session}
                title={titleOf(summary)}
                readOnly={!mayDo(you, state, "prompt.send")}
                onLeave={() => setFace("timeline")}
              />
            )}
          </div>
          {isPast ? (
            <TimeSlider
              at={Math.min(at, head)}
              head={head}
              entries={timelineEntries(view.timeline)}
              onMove={setAt}
              onClose={() => setAt(null)}
            />
          ) : null}
          {!isPast && state !== null && ended.has(summary.lifecycle) ? (
            <EndBanner
              state={state}
              reason={summary.reason}
              onOpen={
                mayDo(you, state, "session.open")
                  ? () => session.open().catch((error: unknown) => report("Opening the session", error))
                  : undefined
              }
            />
          ) : null}
          {!isPast && canPrompt && face === "timeline" && mayDo(you, state, "prompt.send") ? (
            <div className="pane-composer">
              <Composer view={view} session={session} you={you} connected={connected} />
            </div>
          ) : null}
        </div>
        {props.detailsOpen ? (
          <SessionDetails view={view} you={you} onClose={() => props.setDetailsOpen(false)} />
        ) : null}
      </div>
    </main>
  )
}

const faces: { readonly [F in Face]: readonly [Icon: LucideIcon, word: string, key: string] } = {
  timeline: [ListTree, "Timeline", " (T)"],
  terminal: [SquareTerminal, "Terminal", " (T)"],
  changes: [GitBranch, "Changes", ""]
}

const FaceButton = ({
  chosen,
  face,
  onChoose
}: {
  readonly face: Face
  readonly chosen: Face
  readonly onChoose: (face: Face) => void
}) => {
  const [Icon, word, hint] = faces[face]
  return (
    <button
      className="button quiet"
      type="button"
      aria-label={word}
      title={`${word}${hint}`}
      aria-pressed={face === chosen}
      onClick={() => onChoose(face)}
    >
      <Icon aria-hidden="true" />
      <span className="face-word">{word}</span>
    </button>
  )
}
