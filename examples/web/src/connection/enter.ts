/** How a page becomes somebody's: by the one-time token of a start link, or by the cookie that it had been given for one. */
import { Problem } from "@holdfast/core"
import { Schema } from "effect"

/** Whether the server knows whose page this is. */
export type Entered = { readonly entered: true } | { readonly entered: false; readonly why: string | null }

/** The token of a start link, where this page was opened by one. */
export const startToken = (): string | undefined => /^#start=(.+)$/.exec(location.hash)?.[1]

const isProblem = Schema.is(Problem)

const problemOf = async (response: Response): Promise<string> => {
  const text = await response.text()
  try {
    const body: unknown = JSON.parse(text)
    if (isProblem(body)) return body.detail
  } catch {
    // Not the server's own words: a proxy's page, say.
  }
  return `The server answered ${response.status} ${response.statusText}`
}

/** Enters, and takes the token out of the address bar whatever comes of it: it counts once. */
export const enter = async (): Promise<Entered> => {
  const token = startToken()
  try {
    if (token !== undefined) {
      history.replaceState(null, "", `${location.pathname}${location.search}`)
      const answer = await fetch("/api/v1/auth/start", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: decodeURIComponent(token) })
      })
      if (answer.ok) return { entered: true }
      // A used link in a browser that has the cookie of its first use is no problem.
      const why = await problemOf(answer)
      return (await fetch("/api/v1/me")).ok ? { entered: true } : { entered: false, why }
    }
    const me = await fetch("/api/v1/me")
    if (me.ok) return { entered: true }
    return { entered: false, why: me.status === 401 ? null : await problemOf(me) }
  } catch (error) {
    return { entered: false, why: `The server does not answer (${error instanceof Error ? error.message : error}).` }
  }
}

/** A start link that is opened in a tab which has the page already changes only the fragment: begins anew with it. */
export const watchStartLinks = (): void => {
  window.addEventListener("hashchange", () => {
    if (startToken() !== undefined) location.reload()
  })
}
