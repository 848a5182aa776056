/** A broker for hosts that have tokens at hand. */
import { Effect } from "effect"
import type { CredentialBroker, GitCredentials } from "./CredentialBroker.ts"

/** What forges take beside a token as the user: GitHub documents it for tokens of apps, and takes any for other tokens. */
const tokenUser = "x-access-token"

/**
 * Gives a token to the repositories below a URL: `{ "https://github.com/acme": "…" }` to all of `acme`, and to no `acme2`. The
 * longest fitting URL counts. A user of its own, where the forge wants one, comes with the token. A session gets the same as
 * any other: a host that serves people who must not see each other's repositories asks its own broker who they are.
 *
 * @throws {TypeError} where one is no `http(s)` URL, or has credentials, a query or a fragment.
 */
export const tokenCredentials = (tokens: Readonly<Record<string, string | GitCredentials>>): CredentialBroker => {
  const known = Object.entries(tokens).map(([url, token]) => ({
    ...placeOf(url),
    credentials: typeof token === "string" ? { username: tokenUser, password: token } : token
  }))
  // The longest first.
  known.sort((one, other) => other.path.length - one.path.length)
  return {
    credentials: ({ repository }) =>
      Effect.sync(() => {
        if (!URL.canParse(repository)) return null
        const { origin, pathname } = new URL(repository)
        // A path that could mean another one after decoding gets nothing.
        if (/%2f|%5c|%2e/i.test(pathname)) return null
        const fits = known.find((place) => place.origin === origin && asFolder(pathname).startsWith(place.path))
        return fits?.credentials ?? null
      })
  }
}

const placeOf = (url: string) => {
  const { hash, origin, password, pathname, protocol, search, username } = new URL(url)
  if (!/^https?:$/.test(protocol) || username + password + search + hash !== "") {
    throw new TypeError("tokenCredentials expects http(s) URLs without user, password, query and fragment")
  }
  return { origin, path: asFolder(pathname) }
}

/** `/acme` as `/acme/`, which does not begin `/acme2/`; `/acme/app.git` is the same as `/acme/app`. */
const asFolder = (path: string): string => `${path.replace(/\/+$/, "").replace(/\.git$/, "")}/`
