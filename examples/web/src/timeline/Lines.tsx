/** What the timeline tells in one line: notes, comings and goings, markers, a shell's commands, the workspace's history. */
import type { CommandEntry, FileEntry, HistoryEntry, LifecycleEntry, NoteEntry, WorkspaceEntry } from "@holdfast/core"
import {
  ArrowRightLeft,
  CircleAlert,
  FoldVertical,
  GitBranch,
  GitCommitHorizontal,
  Info,
  type LucideIcon,
  Moon,
  Plug,
  Power,
  PowerOff,
  Redo2,
  SquareTerminal,
  TriangleAlert,
  Undo2,
  Unplug,
  Upload
} from "lucide-react"
import type { ReactNode } from "react"
import { ChangedFile, Diff } from "./Diff.tsx"
import { Fold } from "./Fold.tsx"
import { Markdown } from "./Markdown.tsx"
import { Time } from "./Message.tsx"
import { durationText } from "./Phrases.ts"
import { Problem } from "./Request.tsx"
import { isAble, useAction, useKept, useScope } from "./SessionScope.ts"

/** A line across the timeline. */
export const Divider = ({
  Icon,
  at,
  children,
  spins = false,
  tone = ""
}: {
  readonly Icon: LucideIcon
  readonly at: number
  readonly tone?: string
  /** It goes on. */
  readonly spins?: boolean
  readonly children: ReactNode
}) => (
  <div className={`tl-divider ${tone}`}>
    <span className="tl-divider-text">
      <Icon className={spins ? "tl-icon spin" : "tl-icon"} aria-hidden="true" />
      <span>{children}</span>
      <Time at={at} />
    </span>
  </div>
)

const levels = {
  info: [Info, "Note", ""],
  warning: [TriangleAlert, "Warning", "tl-note-warning"],
  error: [CircleAlert, "Error", "tl-note-error"]
} as const

/** UTF-16 units of a note that stand in its line. */
const noteStart = 240

/** A note. */
export const Note = ({ entry }: { readonly entry: NoteEntry }) => {
  const [isOpen, setOpen] = useKept(`note:${entry.seq}`, false)
  const [Icon, word, tone] = levels[entry.level]
  const isLong = entry.message.length > noteStart
  return (
    <p className={`tl-note ${tone}`}>
      <Icon className="tl-icon" role="img" aria-label={word} />
      <span className="tl-plain">
        {isLong && !isOpen ? `${entry.message.slice(0, noteStart)}… ` : `${entry.message} `}
        {isLong && (
          <button type="button" className="tl-output-more" onClick={() => setOpen(!isOpen)}>
            {isOpen ? "less" : "more"}
          </button>
        )}
      </span>
    </p>
  )
}

const lifecycles: { readonly [C in LifecycleEntry["change"]]: readonly [LucideIcon, string, string?] } = {
  opened: [Plug, "Opened"],
  resumed: [Power, "Resumed"],
  lost: [Unplug, "Lost", "tl-note-warning"],
  suspended: [Moon, "Suspended"],
  closed: [PowerOff, "Closed"],
  failed: [CircleAlert, "Could not be opened", "tl-note-error"],
  moved: [ArrowRightLeft, "Moved"]
}

/** The backend came, went or ended. */
export const Lifecycle = ({ entry }: { readonly entry: LifecycleEntry }) => {
  const [Icon, word, tone] = lifecycles[entry.change]
  const details = [
    entry.reason === "" ? null : entry.reason,
    entry.exitCode === null || entry.exitCode === 0 ? null : `exit ${entry.exitCode}`,
    entry.signal
  ].filter((detail) => detail !== null)
  return (
    <Divider Icon={Icon} at={entry.at} {...(tone === undefined ? {} : { tone })}>
      {word}
      {details.length > 0 && `: ${details.join(", ")}`}
    </Divider>
  )
}

/** What the agent knows changed. */
export const History = ({ entry }: { readonly entry: HistoryEntry }) => {
  const scope = useScope()
  const { isPending, problem, run } = useAction()
  const [isOpen, setOpen] = useKept(`history:${entry.seq}`, false)
  if (entry.change === "compacted") {
    const line = (
      <Divider Icon={FoldVertical} at={entry.at}>
        Context shortened: the agent goes on with a summary
      </Divider>
    )
    if (entry.summary === null || entry.summary === "") return line
    return (
      <Fold className="tl-history" isOpen={isOpen} onToggle={setOpen} line={line}>
        <Markdown keep={`history-text:${entry.seq}`} text={entry.summary} />
      </Fold>
    )
  }
  if (entry.change === "restored") {
    return (
      <Divider Icon={Redo2} at={entry.at}>
        What was taken back is there again
      </Divider>
    )
  }
  return (
    <>
      <Divider Icon={Undo2} at={entry.at}>
        Taken back: the agent does not know of it any more
        {isAble(scope, "revert") && !scope.isBusy && (
          <button
            type="button"
            className="tl-small"
            disabled={isPending}
            onClick={() => run(() => scope.session.command({ type: "history.restore", data: {} }))}
          >
            <Redo2 aria-hidden="true" /> Restore
          </button>
        )}
      </Divider>
      <Problem text={problem} />
    </>
  )
}

/** A command that a shell ran. */
export const Command = ({ entry }: { readonly entry: CommandEntry }) => {
  const end =
    entry.status === "running"
      ? "runs"
      : entry.status === "interrupted"
        ? "was interrupted"
        : entry.exitCode === null
          ? "ended"
          : `ended with ${entry.exitCode}`
  return (
    <p className={entry.exitCode !== null && entry.exitCode !== 0 ? "tl-note tl-note-error" : "tl-note"}>
      <SquareTerminal className="tl-icon" aria-hidden="true" />
      <span>
        A command {end}
        {entry.duration !== null && ` after ${durationText(entry.duration)}`}
      </span>
      <Time at={entry.at} />
    </p>
  )
}

/** A file that changed outside of any tool call. */
export const File = ({ entry }: { readonly entry: FileEntry }) => {
  const [isOpen, setOpen] = useKept(`file:${entry.seq}`, false)
  return (
    <div className="tl-tool">
      <Fold
        isOpen={isOpen}
        onToggle={setOpen}
        isEmpty={entry.diff === undefined || entry.diff === ""}
        line={<ChangedFile file={entry} />}
      >
        <Diff file={entry} keep={`file-diff:${entry.seq}`} full={entry.cut?.[`diff of ${entry.path}`]} named={false} />
      </Fold>
    </div>
  )
}

const workspace = {
  branch_created: [GitBranch, "Made the branch"],
  committed: [GitCommitHorizontal, "Committed"],
  pushed: [Upload, "Pushed"]
} as const

/** Something that happened to the workspace's history. */
export const Workspace = ({ entry }: { readonly entry: WorkspaceEntry }) => {
  const [Icon, word] = workspace[entry.change]
  return (
    <p className="tl-note">
      <Icon className="tl-icon" aria-hidden="true" />
      <span>
        {word} {entry.branch !== null && <code>{entry.branch}</code>}{" "}
        {entry.sha !== null && <code>{entry.sha.slice(0, 10)}</code>} {entry.message?.split("\n", 1)[0]}
      </span>
      <Time at={entry.at} />
    </p>
  )
}
