/** A session's title, which can be changed where it stands. */
import { Pencil } from "lucide-react"
import { useState } from "react"

export interface SessionTitleProps {
  readonly title: string
  /** Undefined where the person may not rename. */
  readonly onRename: ((title: string) => void) | undefined
  readonly editing: boolean
  readonly setEditing: (editing: boolean) => void
}

export const SessionTitle = ({ editing, onRename, setEditing, title }: SessionTitleProps) => {
  const [draft, setDraft] = useState(title)
  if (editing && onRename !== undefined) {
    const end = (keep: boolean) => {
      setEditing(false)
      const next = draft.trim()
      if (keep && next !== "" && next !== title) onRename(next)
    }
    return (
      <input
        className="input title-input"
        aria-label="Title of the session"
        autoFocus
        maxLength={1_000}
        value={draft}
        onChange={({ target }) => setDraft(target.value)}
        onFocus={({ target }) => target.select()}
        onBlur={() => end(true)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== "Escape") return
          event.preventDefault()
          end(event.key === "Enter")
        }}
      />
    )
  }
  const edit = () => {
    setDraft(title)
    setEditing(true)
  }
  return (
    <span className="title">
      <h1 title={title} onDoubleClick={onRename === undefined ? undefined : edit}>
        {title}
      </h1>
      {onRename === undefined ? null : (
        <button className="button icon" type="button" aria-label="Rename" title="Rename" onClick={edit}>
          <Pencil aria-hidden="true" />
        </button>
      )}
    </span>
  )
}
