/** A line that unfolds. */
import { ChevronRight } from "lucide-react"
import { type ReactNode, useId } from "react"

/** What a fold is given. */
export interface FoldProps {
  readonly isOpen: boolean
  readonly onToggle: (open: boolean) => void
  readonly line: ReactNode
  readonly className?: string
  /** Nothing is below it: the line is shown without a button. */
  readonly isEmpty?: boolean
  readonly children?: ReactNode
}

/** A button line and, while it is open, what is below it. */
export const Fold = ({ children, className = "", isEmpty = false, isOpen, line, onToggle }: FoldProps) => {
  const id = useId()
  if (isEmpty) {
    return (
      <div className={`tl-fold ${className}`}>
        <div className="tl-fold-line">{line}</div>
      </div>
    )
  }
  return (
    <div className={`tl-fold ${className}`}>
      <button
        type="button"
        className="tl-fold-line"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => onToggle(!isOpen)}
      >
        {line}
        <ChevronRight className="tl-chevron" aria-hidden="true" />
      </button>
      {isOpen && (
        <div id={id} className="tl-fold-body">
          {children}
        </div>
      )}
    </div>
  )
}
