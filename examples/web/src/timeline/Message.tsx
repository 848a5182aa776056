/** What the agent said and thought, and what somebody said where no prompt of this session says it. */
import type { MessageEntry, ReasoningEntry, ReportedError } from "@holdfast/core"
import { Brain, CircleAlert } from "lucide-react"
import { AuthorName, Avatar } from "./Avatar.tsx"
import { Content, PlainText } from "./Content.tsx"
import { Fold } from "./Fold.tsx"
import { Markdown } from "./Markdown.tsx"
import { CutText } from "./Output.tsx"
import { dateText, timeText } from "./Phrases.ts"
import { useKept } from "./SessionScope.ts"

/** An error in the agent's words. */
export const ErrorText = ({ error }: { readonly error: ReportedError }) => (
  <p className="tl-error" role="note">
    <CircleAlert className="tl-icon" aria-hidden="true" />
    <span>
      {error.message}
      {error.code !== undefined && <code className="tl-code-inline">{error.code}</code>}
    </span>
  </p>
)

/** When something was, in the short. */
export const Time = ({ at }: { readonly at: number }) => (
  <time className="tl-time" dateTime={new Date(at).toISOString()} title={dateText(at)}>
    {timeText(at)}
  </time>
)

/** A message. */
export const Message = ({ entry }: { readonly entry: MessageEntry }) => {
  const keep = `message:${entry.seq}`
  const isStreaming = entry.progress === "streaming"
  // A message's content repeats its text where it has any.
  const content = entry.content ?? []
  if (entry.role === "user") {
    return (
      <div className="tl-prompt">
        <Avatar actor={entry.author} />
        <div className="tl-prompt-body">
          <div className="tl-head">
            <AuthorName actor={entry.author} />
            <Time at={entry.at} />
          </div>
          {entry.text !== "" && <PlainText keep={keep} text={entry.text} />}
          <Content blocks={content} keep={keep} text={entry.text === "" ? "plain" : "none"} />
          <CutText shown={entry.text.length} full={entry.cut?.["text"]} />
        </div>
      </div>
    )
  }
  return (
    <div className="tl-message">
      {isStreaming && entry.text === "" ? (
        <span className="tl-thinking">Writing…</span>
      ) : (
        <Markdown keep={keep} text={entry.text} isStreaming={isStreaming} />
      )}
      <Content blocks={content} keep={keep} text={entry.text === "" ? "markdown" : "none"} />
      <CutText shown={entry.text.length} full={entry.cut?.["text"]} />
      {entry.progress === "interrupted" && <p className="tl-cut">Interrupted here.</p>}
      {entry.error !== undefined && <ErrorText error={entry.error} />}
    </div>
  )
}

/** The first line of a thought, without its marks: agents often begin with a bold title. */
const firstLine = (text: string): string =>
  (text.match(/\S[^\n]*/)?.[0] ?? "")
    .replaceAll(/[*_`#]/g, "")
    .trim()
    .slice(0, 140)

/** Reasoning: one line until somebody wants to read it. */
export const Reasoning = ({ entry }: { readonly entry: ReasoningEntry }) => {
  const [isOpen, setOpen] = useKept(`reasoning:${entry.seq}`, false)
  const isStreaming = entry.progress === "streaming"
  const title = firstLine(entry.text)
  return (
    <Fold
      className="tl-reasoning"
      isOpen={isOpen}
      onToggle={setOpen}
      isEmpty={title === "" && entry.error === undefined}
      line={
        <>
          <Brain className="tl-icon" aria-hidden="true" />
          <span className={isStreaming ? "tl-thinking" : "tl-label"}>{isStreaming ? "Thinking" : "Thought"}</span>
          {!isOpen && <span className="tl-summary">{title}</span>}
        </>
      }
    >
      <Markdown keep={`reasoning-text:${entry.seq}`} text={entry.text} isStreaming={isStreaming} />
      <CutText shown={entry.text.length} full={entry.cut?.["text"]} />
      {entry.error !== undefined && <ErrorText error={entry.error} />}
    </Fold>
  )
}
