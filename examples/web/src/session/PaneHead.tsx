/** The head of the main part: the way to the list where that is hidden, and whether the server is heard. */
import { Menu } from "lucide-react"
import type { ReactNode } from "react"
import { ConnectionBadge } from "../connection/ConnectionBadge.tsx"
import { useHost } from "../Host.ts"

export interface PaneHeadProps {
  readonly sidebarOpen: boolean
  readonly onShowSidebar: () => void
  readonly children?: ReactNode
}

export const PaneHead = ({ children, onShowSidebar, sidebarOpen }: PaneHeadProps) => {
  const { client, connected } = useHost()
  return (
    <>
      <header className="pane-head">
        {sidebarOpen ? null : (
          <button className="button icon" type="button" aria-label="Show the list of sessions" onClick={onShowSidebar}>
            <Menu aria-hidden="true" />
          </button>
        )}
        {children}
      </header>
      {sidebarOpen || connected ? null : (
        <div className="pane-connection">
          <ConnectionBadge client={client} />
        </div>
      )}
    </>
  )
}
