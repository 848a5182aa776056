/** What a terminal showed at a point of its past. */
import type { ScreenAnswer } from "@holdfast/core"
import { useEffect, useEffectEvent, useRef } from "react"
import { useTheme } from "../theme/useTheme.ts"
import { terminalColours } from "./colours.ts"
import { type Emulator, makeEmulator } from "./makeEmulator.ts"

export const PastScreen = ({ screen }: { readonly screen: ScreenAnswer }) => {
  const { isDark } = useTheme()
  const place = useRef<HTMLDivElement>(null)
  const emulator = useRef<Emulator>(null)
  const make = useEffectEvent((element: HTMLElement) =>
    makeEmulator(element, { isDark, label: "Terminal of the past", readOnly: true })
  )

  useEffect(() => {
    if (place.current === null) return
    const made = make(place.current)
    emulator.current = made
    return () => {
      made.close()
      emulator.current = null
    }
  }, [])

  useEffect(() => {
    const terminal = emulator.current?.terminal
    if (terminal === undefined) return
    terminal.reset()
    terminal.resize(screen.cols, screen.rows)
    terminal.write(screen.ansi)
  }, [screen])

  useEffect(() => {
    const terminal = emulator.current?.terminal
    if (terminal !== undefined) terminal.options.theme = terminalColours(isDark)
  }, [isDark])

  return (
    <section className="terminal-pane" aria-label={`Terminal as it was at event ${screen.seq}`}>
      <div className="terminal-place" ref={place} />
    </section>
  )
}
