/** A file's change: what became of it, how much, and its lines. */
import type { FileDiff } from "@holdfast/core"
import { FileMinus, FilePen, FilePlus, FileSymlink } from "lucide-react"
import { useMemo } from "react"
import { CutText } from "./Output.tsx"
import { countText } from "./Phrases.ts"
import { useKept, useScope } from "./SessionScope.ts"
import { type DiffLine, readDiff } from "./UnifiedDiff.ts"

/** Lines that are shown of a diff at first. */
const firstLines = 40

/** Lines that are shown at once when all is wanted. */
const mostLines = 3_000

const looks = {
  created: [FilePlus, "Created"],
  modified: [FilePen, "Modified"],
  deleted: [FileMinus, "Deleted"],
  moved: [FileSymlink, "Moved"]
} as const

/** `+12 −3`. */
export const Counts = ({ additions, deletions }: { readonly additions?: number; readonly deletions?: number }) => (
  <span className="tl-counts">
    {additions !== undefined && (
      <span className="tl-added" aria-label={countText(additions, "line added", "lines added")}>
        +{additions}
      </span>
    )}
    {deletions !== undefined && (
      <span className="tl-removed" aria-label={countText(deletions, "line removed", "lines removed")}>
        −{deletions}
      </span>
    )}
  </span>
)

const below = (path: string, workspace: string | null): string =>
  workspace !== null && path.startsWith(`${workspace}/`) ? path.slice(workspace.length + 1) : path

/** A path, from the workspace on where it is below it, whose end stays readable where there is little room. */
export const Path = (given: { readonly path: string; readonly from?: string | undefined }) => {
  const { workspace } = useScope()
  const path = below(given.path, workspace)
  const from = given.from === undefined ? undefined : below(given.from, workspace)
  const slash = path.replace(/\/$/, "").lastIndexOf("/")
  return (
    <span className="tl-path" title={given.from === undefined ? given.path : `${given.from} → ${given.path}`}>
      {from !== undefined && <span className="tl-path-dir">{from} → </span>}
      {slash >= 0 && <span className="tl-path-dir">{path.slice(0, slash + 1)}</span>}
      <span className="tl-path-name">{path.slice(slash + 1)}</span>
    </span>
  )
}

/** A file's name with its icon and counts. */
export const ChangedFile = ({ file }: { readonly file: FileDiff }) => {
  const [Icon, verb] = looks[file.change]
  return (
    <span className="tl-file">
      <Icon className="tl-icon" aria-label={verb} />
      <Path path={file.path} from={file.change === "moved" ? file.from : undefined} />
      <Counts
        {...(file.additions === undefined ? {} : { additions: file.additions })}
        {...(file.deletions === undefined ? {} : { deletions: file.deletions })}
      />
    </span>
  )
}

const marks = { added: "+", removed: "−", context: " ", hunk: "⋯", note: "" } as const

const Line = ({ line }: { readonly line: DiffLine }) => (
  <tr className={`tl-diff-${line.kind}`}>
    <td className="tl-diff-number">{line.kind === "hunk" ? "" : line.before}</td>
    <td className="tl-diff-number">{line.kind === "hunk" ? "" : line.after}</td>
    <td className="tl-diff-mark">{marks[line.kind]}</td>
    <td className="tl-diff-text">{line.text}</td>
  </tr>
)

/** The change, with its file named above unless what is around it does. */
export const Diff = ({
  file,
  full,
  keep,
  named = true
}: {
  readonly file: FileDiff
  readonly keep: string
  readonly named?: boolean
  readonly full?: number | undefined
}) => {
  const [showsAll, setShowsAll] = useKept(`diff:${keep}`, false)
  const lines = useMemo(() => {
    const { lines } = readDiff(file.diff ?? "")
    // A first hunk that names no place says nothing.
    return lines[0]?.kind === "hunk" && lines[0].text === "" ? lines.slice(1) : lines
  }, [file.diff])
  const shown = lines.slice(0, showsAll ? mostLines : firstLines)
  return (
    <div className="tl-diff">
      {named && (
        <div className="tl-diff-head">
          <ChangedFile file={file} />
        </div>
      )}
      {lines.length > 0 && (
        <div className="tl-diff-scroll" tabIndex={0} role="region" aria-label={`Changes of ${file.path}`}>
          <table>
            <tbody>
              {shown.map((line, index) => (
                // Lines have no identity but their place.
                <Line key={index} line={line} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(lines.length > firstLines || showsAll) && (
        <button type="button" className="tl-output-more" onClick={() => setShowsAll(!showsAll)}>
          {showsAll
            ? lines.length > mostLines
              ? `Show less (${mostLines.toLocaleString("en")} of ${countText(lines.length, "line")} shown)`
              : "Show less"
            : `Show all ${countText(lines.length, "line")}`}
        </button>
      )}
      <CutText shown={file.diff?.length ?? 0} full={full} />
    </div>
  )
}
