/** Blocks of content: text, pictures and resources of prompts, messages and tools. */
import type { ContentBlock } from "@holdfast/core"
import { FileText, Image as ImageIcon } from "lucide-react"
import { Fold } from "./Fold.tsx"
import { Markdown } from "./Markdown.tsx"
import { Output } from "./Output.tsx"
import { useKept } from "./SessionScope.ts"

/** Types that a browser shows and that cannot do anything. */
const pictures = /^image\/(?:png|jpeg|gif|webp|avif)$/

const isWeb = (uri: string): boolean => /^https?:\/\//i.test(uri)

const lastPart = (uri: string): string =>
  uri
    .replace(/[?#].*$/, "")
    .split("/")
    .findLast((part) => part !== "") ?? uri

const Picture = ({ block }: { readonly block: Extract<ContentBlock, { type: "image" }> }) => {
  if (block.data !== undefined && pictures.test(block.mimeType)) {
    return (
      <img className="tl-image" src={`data:${block.mimeType};base64,${block.data}`} alt="Attached" loading="lazy" />
    )
  }
  return <Named uri={block.uri ?? ""} name={block.uri === undefined ? block.mimeType : lastPart(block.uri)} isPicture />
}

const Named = ({
  isPicture = false,
  name,
  uri
}: {
  readonly uri: string
  readonly name: string
  readonly isPicture?: boolean
}) => {
  const Icon = isPicture ? ImageIcon : FileText
  const inner = (
    <>
      <Icon className="tl-icon" aria-hidden="true" />
      <span>{name}</span>
    </>
  )
  return isWeb(uri) ? (
    <a className="tl-attachment" href={uri} target="_blank" rel="noopener noreferrer">
      {inner}
    </a>
  ) : (
    <span className="tl-attachment" title={uri}>
      {inner}
    </span>
  )
}

const Resource = ({
  block,
  keep
}: {
  readonly keep: string
  readonly block: Extract<ContentBlock, { type: "resource" }>
}) => {
  const [isOpen, setOpen] = useKept(`resource:${keep}`, false)
  const name = block.name ?? lastPart(block.uri)
  if (block.text === undefined) return <Named uri={block.uri} name={name} />
  return (
    <Fold isOpen={isOpen} onToggle={setOpen} className="tl-resource" line={<Named uri="" name={name} />}>
      <Output keep={keep} text={block.text} label={name} />
    </Fold>
  )
}

/** All blocks, in their order. Text is Markdown where an agent wrote it, and as it stands where a person or a tool did. */
export const Content = ({
  blocks,
  keep,
  text
}: {
  readonly blocks: ReadonlyArray<ContentBlock>
  readonly keep: string
  readonly text: "markdown" | "plain" | "output" | "none"
}) =>
  blocks.map((block, index) => {
    const own = `${keep}:${index}`
    switch (block.type) {
      case "text":
        if (text === "none" || block.text === "") return null
        if (text === "markdown") return <Markdown key={own} keep={own} text={block.text} />
        if (text === "output") return <Output key={own} keep={own} text={block.text} label="Result" />
        return <PlainText key={own} keep={own} text={block.text} />
      case "image":
        return <Picture key={own} block={block} />
      case "resource":
        return <Resource key={own} keep={own} block={block} />
    }
  })

/** UTF-16 units of what a person wrote that are shown at first: a pasted log should not fill the page. */
const firstText = 2_400

/** Lines of it, likewise. */
const firstLines = 24

/** What a person wrote: with its line ends, and nothing read into it. */
export const PlainText = ({ keep, text }: { readonly keep: string; readonly text: string }) => {
  const [showsAll, setShowsAll] = useKept(`plain:${keep}`, false)
  const lines = text.split("\n", firstLines + 1)
  const isLong = text.length > firstText * 1.25 || lines.length > firstLines
  const shown = isLong && !showsAll ? lines.slice(0, firstLines).join("\n").slice(0, firstText) : text
  return (
    <div className="tl-plain">
      {shown}
      {isLong && (
        <button type="button" className="tl-output-more" onClick={() => setShowsAll(!showsAll)}>
          {showsAll
            ? "Show less"
            : `${shown.length.toLocaleString("en")} of ${text.length.toLocaleString("en")} characters shown: show all`}
        </button>
      )}
    </div>
  )
}
