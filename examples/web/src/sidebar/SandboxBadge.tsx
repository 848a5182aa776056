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
  /** Says nothing of a sandbox of which there is nothing to say. */
  readonly isBrief?: boolean
}

export const SandboxBadge = ({ condition, isBrief = false, lifecycle, provider, reason }: SandboxBadgeProps) => {
  const { look, words } = sandboxWords(condition, lifecycle)
  if (isBrief && (look === "ready" || look === "stopped")) return null
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
      {words}
    </span>
  )
}
