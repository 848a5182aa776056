/** Asks before what cannot be taken back. */
import { Dialog } from "./Dialog.tsx"

export interface ConfirmDialogProps {
  readonly title: string
  readonly detail: string
  /** What the button says that does it. */
  readonly action: string
  readonly onConfirm: () => void
  readonly onClose: () => void
}

export const ConfirmDialog = ({ action, detail, onClose, onConfirm, title }: ConfirmDialogProps) => (
  <Dialog title={title} onClose={onClose}>
    <div className="dialog-body">
      <p>{detail}</p>
    </div>
    <footer className="dialog-foot">
      <button className="button" type="button" onClick={onClose}>
        Cancel
      </button>
      <button
        className="button danger"
        type="button"
        onClick={() => {
          onClose()
          onConfirm()
        }}
      >
        {action}
      </button>
    </footer>
  </Dialog>
)
