/** What did not work, told at the edge of the page: a few at a time, with details for who wants them. */
import { ClientError } from "@holdfast/client"
import { CircleAlert, X } from "lucide-react"
import { useCallback, useEffect, useRef, useState } from "react"

/** Most toasts at once: the oldest gives way. */
const maxToasts = 4

/** How long one stays that nobody looks at. */
const shownMs = 10_000

interface Toast {
  readonly id: number
  readonly tried: string
  readonly detail: string
  readonly more: string | null
}

const describe = (error: unknown): { readonly detail: string; readonly more: string | null } => {
  if (error instanceof ClientError) {
    const { detail, field, kind, status, title } = error.problem
    const more = [`${title} (${kind}, ${status})`, ...(field === undefined ? [] : [`Field: ${field}`])]
    return { detail, more: more.join("\n") }
  }
  return error instanceof Error
    ? { detail: error.message, more: error.stack ?? null }
    : { detail: String(error), more: null }
}

/** The toasts that are shown, and how to add one. */
export const useToasts = () => {
  const [toasts, setToasts] = useState<ReadonlyArray<Toast>>([])
  const next = useRef(1)
  const report = useCallback((tried: string, error: unknown) => {
    const toast = { id: next.current++, tried, ...describe(error) }
    setToasts((shown) => [...shown, toast].slice(-maxToasts))
  }, [])
  const dismiss = useCallback((id: number) => setToasts((shown) => shown.filter((toast) => toast.id !== id)), [])
  return { toasts, report, dismiss }
}

const ToastCard = ({ dismiss, toast }: { readonly toast: Toast; readonly dismiss: (id: number) => void }) => {
  const [held, setHeld] = useState(false)
  const [open, setOpen] = useState(false)
  useEffect(() => {
    if (held || open) return
    const timer = setTimeout(() => dismiss(toast.id), shownMs)
    return () => clearTimeout(timer)
  }, [dismiss, held, open, toast.id])
  return (
    <li
      className="toast"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <CircleAlert aria-hidden="true" />
      <div className="toast-text">
        <strong>{toast.tried} did not work</strong>
        <p>{toast.detail}</p>
        {toast.more === null ? null : (
          <details onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary>Details</summary>
            <pre>{toast.more}</pre>
          </details>
        )}
      </div>
      <button className="button icon" type="button" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
        <X aria-hidden="true" />
      </button>
    </li>
  )
}

export const Toasts = ({
  dismiss,
  toasts
}: {
  readonly toasts: ReadonlyArray<Toast>
  readonly dismiss: (id: number) => void
}) => (
  <ul className="toasts" role="alert" aria-label="Problems">
    {toasts.map((toast) => (
      <ToastCard key={toast.id} toast={toast} dismiss={dismiss} />
    ))}
  </ul>
)
