/** What all parts of the page share. */
import type { HoldfastClient } from "@holdfast/client"
import type { Identity } from "@holdfast/core"
import { createContext, useContext } from "react"

/** The page's client, whose page it is, and where problems are shown. */
export interface Host {
  readonly client: HoldfastClient
  /** Null before the server has said it. */
  readonly you: Identity | null
  /** Whether commands reach the server now. */
  readonly connected: boolean
  /** Tells the person, in a toast, that something did not work: what was tried ("Rename the session"), and the error. */
  readonly report: (tried: string, error: unknown) => void
}

export const HostContext = createContext<Host | null>(null)

/** What the page shares. */
export const useHost = (): Host => {
  const host = useContext(HostContext)
  if (host === null) throw new Error("useHost outside of HostContext")
  return host
}
