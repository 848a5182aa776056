/** A block of code that can be copied. */
import { Check, Copy } from "lucide-react"
import { isValidElement, type ReactNode, useEffect, useRef, useState } from "react"

/** How long it is said that something was copied, in milliseconds. */
const saidForMs = 1_500

/** The language that the code says it is in. */
const languageOf = (children: ReactNode): string => {
  const props = isValidElement<{ className?: string }>(children) ? children.props : {}
  return /\blanguage-([\w+#.-]+)/.exec(props.className ?? "")?.[1] ?? ""
}

/** The block, with its language and a button. */
export const CodeBlock = ({ children }: { readonly children?: ReactNode }) => {
  const pre = useRef<HTMLPreElement>(null)
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), saidForMs)
    return () => clearTimeout(timer)
  }, [isCopied])
  const language = languageOf(children)
  const copy = () => {
    // Without a secure context, or where it is forbidden, there is no clipboard: then the text can still be selected.
    navigator.clipboard?.writeText(pre.current?.textContent ?? "").then(
      () => setCopied(true),
      () => setCopied(false)
    )
  }
  return (
    <div className="tl-code">
      <div className="tl-code-bar">
        <span>{language}</span>
        <button type="button" className="tl-small" onClick={copy} aria-label="Copy this code">
          {isCopied ? <Check aria-hidden="true" /> : <Copy aria-hidden="true" />}
          {isCopied ? "Copied" : "Copy"}
        </button>
      </div>
      <pre ref={pre} tabIndex={0}>
        {children}
      </pre>
    </div>
  )
}
