/** How the sandbox of a session is doing: an icon and a word, never a colour alone. */
import type { Lifecycle } from "@holdfast/core"
import { Cloud, CloudAlert, CloudOff, LoaderCircle, Moon } from "lucide-react"
import type { ComponentType } from "react"
import { type SandboxLook, sandboxWords } from "../session/sandboxWords.ts"

const icons: { readonly [L in SandboxLook]: ComponentType } = {
  starting: LoaderCircle,
  ready: Cloud,
  asleep: Moon,
  silent: CloudAlert,
  stopped: CloudOff,
  failed: CloudAlert
}

export interface SandboxBadgeProps {
  readonly condition: string
  readonly lifecycle: Lifecycle
  /** For people: why, or how far it is. */
  readonly reason?: string | null
  readonly provider?: string | null
}

export const SandboxBadge = ({ condition, lifecycle, provider, reason }: SandboxBadgeProps) => {
  const { look, words } = sandboxWords(condition, lifecycle)
  const Icon = icons[look]
  const where = provider == null || provider === "" ? "Sandbox" : `Sandbox (${provider})`
  return (
    <span
      className="badge sandbox"
      data-sandbox={look}
      title={`${where}: ${words}${reason == null || reason === "" ? "" : `, ${reason}`}`}
    >
      <span className="sandbox-icon" aria-hidden="true">
        <Icon />
      </span>
      <span className="sr-only">Sandbox </span>
      <span className="sandbox-words">{words}</span>
    </span>
  )
}
