/** What can be done with a session as a whole. */
import type { ClientSession } from "@holdfast/client"
import type { CommandType, Lifecycle, SessionState, SessionSummary, Timeline } from "@holdfast/core"
import {
  Archive,
  ArchiveRestore,
  ArrowRightLeft,
  Download,
  EllipsisVertical,
  GitFork,
  Pause,
  Pencil,
  Play,
  Power,
  Trash2
} from "lucide-react"
import { useState } from "react"
import { ConfirmDialog } from "../dialogs/ConfirmDialog.tsx"
import { MoveSession } from "../dialogs/MoveSession.tsx"
import { useHost } from "../Host.ts"
import { Menu, type MenuEntry } from "../menu/Menu.tsx"
import { mayDo } from "./mayDo.ts"
import { titleOf } from "./names.ts"
import { showSession } from "./sessionLink.ts"

export interface SessionMenuProps {
  readonly session: ClientSession
  readonly summary: SessionSummary
  readonly state: SessionState | null
  readonly timeline: Timeline
  readonly onRename: () => void
}

const ended: ReadonlySet<Lifecycle> = new Set(["closed", "failed"])
/** What can be opened, or is open, can be brought elsewhere. */
const movable: ReadonlySet<Lifecycle> = new Set(["created", "opening", "open", "suspended", "lost"])
/** Opening again makes sense only where nothing is open. */
const resting: ReadonlySet<Lifecycle> = new Set(["closed", "failed", "suspended", "lost"])

export const SessionMenu = ({ onRename, session, state, summary, timeline }: SessionMenuProps) => {
  const { report, you } = useHost()
  const [asks, setAsks] = useState<"delete" | "close" | "move" | null>(null)
  const can = state?.capabilities
  const rests = resting.has(summary.lifecycle)
  const may = (command: CommandType) => mayDo(you, state, command)
  const attempt = (tried: string, done: Promise<unknown>) => {
    done.catch((error: unknown) => report(tried, error))
  }

  const entries: Array<MenuEntry> = []
  if (may("session.rename")) entries.push({ label: "Rename", Icon: Pencil, onChoose: onRename })
  if (rests && may("session.open")) {
    entries.push({ label: "Open again", Icon: Play, onChoose: () => attempt("Opening the session", session.open()) })
  }
  if (can?.fork === true && may("session.fork")) {
    const fork = () => session.fork().then(({ sessionId }) => showSession(sessionId))
    entries.push({ label: "Fork", Icon: GitFork, onChoose: () => attempt("Forking the session", fork()) })
  }
  if (can?.suspend === true && summary.lifecycle === "open" && may("session.suspend")) {
    entries.push({ label: "Suspend", Icon: Pause, onChoose: () => attempt("Suspending it", session.suspend()) })
  }
  // Not with a token for this session alone: what is to run there is theirs to say, like that of a new session.
  if (movable.has(summary.lifecycle) && may("session.move") && you?.sessionId === null) {
    entries.push({ label: "Move…", Icon: ArrowRightLeft, onChoose: () => setAsks("move") })
  }
  if (may("session.archive")) {
    entries.push(
      summary.archived
        ? { label: "Unarchive", Icon: ArchiveRestore, onChoose: () => attempt("Unarchiving it", session.unarchive()) }
        : { label: "Archive", Icon: Archive, onChoose: () => attempt("Archiving it", session.archive()) }
    )
  }
  if (entries.length > 0) entries.push("line")
  entries.push({ label: "Events (JSON lines)", Icon: Download, href: session.exportUrl("jsonl") })
  if (summary.hasTerminal) {
    entries.push(
      { label: "Recording (asciicast)", Icon: Download, href: session.exportUrl("cast") },
      { label: "Screen (text)", Icon: Download, href: session.exportUrl("txt") }
    )
  }
  if (!rests && may("session.close")) {
    entries.push("line", { label: "End the session", Icon: Power, onChoose: () => setAsks("close"), danger: true })
  }
  if (ended.has(summary.lifecycle) && may("session.close")) {
    entries.push("line", { label: "Delete", Icon: Trash2, onChoose: () => setAsks("delete"), danger: true })
  }

  return (
    <>
      <Menu label="More" icon={<EllipsisVertical aria-hidden="true" />} entries={entries} />
      {asks === "move" && state !== null ? (
        <MoveSession session={session} state={state} timeline={timeline} onClose={() => setAsks(null)} />
      ) : null}
      {asks === "close" ? (
        <ConfirmDialog
          title="End the session?"
          detail={`What runs in “${titleOf(summary)}” is asked to end, and ended by force if it does not. Its log stays.`}
          action="End it"
          onConfirm={() => attempt("Ending the session", session.closeSession({ reason: "ended in the browser" }))}
          onClose={() => setAsks(null)}
        />
      ) : null}
      {asks === "delete" ? (
        <ConfirmDialog
          title="Delete the session?"
          detail={`“${titleOf(summary)}” goes with all of its log. This cannot be taken back.`}
          action="Delete it"
          onConfirm={() =>
            attempt(
              "Deleting the session",
              session.remove().then(() => showSession(null))
            )
          }
          onClose={() => setAsks(null)}
        />
      ) : null}
    </>
  )
}
