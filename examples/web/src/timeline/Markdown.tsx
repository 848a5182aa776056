/** Markdown that may still stream: parsed in blocks, so that what stands is not parsed again. */
import { memo, useMemo, useRef } from "react"
import { type MarkdownBlocks, parsedText, splitMarkdown } from "./MarkdownBlocks.ts"
import { countText } from "./Phrases.ts"
import { useKept } from "./SessionScope.ts"
import { useMarkdownBody } from "./useMarkdownBody.ts"

/** Longest last block, in UTF-16 units, that is parsed anew with each piece; a longer one is plain text until it ends. */
const longestOpenBlock = 20_000

/** UTF-16 units of a message that are laid out until more is wanted. */
const firstText = 60_000

const Block = memo(({ definitions, inFence, isOpen, text }: BlockProps) => {
  const MarkdownBody = useMarkdownBody()
  if (isOpen && inFence) return <OpenFence text={text} />
  if (MarkdownBody === null || (isOpen && text.length > longestOpenBlock)) return <p className="tl-plain">{text}</p>
  return <MarkdownBody text={parsedText(text, definitions)} />
})

interface BlockProps {
  readonly text: string
  /** The code at its end is not closed. */
  readonly inFence: boolean
  readonly definitions: string
  /** It may still grow. */
  readonly isOpen: boolean
}

/** Code whose end has not come: it is coloured when it has. */
const OpenFence = ({ text }: { readonly text: string }) => {
  const fence = /^([\s\S]*?(?:^|\n))[^\n]*?(?:`{3,}|~{3,})([^\n]*)(?:\n([\s\S]*))?$/.exec(text)
  if (fence === null) return <p className="tl-plain">{text}</p>
  return (
    <>
      {fence[1]!.trim() !== "" && <p className="tl-plain">{fence[1]}</p>}
      <pre>
        <code>{fence[3] ?? ""}</code>
      </pre>
    </>
  )
}

/** A text as Markdown. HTML in it is shown as text, and nothing is loaded from elsewhere. */
export const Markdown = ({
  isStreaming = false,
  keep,
  text
}: {
  readonly keep: string
  readonly text: string
  readonly isStreaming?: boolean
}) => {
  const [showsAll, setShowsAll] = useKept(`text:${keep}`, false)
  const isLong = !isStreaming && !showsAll && text.length > firstText
  const shown = isLong ? text.slice(0, text.lastIndexOf("\n", firstText) + 1 || firstText) : text
  const before = useRef<MarkdownBlocks | undefined>(undefined)
  const { blocks, definitions } = useMemo(() => {
    before.current = splitMarkdown(shown, before.current)
    return before.current
  }, [shown])
  return (
    <div className="tl-markdown">
      {blocks.map((block, index) => (
        <Block
          key={block.start}
          text={block.text}
          inFence={block.inFence}
          definitions={block.text.includes("[") ? definitions : ""}
          isOpen={isStreaming && index === blocks.length - 1}
        />
      ))}
      {isLong && (
        <button type="button" className="tl-output-more" onClick={() => setShowsAll(true)}>
          {shown.length.toLocaleString("en")} of {countText(text.length, "character")} shown: show all
        </button>
      )}
    </div>
  )
}
