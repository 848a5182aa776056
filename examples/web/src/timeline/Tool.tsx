/** Tool calls: one line each, with what they were given, what they printed and what they changed below it. */
import type { FileDiff, ItemId, Location, ToolEntry, ToolGroupRow, ToolKind, ToolStatus } from "@holdfast/core"
import {
  Brain,
  Check,
  CircleDashed,
  FilePen,
  FileText,
  FolderInput,
  Globe,
  LoaderCircle,
  type LucideIcon,
  Search,
  Square,
  SquareTerminal,
  Trash2,
  Wrench,
  X
} from "lucide-react"
import type { ReactNode } from "react"
import { Content } from "./Content.tsx"
import { ChangedFile, Counts, Diff, Path } from "./Diff.tsx"
import { Fold } from "./Fold.tsx"
import { Markdown } from "./Markdown.tsx"
import { ErrorText } from "./Message.tsx"
import { Output } from "./Output.tsx"
import { countText, groupText, kindText } from "./Phrases.ts"
import { isAble, useAction, useKept, useScope } from "./SessionScope.ts"

const icons: { readonly [K in ToolKind]: LucideIcon } = {
  read: FileText,
  edit: FilePen,
  delete: Trash2,
  move: FolderInput,
  search: Search,
  execute: SquareTerminal,
  think: Brain,
  fetch: Globe,
  other: Wrench
}

/** A tool call's icon, with its kind for who cannot see it. */
export const KindIcon = ({ kind }: { readonly kind: ToolKind }) => {
  const Icon = icons[kind]
  return <Icon className="tl-icon" role="img" aria-label={kindText(kind)} />
}

/** How far a tool call is: a mark that also has a word. */
export const StatusMark = ({ isInterrupted = false, status }: { status: ToolStatus; isInterrupted?: boolean }) => {
  if (isInterrupted) return <Square className="tl-mark tl-faint" role="img" aria-label="Interrupted" />
  switch (status) {
    case "pending":
      return <CircleDashed className="tl-mark tl-faint" role="img" aria-label="Waiting" />
    case "in_progress":
      return <LoaderCircle className="tl-mark tl-busy spin" role="img" aria-label="Running" />
    case "completed":
      return <Check className="tl-mark tl-good" role="img" aria-label="Done" />
    case "failed":
      return <X className="tl-mark tl-bad" role="img" aria-label="Failed" />
  }
}

const sum = (files: ReadonlyArray<FileDiff>, what: "additions" | "deletions"): number | undefined =>
  files.some((file) => file[what] !== undefined) ? files.reduce((all, file) => all + (file[what] ?? 0), 0) : undefined

/** The sum of lines that files changed by. */
export const FileCounts = ({ files }: { readonly files: ReadonlyArray<FileDiff> }) => {
  const additions = sum(files, "additions")
  const deletions = sum(files, "deletions")
  return (
    <Counts {...(additions === undefined ? {} : { additions })} {...(deletions === undefined ? {} : { deletions })} />
  )
}

/** Input that its title does not say already. */
const shownInput = ({ input, inputText, kind, title }: ToolEntry): string => {
  if (input === undefined || input === null) return inputText ?? ""
  if (typeof input === "string") return input === title ? "" : input
  const command = (input as { readonly command?: unknown }).command
  if (kind === "execute" && typeof command === "string" && title !== null) return command === title ? "" : command
  const text = JSON.stringify(input, null, 2)
  return text === "{}" || text === "[]" ? "" : text
}

const Places = ({ locations }: { readonly locations: ReadonlyArray<Location> }) => (
  <ul className="tl-places">
    {locations.map(({ line, path }) => (
      <li key={`${path}:${line}`}>
        <Path path={line === undefined ? path : `${path}:${line}`} />
      </li>
    ))}
  </ul>
)

/** Lines of diffs up to which a change is shown unfolded: what was changed is what people look for. */
const shownDiffLines = 30

const isShortChange = ({ files }: ToolEntry): boolean =>
  files.length > 0 &&
  files.length <= 2 &&
  files.reduce((lines, { diff }) => lines + (diff ?? "").split("\n", shownDiffLines + 1).length, 0) <= shownDiffLines

/** A tool call. `isNested`: within a group, where less is unfolded by itself. */
export const Tool = ({
  children,
  entry,
  isNested = false
}: {
  readonly entry: ToolEntry
  readonly isNested?: boolean
  readonly children?: ReactNode
}) => {
  const scope = useScope()
  const stop = useAction()
  const key = `tool:${entry.seq}`
  const isRunning = entry.progress === "streaming"
  const input = shownInput(entry)
  const isEmpty =
    input === "" &&
    entry.output === "" &&
    entry.text === "" &&
    entry.files.length === 0 &&
    entry.locations.length === 0 &&
    entry.error === undefined &&
    (entry.content ?? []).length === 0 &&
    children === undefined
  const unfolds = !isNested && (isShortChange(entry) || children !== undefined || (isRunning && entry.output !== ""))
  const [isOpen, setOpen] = useKept(key, unfolds || (entry.status === "failed" && !isEmpty && !isNested))
  const title = entry.title ?? (entry.name === "" ? kindText(entry.kind) : entry.name)
  const file = entry.files.length === 1 ? entry.files[0] : undefined
  const canStop = isRunning && entry.status === "in_progress" && isAble(scope, "stopItems")
  return (
    <div className="tl-tool">
      <Fold
        isOpen={isOpen}
        onToggle={setOpen}
        isEmpty={isEmpty}
        line={
          <>
            <KindIcon kind={entry.kind} />
            {file === undefined ? (
              <span className={entry.kind === "execute" ? "tl-title tl-mono" : "tl-title"} title={title}>
                {title}
              </span>
            ) : (
              <ChangedFile file={file} />
            )}
            {entry.files.length > 1 && <FileCounts files={entry.files} />}
            {entry.exitCode !== null && entry.exitCode !== 0 && <span className="tl-exit">exit {entry.exitCode}</span>}
            <StatusMark status={entry.status} isInterrupted={entry.progress === "interrupted"} />
          </>
        }
      >
        {entry.text !== "" && <Markdown keep={`${key}:text`} text={entry.text} isStreaming={isRunning} />}
        {input !== "" && entry.files.length === 0 && (
          <Output keep={`${key}:input`} text={input} full={entry.cut?.["inputText"]} label="Input" />
        )}
        {entry.cut?.["input"] !== undefined && (
          <p className="tl-cut">Its input has {countText(entry.cut["input"], "byte")} and is only in the log.</p>
        )}
        {entry.files.map((changed, index) => (
          // The same file may be changed twice.
          <Diff
            key={index}
            keep={`${key}:${index}`}
            file={changed}
            full={entry.cut?.[`diff of ${changed.path}`]}
            named={entry.files.length > 1}
          />
        ))}
        {entry.files.length === 0 && entry.locations.length > 0 && <Places locations={entry.locations} />}
        {entry.output !== "" && (
          <Output
            keep={`${key}:output`}
            text={entry.output}
            full={entry.cut?.["output"]}
            isGrowing={isRunning}
            label="Output"
          />
        )}
        <Content
          blocks={entry.content ?? []}
          keep={`${key}:content`}
          text={entry.output === "" && entry.text === "" ? "output" : "none"}
        />
        {entry.error !== undefined && <ErrorText error={entry.error} />}
        {children}
      </Fold>
      {canStop && (
        <button
          type="button"
          className="tl-small tl-tool-stop"
          disabled={stop.isPending}
          onClick={() =>
            stop.run(() => scope.session.command({ type: "item.stop", data: { itemId: entry.itemId as ItemId } }))
          }
        >
          <Square aria-hidden="true" /> Stop
        </button>
      )}
      {stop.problem !== null && (
        <p className="tl-problem" role="alert">
          {stop.problem}
        </p>
      )}
    </div>
  )
}

/** Files that a group shows by name in its line; more are counted. */
const namedFiles = 3

const namesOf = ({ entries }: ToolGroupRow): string => {
  const names = new Set(
    entries.map(
      ({ files, locations, title }) =>
        (files[0]?.path ?? locations[0]?.path)?.split("/").findLast((part) => part !== "") ?? title ?? ""
    )
  )
  names.delete("")
  const more = names.size - namedFiles
  return [...names].slice(0, namedFiles).join(", ") + (more > 0 ? `, ${more} more` : "")
}

/** Calls of one kind that follow each other. */
export const ToolGroup = ({ group }: { readonly group: ToolGroupRow }) => {
  const [isOpen, setOpen] = useKept(`group:${group.seq}`, false)
  const isRunning = group.status === "in_progress" || group.status === "pending"
  const failed = group.entries.filter(({ status }) => status === "failed").length
  const running = group.entries.findLast(({ progress }) => progress === "streaming")
  return (
    <div className="tl-tool">
      <Fold
        className="tl-group"
        isOpen={isOpen}
        onToggle={setOpen}
        line={
          <>
            <KindIcon kind={group.kind} />
            <span className="tl-title">{groupText(group.kind, group.count, isRunning)}</span>
            <span className={group.kind === "execute" ? "tl-summary tl-mono" : "tl-summary"}>
              {running?.title ?? namesOf(group)}
            </span>
            <FileCounts files={group.entries.flatMap(({ files }) => files)} />
            {failed > 0 && group.status !== "failed" && <span className="tl-exit">{failed} failed</span>}
            {failed > 0 && group.status === "failed" && failed < group.count && (
              <span className="tl-exit">{failed} failed</span>
            )}
            <StatusMark status={group.status} />
          </>
        }
      >
        {group.entries.map((entry) => (
          <Tool key={entry.seq} entry={entry} isNested />
        ))}
      </Fold>
    </div>
  )
}
