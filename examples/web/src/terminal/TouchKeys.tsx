/** The keys that terminals need and keyboards on glass do not have. */
import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp } from "lucide-react"
import type { ReactNode } from "react"

/** One of them. */
export type TouchKey = "escape" | "tab" | "up" | "down" | "left" | "right"

const keys: ReadonlyArray<readonly [key: TouchKey, label: string, face: ReactNode]> = [
  ["escape", "Escape", "esc"],
  ["tab", "Tab", "tab"],
  ["left", "Left", <ArrowLeft key="left" aria-hidden="true" />],
  ["up", "Up", <ArrowUp key="up" aria-hidden="true" />],
  ["down", "Down", <ArrowDown key="down" aria-hidden="true" />],
  ["right", "Right", <ArrowRight key="right" aria-hidden="true" />]
]

/** What a key sends; programs choose between two kinds of arrows. */
export const touchSequence = (key: TouchKey, applicationCursor: boolean): string => {
  const arrow = applicationCursor ? "\u001bO" : "\u001b["
  return { escape: "\u001b", tab: "\t", up: `${arrow}A`, down: `${arrow}B`, right: `${arrow}C`, left: `${arrow}D` }[key]
}

/** What a character is with Ctrl: `c` is 3. Other than letters and `@[\]^_` stay as they are. */
export const withControl = (text: string): string =>
  /^[@-_a-z]$/.test(text) ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 0x1f) : text

export interface TouchKeysProps {
  readonly onKey: (key: TouchKey) => void
  /** The next character is meant with Ctrl. */
  readonly control: boolean
  readonly onControl: (control: boolean) => void
}

export const TouchKeys = ({ control, onControl, onKey }: TouchKeysProps) => (
  // The terminal keeps the focus, and the keyboard stays up.
  <div className="touch-keys" role="toolbar" aria-label="Keys" onPointerDown={(event) => event.preventDefault()}>
    <button className="button" type="button" aria-pressed={control} onClick={() => onControl(!control)}>
      ctrl
    </button>
    {keys.map(([key, label, face]) => (
      <button key={key} className="button" type="button" aria-label={label} onClick={() => onKey(key)}>
        {face}
      </button>
    ))}
  </div>
)
