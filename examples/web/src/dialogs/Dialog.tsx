/** A dialog: the browser's own, with its focus trap, its Escape and its return of the focus. */
import { X } from "lucide-react"
import { type ReactNode, useEffect, useId, useRef } from "react"

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ReactNode
  readonly wide?: boolean
  /** A click beside it does not close it: something is under way. */
  readonly sticky?: boolean
}

export const Dialog = ({ children, onClose, sticky = false, title, wide = false }: DialogProps) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    // Not the button that closes it.
    element?.querySelector<HTMLElement>(".dialog-body :is(input, textarea), .dialog-foot button")?.focus()
    return () => element?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onPointerDown={(event) => {
        // Beside the card: on the backdrop.
        if (event.target === dialog.current && !sticky) onClose()
      }}
    >
      <div className="dialog-card">
        <header className="dialog-head">
          <h2 id={heading}>{title}</h2>
          <button className="button icon" type="button" aria-label="Close" onClick={onClose}>
            <X aria-hidden="true" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
