/** What somebody asked of the agent, from the queue to its turn. */
import type { ContentBlock, PromptEntry } from "@holdfast/core"
import { Check, CornerDownRight, Hourglass, Pencil, Send, X } from "lucide-react"
import { useEffect, useRef } from "react"
import { textOf } from "./Arrangement.ts"
import { AuthorName, Avatar } from "./Avatar.tsx"
import { Content } from "./Content.tsx"
import { ErrorText, Time } from "./Message.tsx"
import { CutText } from "./Output.tsx"
import { countText } from "./Phrases.ts"
import { Problem } from "./Request.tsx"
import { mayAct, useAction, useKept, useScope } from "./SessionScope.ts"

const State = ({ entry }: { readonly entry: PromptEntry }) => {
  switch (entry.status) {
    case "queued":
      return (
        <span className="badge">
          <Hourglass aria-hidden="true" />
          {entry.delivery === "steer" ? "waits to go into the turn" : "waits"}
        </span>
      )
    case "dispatched":
      return (
        <span className="badge">
          <Send aria-hidden="true" />
          on its way
        </span>
      )
    case "withdrawn":
      return <span className="badge">withdrawn{entry.reason === undefined ? "" : `: ${entry.reason}`}</span>
    case "delivered":
      return entry.delivery === "steer" ? (
        <span className="badge">
          <CornerDownRight aria-hidden="true" />
          into the turn
        </span>
      ) : null
  }
}

/** The blocks with other words: what is not text stays. */
const withText = (content: ReadonlyArray<ContentBlock>, text: string): ReadonlyArray<ContentBlock> => [
  { type: "text", text },
  ...content.filter((block) => block.type !== "text")
]

/** A prompt. */
export const Prompt = ({ entry }: { readonly entry: PromptEntry }) => {
  const scope = useScope()
  const { forget, isPending, problem, run } = useAction()
  const [draft, setDraft] = useKept<string | null>(`edit:${entry.promptId}`, null)
  const field = useRef<HTMLTextAreaElement>(null)
  const pencil = useRef<HTMLButtonElement>(null)
  const keep = `prompt:${entry.seq}`
  const mayChange = mayAct(scope) && entry.status === "queued"
  const isEditing = draft !== null && mayChange
  useEffect(() => {
    if (isEditing) field.current?.focus()
  }, [isEditing])
  const stop = () => {
    setDraft(null)
    forget()
    // The pencil is there again once this is drawn.
    requestAnimationFrame(() => pencil.current?.focus())
  }
  const save = async () => {
    if (draft === null || draft.trim() === "") return
    if (await run(() => scope.session.editPrompt(entry.promptId, withText(entry.content, draft)))) stop()
  }
  return (
    <div className={`tl-prompt tl-prompt-${entry.status}`}>
      <Avatar actor={entry.author} />
      <div className="tl-prompt-body">
        <div className="tl-head">
          <AuthorName actor={entry.author} />
          <Time at={entry.at} />
          <State entry={entry} />
          {mayChange && !isEditing && (
            <span className="tl-head-actions">
              <button
                ref={pencil}
                type="button"
                className="tl-small"
                disabled={entry.cut !== undefined}
                title={entry.cut === undefined ? undefined : "It is too long to be edited here"}
                onClick={() => setDraft(textOf(entry))}
              >
                <Pencil aria-hidden="true" /> Edit
              </button>
              <button
                type="button"
                className="tl-small"
                disabled={isPending}
                onClick={() => run(() => scope.session.withdrawPrompt(entry.promptId))}
              >
                <X aria-hidden="true" /> Withdraw
              </button>
            </span>
          )}
        </div>
        {isEditing ? (
          <form
            onSubmit={(event) => {
              event.preventDefault()
              void save()
            }}
          >
            <textarea
              ref={field}
              className="input tl-edit"
              aria-label="The prompt"
              value={draft}
              rows={Math.min(12, draft.split("\n").length + 1)}
              onChange={(event) => setDraft(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Escape") {
                  event.stopPropagation()
                  stop()
                }
                if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
                  event.preventDefault()
                  void save()
                }
              }}
            />
            <div className="tl-buttons">
              <button type="submit" className="button primary" disabled={isPending || draft.trim() === ""}>
                <Check aria-hidden="true" /> Save
              </button>
              <button type="button" className="button" onClick={stop}>
                Cancel
              </button>
            </div>
          </form>
        ) : (
          <Content blocks={entry.content} keep={keep} text="plain" />
        )}
        <CutText
          shown={entry.content.reduce((sum, block) => sum + (block.type === "text" ? block.text.length : 0), 0)}
          full={entry.cut?.["content"]}
        />
        {entry.returned > 0 && entry.status !== "delivered" && (
          <p className="tl-cut">
            The agent did not take it ({countText(entry.returned, "time")}); it waits for the next occasion.
          </p>
        )}
        {entry.error !== undefined && entry.status !== "delivered" && <ErrorText error={entry.error} />}
        <Problem text={problem} />
      </div>
    </div>
  )
}
