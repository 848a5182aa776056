/** A structured session as a terminal. */
import type { ClientSession } from "@holdfast/client"
import { useEffect, useEffectEvent, useRef, useState } from "react"
import { useHost } from "../Host.ts"
import { useTheme } from "../theme/useTheme.ts"
import { attachFace } from "./attachFace.ts"

export interface FaceViewProps {
  readonly session: ClientSession
  readonly title: string
  /** The person may only look. */
  readonly readOnly: boolean
  /** Goes back to the timeline. */
  readonly onLeave: () => void
}

export const FaceView = ({ onLeave, readOnly, session, title }: FaceViewProps) => {
  const { report, you } = useHost()
  const { isDark } = useTheme()
  const place = useRef<HTMLDivElement>(null)
  const attached = useRef<ReturnType<typeof attachFace>>(null)
  const [ready, setReady] = useState(false)

  const attach = useEffectEvent((element: HTMLElement) =>
    attachFace(element, session, {
      isDark: () => isDarkNow(),
      label: `${title}, as a terminal`,
      participantId: you?.participantId ?? "",
      readOnly,
      onReady: () => setReady(true),
      onLeave: () => leave(),
      onProblem: (error) => onProblem(error)
    })
  )
  const isDarkNow = useEffectEvent(() => isDark)
  const leave = useEffectEvent(onLeave)
  const onProblem = useEffectEvent((error: unknown) => report("Following the session", error))

  const participantId = you?.participantId
  useEffect(() => {
    if (place.current === null || participantId === undefined) return
    const made = attach(place.current)
    attached.current = made
    made.focus()
    return () => {
      made.close()
      attached.current = null
      setReady(false)
    }
  }, [participantId, readOnly, session])

  useEffect(() => attached.current?.recolour(), [isDark])

  return (
    <section className="terminal-pane" aria-label="Terminal face" aria-busy={!ready}>
      <div className="terminal-place" ref={place} />
    </section>
  )
}
