/** The terminal of a session: what its program shows, and what is typed to it. */
import type { ClientSession, ViewState } from "@holdfast/client"
import { Maximize2 } from "lucide-react"
import { useEffect, useEffectEvent, useRef, useState } from "react"
import { useHost } from "../Host.ts"
import { mayDo } from "../session/mayDo.ts"
import { titleOf } from "../session/names.ts"
import { useTheme } from "../theme/useTheme.ts"
import { useMedia } from "../useMedia.ts"
import { TouchKeys } from "./TouchKeys.tsx"
import { type AttachedTerminal, attachTerminal } from "./attachTerminal.ts"

export interface TerminalViewProps {
  readonly session: ClientSession
  readonly view: ViewState
}

export const TerminalView = ({ session, view }: TerminalViewProps) => {
  const { report, you } = useHost()
  const { isDark } = useTheme()
  const place = useRef<HTMLDivElement>(null)
  const attached = useRef<AttachedTerminal>(null)
  const [fits, setFits] = useState(true)
  const [ready, setReady] = useState(false)
  const [control, setControl] = useState(false)
  const onGlass = useMedia("(pointer: coarse)")

  const { present, state, summary } = view
  const canType = mayDo(you, state, "terminal.write") && state?.chart.lifecycle === "open"
  const withOthers = present.some(({ participantId }) => participantId !== you?.participantId)
  const leads = canType && (!withOthers || state.typed?.actor === you?.participantId)

  const attach = useEffectEvent((element: HTMLElement) =>
    attachTerminal(element, session, {
      isDark: () => isDarkNow(),
      label: `Terminal of ${summary === null ? "the session" : titleOf(summary)}`,
      mayType: () => mayType(),
      leads: () => isLeading(),
      takeControl: () => takeControl(),
      onFit: setFits,
      onReady: () => setReady(true),
      onProblem: (error) => onProblem(error)
    })
  )
  const isDarkNow = useEffectEvent(() => isDark)
  const mayType = useEffectEvent(() => canType)
  const takeControl = useEffectEvent(() => {
    setControl(false)
    return control
  })
  const isLeading = useEffectEvent(() => leads)
  const onProblem = useEffectEvent((error: unknown) => report("Typing", error))

  useEffect(() => {
    if (place.current === null) return
    const made = attach(place.current)
    attached.current = made
    made.focus()
    return () => {
      made.close()
      attached.current = null
      setReady(false)
    }
  }, [session])

  useEffect(() => attached.current?.recolour(), [isDark])

  // Whoever comes to lead gives the size.
  useEffect(() => {
    if (leads && ready) attached.current?.fit()
  }, [leads, ready])

  return (
    <section className="terminal-pane" aria-label="Terminal" aria-busy={!ready}>
      <div className="terminal-place" ref={place} />
      {!fits && canType ? (
        <button
          className="button terminal-fit"
          type="button"
          onClick={() => {
            attached.current?.take()
            attached.current?.focus()
          }}
        >
          <Maximize2 aria-hidden="true" />
          Fit to this window
        </button>
      ) : null}
      {onGlass && canType ? (
        <TouchKeys control={control} onControl={setControl} onKey={(key) => attached.current?.press(key)} />
      ) : null}
    </section>
  )
}
