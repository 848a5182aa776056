/** Whether the page hears the server: which attempt this is where it does not, and a button that tries at once. */
import type { HoldfastClient } from "@holdfast/client"
import { CloudOff, RotateCw, Wifi } from "lucide-react"
import { useLive } from "../session/useLive.ts"
import { useNow } from "../time/useNow.ts"

const words = (phase: string, attempt: number, seconds: number | null): string => {
  switch (phase) {
    case "connected":
      return "Connected"
    case "connecting":
      return "Connecting…"
    case "reconnecting":
    case "offline": {
      const what = phase === "offline" ? "Offline" : "Reconnecting"
      return seconds === null || seconds <= 0
        ? `${what}, attempt ${attempt}…`
        : `${what}, attempt ${attempt} in ${seconds} s`
    }
    case "refused":
      return "Signed out"
    default:
      return "Closed"
  }
}

export const ConnectionBadge = ({ client }: { readonly client: HoldfastClient }) => {
  const { attempt, phase, problem, retryAt } = useLive(client.connection)
  const waits = retryAt !== null && phase !== "connected"
  const now = useNow(waits ? 1_000 : null)
  const seconds = waits ? Math.ceil((retryAt - now) / 1_000) : null
  const isDown = phase === "reconnecting" || phase === "offline"
  return (
    <div className="connection" data-phase={phase} title={problem ?? undefined}>
      {phase === "connected" ? <Wifi aria-hidden="true" /> : <CloudOff aria-hidden="true" />}
      <span className="connection-words">{words(phase, attempt, seconds)}</span>
      {/* The seconds are not read out: only that it changed. */}
      <span className="sr-only" role="status">
        {isDown ? `${words(phase, attempt, null)} ${problem ?? ""}` : words(phase, attempt, null)}
      </span>
      {isDown ? (
        <button className="button quiet" type="button" onClick={() => client.reconnectNow()}>
          <RotateCw aria-hidden="true" />
          Retry now
        </button>
      ) : null}
    </div>
  )
}
