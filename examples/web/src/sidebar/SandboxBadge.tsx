/** How the sandbox of a session is doing: an icon and a word, never a colour alone. */
import type { Lifecycle } from "@holdfast/core"
import { Cloud, CloudAlert, CloudMoon, CloudOff, LoaderCircle, Moon } from "lucide-react"
import type { ComponentType } from "react"
import { type SandboxLook, sandboxWords } from "../session/sandboxWords.ts"

const icons: { readonly [L in SandboxLook]: ComponentType } = {
  starting: LoaderCircle,
  ready: Cloud,
  resting: CloudMoon,
  asleep: Moon,
  silent: CloudAlert,
  stopped: CloudOff,
  failed: CloudAlert
}

export interface SandboxBadgeProps {
  /** Null for one that was never asked for. */
  readonly condition: string | null
  readonly lifecycle: Lifecycle
  /** It was started from a snapshot, where that is known. */
  readonly restored?: boolean
  /** For people: why, or how far it is. */
  readonly reason?: string | null
  readonly provider?: string | null
}

export const SandboxBadge = ({ condition, lifecycle, provider, reason, restored }: SandboxBadgeProps) => {
  const { look, words } = sandboxWords(condition, lifecycle, restored)
  const Icon = icons[look]
  const where = provider == null || provider === "" ? "Sandbox" : `Sandbox (${provider})`
  const why = reason == null || reason === "" ? "" : `, ${reason}`
  return (
    <span className="badge sandbox" data-sandbox={look} title={`${where}: ${words}${why}`}>
      <span className="sandbox-icon" aria-hidden="true">
        <Icon />
      </span>
      <span className="sr-only">Sandbox </span>
      <span className="sandbox-words">{words}</span>
      {why === "" ? null : <span className="sr-only">{why}</span>}
    </span>
  )
}
