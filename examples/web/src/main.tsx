/** The entry point. */
// First of all, so that the styles of what is imported next add to these.
import "./style/tokens.css"
import "./style/base.css"
import "./style/shell.css"
import "./style/sidebar.css"
import "./style/session.css"
import "./style/dialogs.css"
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { App, lazyClient } from "./App.tsx"
import { enter, startToken, watchStartLinks } from "./connection/enter.ts"

watchStartLinks()
// A link to a session mostly is one to a terminal: what draws it loads beside the rest. Where it cannot be had, the pane that needs it
// asks again, and says so.
if (location.hash.startsWith("#session=")) import("./terminal/TerminalView.tsx").catch(() => undefined)

const client = lazyClient()
// Whoever has the cookie already is connected while the page is being drawn; whoever has not is refused, and told so.
if (startToken() === undefined) client()

const root = document.getElementById("root")
if (root === null) throw new Error("index.html has no #root")
createRoot(root).render(
  <StrictMode>
    <App entering={enter()} client={client} />
  </StrictMode>
)
