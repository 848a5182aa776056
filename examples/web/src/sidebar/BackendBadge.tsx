/** What a session runs on, and where. */
import { Bot, Braces, Cloud, SquareTerminal } from "lucide-react"
import type { ComponentType } from "react"

const known: { readonly [backend: string]: { readonly name: string; readonly Icon: ComponentType } } = {
  pty: { name: "Terminal", Icon: SquareTerminal },
  codex: { name: "Codex", Icon: Bot },
  opencode: { name: "Opencode", Icon: Braces },
  cloud: { name: "Sandbox", Icon: Cloud }
}

/** How people call a backend. */
export const backendName = (backend: string): string => known[backend]?.name ?? backend

export const BackendIcon = ({ backend }: { readonly backend: string }) => {
  const Icon = known[backend]?.Icon ?? Bot
  return <Icon aria-hidden="true" />
}

/** `remote`: it runs in a sandbox and not on the server's own machine. */
export const BackendBadge = ({ backend, remote = false }: { readonly backend: string; readonly remote?: boolean }) => (
  <span className="badge backend" data-backend={backend}>
    <BackendIcon backend={backend} />
    {backendName(backend)}
    {remote && backend !== "cloud" ? <Cloud role="img" aria-label="in the cloud" /> : null}
  </span>
)
