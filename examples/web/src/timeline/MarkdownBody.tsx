/** Parses one block of Markdown and colours its code. The heavy part of the page, in a file of its own to load late. */
import { ImageOff } from "lucide-react"
import { type ComponentProps, memo, useState } from "react"
import ReactMarkdown, { type Components, defaultUrlTransform } from "react-markdown"
import rehypeHighlight from "rehype-highlight"
import remarkGfm from "remark-gfm"
import { CodeBlock } from "./CodeBlock.tsx"

/** Pictures that stand in the text itself; others are links until somebody wants them. */
const inlineImage = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,/i

const Picture = ({ alt, src }: ComponentProps<"img">) => {
  const [isWanted, setWanted] = useState(false)
  const address = typeof src === "string" ? src : ""
  const name = alt === undefined || alt === "" ? "a picture" : alt
  if (address === "") return <span className="tl-picture">{name}</span>
  if (isWanted || inlineImage.test(address)) {
    return <img className="tl-image" src={address} alt={alt ?? ""} referrerPolicy="no-referrer" loading="lazy" />
  }
  const host = URL.canParse(address) ? new URL(address).host : "this server"
  return (
    <button type="button" className="tl-picture" onClick={() => setWanted(true)}>
      <ImageOff className="tl-icon" aria-hidden="true" />
      Load {name} from {host}
    </button>
  )
}

/** Addresses that lead somewhere from a page; agents also link files of their machine, which are shown as they are called. */
const outside = /^(?:https?|mailto):/i

const components: Components = {
  a: ({ children, href = "", title }) =>
    outside.test(href) ? (
      <a href={href} title={title} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    ) : (
      <span className="tl-nowhere" title={href}>
        {children}
      </span>
    ),
  img: ({ alt, src }) => <Picture alt={alt} src={src} />,
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  table: ({ children }) => (
    <div className="tl-table" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  )
}

const remark = [remarkGfm]
// Guessing a language costs more than all else, and guesses wrong.
const rehype: ComponentProps<typeof ReactMarkdown>["rehypePlugins"] = [[rehypeHighlight, { detect: false }]]

const addressOf = (address: string, key: string): string =>
  key === "src" && inlineImage.test(address) ? address : defaultUrlTransform(address)

/** One block. */
export const MarkdownBody = memo(({ text }: { readonly text: string }) => (
  <ReactMarkdown remarkPlugins={remark} rehypePlugins={rehype} components={components} urlTransform={addressOf}>
    {text}
  </ReactMarkdown>
))
