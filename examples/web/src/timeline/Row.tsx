/** One row of the timeline. */
import type { TimelineEntry, TimelineRow } from "@holdfast/core"
import { memo } from "react"
import { ArtifactCard } from "./ArtifactCard.tsx"
import { Fold } from "./Fold.tsx"
import { Command, File, History, Lifecycle, Note, Workspace } from "./Lines.tsx"
import { Message, Reasoning } from "./Message.tsx"
import { Permission } from "./Permission.tsx"
import { countText } from "./Phrases.ts"
import { Plan } from "./Plan.tsx"
import { Prompt } from "./Prompt.tsx"
import { Questions } from "./Questions.tsx"
import { SandboxLine } from "./SandboxLine.tsx"
import { useKept } from "./SessionScope.ts"
import { Tool, ToolGroup } from "./Tool.tsx"
import { Turn } from "./Turn.tsx"

/** A key that stays while the row changes. */
export const keyOf = (row: TimelineRow): string => (row.row === "tools" ? `tools ${row.seq}` : `${row.entry.seq}`)

/** What happened under an entry: a subagent's work, folded once it is over. */
const Children = ({ isRunning, keep, rows }: ChildrenProps) => {
  const [isOpen, setOpen] = useKept(`children:${keep}`, isRunning)
  return (
    <Fold
      className="tl-children"
      isOpen={isOpen}
      onToggle={setOpen}
      line={<span className="tl-label">{countText(rows.length, "step")} under it</span>}
    >
      {rows.map((row) => (
        <Row key={keyOf(row)} row={row} />
      ))}
    </Fold>
  )
}

interface ChildrenProps {
  readonly keep: number
  readonly isRunning: boolean
  readonly rows: ReadonlyArray<TimelineRow>
}

const Entry = ({ entry }: { readonly entry: TimelineEntry }) => {
  switch (entry.type) {
    case "message":
      return <Message entry={entry} />
    case "reasoning":
      return <Reasoning entry={entry} />
    case "tool":
      return <Tool entry={entry} />
    case "plan":
      return <Plan entry={entry} />
    case "prompt":
      return <Prompt entry={entry} />
    case "permission":
      return <Permission entry={entry} />
    case "question":
      return <Questions entry={entry} />
    case "turn":
      return <Turn entry={entry} />
    case "command":
      return <Command entry={entry} />
    case "file":
      return <File entry={entry} />
    case "note":
      return <Note entry={entry} />
    case "lifecycle":
      return <Lifecycle entry={entry} />
    case "sandbox":
      return <SandboxLine entry={entry} />
    case "history":
      return <History entry={entry} />
    case "artifact":
      return <ArtifactCard artifact={entry.artifact} />
    case "workspace":
      return <Workspace entry={entry} />
  }
}

const areSame = (one: TimelineRow, other: TimelineRow): boolean => {
  if (one === other) return true
  if (one.row === "tools" && other.row === "tools") {
    return one.count === other.count && one.entries.every((entry, index) => entry === other.entries[index])
  }
  return (
    one.row === "entry" &&
    other.row === "entry" &&
    one.entry === other.entry &&
    one.children.length === other.children.length &&
    one.children.every((child, index) => areSame(child, other.children[index]!))
  )
}

/** A row; drawn again only where its entries changed, since grouping makes new rows of the same entries. */
export const Row = memo(
  ({ row }: { readonly row: TimelineRow }) => {
    if (row.row === "tools") return <ToolGroup group={row} />
    if (row.children.length === 0) return <Entry entry={row.entry} />
    const isRunning = "progress" in row.entry && row.entry.progress === "streaming"
    const children = <Children keep={row.entry.seq} isRunning={isRunning} rows={row.children} />
    return row.entry.type === "tool" ? (
      <Tool entry={row.entry}>{children}</Tool>
    ) : (
      <>
        <Entry entry={row.entry} />
        {children}
      </>
    )
  },
  (before, after) => areSame(before.row, after.row)
)
