/** What a command printed, bounded until somebody wants all of it. */
import { useMemo } from "react"
import { countText } from "./Phrases.ts"
import { excerpt, plainOutput } from "./PlainOutput.ts"
import { useKept } from "./SessionScope.ts"

/** Lines that are shown of it at first. */
const firstLines = 12

/** Lines that are shown at once when all is wanted; a page cannot lay out more in good time. */
const mostLines = 5_000

/** What is shown. */
export interface OutputProps {
  readonly keep: string
  readonly text: string
  /** Full length where the timeline has it cut. */
  readonly full?: number | undefined
  /** It still grows: its end is shown. */
  readonly isGrowing?: boolean
  readonly label: string
}

/** A monospace block, with a button for the rest. */
export const Output = ({ full, isGrowing = false, keep, label, text }: OutputProps) => {
  const [showsAll, setShowsAll] = useKept(`output:${keep}`, false)
  const plain = useMemo(() => plainOutput(text), [text])
  const shown = useMemo(
    () => excerpt(plain, showsAll ? mostLines : firstLines, isGrowing ? "last" : "first"),
    [plain, showsAll, isGrowing]
  )
  if (shown.lines === 0) return null
  return (
    <div className="tl-output">
      {isGrowing && !shown.isWhole && !showsAll && (
        <div className="tl-output-more">{countText(shown.lines - firstLines, "earlier line")}</div>
      )}
      <pre tabIndex={0} role="region" aria-label={label}>
        {shown.text}
      </pre>
      {(!shown.isWhole || showsAll) && (
        <button type="button" className="tl-output-more" onClick={() => setShowsAll(!showsAll)}>
          {showsAll
            ? shown.isWhole
              ? "Show less"
              : `Show less (${mostLines.toLocaleString("en")} of ${countText(shown.lines, "line")} shown)`
            : `Show all ${countText(shown.lines, "line")}`}
        </button>
      )}
      <CutText shown={text.length} full={full} />
    </div>
  )
}

/** Says that a text is cut, and by how much. */
export const CutText = ({ full, shown }: { readonly shown: number; readonly full?: number | undefined }) =>
  full === undefined || full <= shown ? null : (
    <p className="tl-cut">
      {shown.toLocaleString("en")} of {countText(full, "character")} shown; the log has all of it.
    </p>
  )
