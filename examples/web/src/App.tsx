/** The whole page. */
import { connect, type HoldfastClient } from "@holdfast/client"
import { Component, type ErrorInfo, type ReactNode, useEffect, useState } from "react"
import { SignedOut } from "./connection/SignedOut.tsx"
import type { Entered } from "./connection/enter.ts"
import { Shell } from "./Shell.tsx"

/** A fault of the page's own: said, with a way on, instead of an empty page. */
class Fault extends Component<{ readonly children: ReactNode }, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null }

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }

  override componentDidCatch(error: Error, info: ErrorInfo) {
    console.error(error, info.componentStack)
  }

  override render() {
    const { error } = this.state
    return error === null ? (
      this.props.children
    ) : (
      <main className="signed-out">
        <div className="signed-out-card" role="alert">
          <h1>The page has a fault</h1>
          <p>Sessions go on without it, and nothing of them is lost.</p>
          <pre>{`${error.name}: ${error.message}`}</pre>
          <button className="button" type="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </div>
      </main>
    )
  }
}

const Inside = ({ client, entering }: AppProps) => {
  // Not by `use` and `Suspense`, which would hold back what comes next for 0.3 s: see later.tsx.
  const [entered, setEntered] = useState<Entered>()
  useEffect(() => {
    let isShown = true
    const enter = async () => {
      const known = await entering
      if (isShown) setEntered(known)
    }
    void enter()
    return () => {
      isShown = false
    }
  }, [entering])
  if (entered === undefined) return <div className="entering" role="status" aria-label="Coming in" />
  return entered.entered ? <Shell client={client()} /> : <SignedOut why={entered.why} />
}

export interface AppProps {
  readonly entering: Promise<Entered>
  /** The page's one client, made when it is first asked for. */
  readonly client: () => HoldfastClient
}

export const App = (props: AppProps) => (
  <Fault>
    <Inside {...props} />
  </Fault>
)

/** Makes the page's client on first use. */
export const lazyClient = (): (() => HoldfastClient) => {
  let client: HoldfastClient | undefined
  return () => (client ??= connect({ url: location.origin }))
}
