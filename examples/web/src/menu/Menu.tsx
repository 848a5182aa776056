/** A button that opens a menu. Arrows, Home and End move in it; Escape, Tab and a click elsewhere close it. */
import { type ComponentType, type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react"

/** An entry: an action, a link to download, or a line between. */
export type MenuEntry =
  | {
      readonly label: string
      readonly Icon: ComponentType<{ readonly "aria-hidden": true }>
      readonly onChoose: () => void
      readonly danger?: boolean
    }
  | { readonly label: string; readonly Icon: ComponentType<{ readonly "aria-hidden": true }>; readonly href: string }
  | "line"

export interface MenuProps {
  readonly label: string
  readonly icon: ReactNode
  readonly entries: ReadonlyArray<MenuEntry>
}

export const Menu = ({ entries, icon, label }: MenuProps) => {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const id = useId()

  useEffect(() => {
    if (!open) return
    root.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus()
    const elsewhere = (event: PointerEvent) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) setOpen(false)
    }
    window.addEventListener("pointerdown", elsewhere, { capture: true })
    return () => window.removeEventListener("pointerdown", elsewhere, { capture: true })
  }, [open])

  const close = () => {
    setOpen(false)
    button.current?.focus()
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])]
    const at = items.indexOf(document.activeElement as HTMLElement)
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key]
    if (to !== undefined) items[(to + items.length) % items.length]?.focus()
    else if (event.key === "Escape") close()
    else if (event.key === "Tab") setOpen(false)
    if (to !== undefined || event.key === "Escape") event.preventDefault()
  }

  return (
    <div className="menu-root" ref={root}>
      <button
        ref={button}
        className="button icon"
        type="button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        {icon}
      </button>
      {open ? (
        <div className="menu" role="menu" id={id} aria-label={label} tabIndex={-1} onKeyDown={onKeyDown}>
          {entries.map((entry, index) => {
            if (entry === "line") return <hr key={`line-${index}`} />
            if ("href" in entry) {
              return (
                <a
                  key={entry.label}
                  role="menuitem"
                  href={entry.href}
                  download
                  tabIndex={-1}
                  onClick={() => setOpen(false)}
                >
                  <entry.Icon aria-hidden={true} />
                  {entry.label}
                </a>
              )
            }
            return (
              <button
                key={entry.label}
                role="menuitem"
                type="button"
                tabIndex={-1}
                className={entry.danger === true ? "danger" : undefined}
                onClick={() => {
                  close()
                  entry.onChoose()
                }}
              >
                <entry.Icon aria-hidden={true} />
                {entry.label}
              </button>
            )
          })}
        </div>
      ) : null}
    </div>
  )
}
