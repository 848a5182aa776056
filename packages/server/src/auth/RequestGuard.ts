/**
 * What is refused before anybody asks who speaks: names that are not ours (DNS rebinding), and pages of other origins.
 * Plain functions over headers, for requests and upgrades alike.
 */
import { type Problem, problem } from "@holdfast/core"
import { isLoopback } from "../http/Loopback.ts"
import type { ServerConfig } from "../ServerOptions.ts"

/** Headers by their names in lower case, as Node and Effect give them. */
export interface HeadersLike {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/** A header that may be given once. Given several times it counts as missing. */
export const header = (headers: HeadersLike, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === "string" ? value : undefined
}

/** What guards a server, made once of its options. */
export interface RequestGuard {
  /** Whether the request is for this server by one of its names, and from no other origin than those that may. */
  readonly check: (headers: HeadersLike) => Problem | undefined
  /** The same for an upgrade to a WebSocket, before and after it is known who asks. */
  readonly checkUpgrade: (headers: HeadersLike, by?: { readonly byCookie: boolean }) => Problem | undefined
  /**
   * Whether who needs no token that a page had to know (a cookie, or everybody on an open server) may change something:
   * only from our own page, or from no page at all.
   */
  readonly checkChange: (
    method: string,
    headers: HeadersLike,
    by: { readonly byCookie: boolean }
  ) => Problem | undefined
  /** Headers of an answer to a page of another origin that may use the API; for the same one, and others, only `Vary`. */
  readonly corsHeaders: (headers: HeadersLike) => Readonly<Record<string, string>>
  /** The whole answer (204 or 403) to a preflight; undefined where the request is none. */
  readonly preflight: (
    method: string | undefined,
    headers: HeadersLike
  ) => { readonly status: 204 | 403; readonly headers: Readonly<Record<string, string>> } | undefined
  /** Whether the browser sees the server over TLS, by its own or a proxy's: then cookies are for TLS alone. */
  readonly isSecure: (headers: HeadersLike) => boolean
}

/** What the guard needs of a server's options. */
export type GuardOptions = Pick<ServerConfig, "host" | "tls" | "allowedHosts" | "allowedOrigins">

/** How long a browser may remember the answer to a preflight: 10 minutes. */
const preflightSeconds = 600

const safeMethods = ["GET", "HEAD", "OPTIONS"]

/** Makes the guard. */
export const makeRequestGuard = (options: GuardOptions): RequestGuard => {
  const scheme = options.tls === undefined ? "http" : "https"
  const allowedHosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()))
  const allowedOrigins = new Set(options.allowedOrigins.map((origin) => origin.toLowerCase()))
  const listening = options.host.toLowerCase().replace(/^\[|\]$/g, "")

  const isOurHost = (host: string | undefined): host is string => {
    const parts = splitHost(host)
    if (parts === undefined) return false
    return (
      isLoopback(parts.name) ||
      parts.name === listening ||
      allowedHosts.has(parts.name) ||
      allowedHosts.has(parts.whole)
    )
  }

  /** Behind a proxy that does TLS, the page's origin has another scheme than this server. */
  const isOwnOrigin = (headers: HeadersLike): boolean => {
    const parts = splitHost(header(headers, "host"))
    const origin = header(headers, "origin")
    if (parts === undefined || origin === undefined) return false
    const asked = origin.toLowerCase()
    if (asked === `${scheme}://${withoutDefaultPort(parts.whole, scheme)}`) return true
    return !isLoopback(parts.name) && asked === `https://${withoutDefaultPort(parts.whole, "https")}`
  }

  const isAllowedOrigin = (origin: string): boolean => allowedOrigins.has(origin.toLowerCase())

  const check: RequestGuard["check"] = (headers) => {
    if (!isOurHost(header(headers, "host"))) {
      return problem(
        "forbidden",
        "this server is not called by that name: add it to allowedHosts, or use another one",
        {
          field: "host"
        }
      )
    }
    const origin = header(headers, "origin")
    if (origin !== undefined && !isOwnOrigin(headers) && !isAllowedOrigin(origin)) return foreignOrigin
    return undefined
  }

  const checkChange: RequestGuard["checkChange"] = (method, headers, { byCookie }) => {
    if (safeMethods.includes(method.toUpperCase())) return undefined
    if (byCookie) return isOwnOrigin(headers) ? undefined : cookieNeedsOrigin
    const site = header(headers, "sec-fetch-site")
    return header(headers, "origin") === undefined && (site === "cross-site" || site === "same-site")
      ? foreignOrigin
      : undefined
  }

  const corsHeaders: RequestGuard["corsHeaders"] = (headers) => {
    const origin = header(headers, "origin")
    return origin === undefined || isOwnOrigin(headers) || !isAllowedOrigin(origin)
      ? { vary: "Origin" }
      : {
          vary: "Origin",
          "access-control-allow-origin": origin,
          "access-control-expose-headers": "etag, content-disposition, retry-after"
        }
  }

  return {
    check,
    checkChange,
    checkUpgrade: (headers, by) =>
      check(headers) ?? (by?.byCookie === true && !isOwnOrigin(headers) ? cookieNeedsOrigin : undefined),
    corsHeaders,
    preflight: (method, headers) => {
      const origin = header(headers, "origin")
      if (
        method !== "OPTIONS" ||
        origin === undefined ||
        header(headers, "access-control-request-method") === undefined
      )
        return
      if (check(headers) !== undefined || !isAllowedOrigin(origin)) return { status: 403, headers: { vary: "Origin" } }
      return {
        status: 204,
        headers: {
          ...corsHeaders(headers),
          "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
          "access-control-allow-headers": "authorization, content-type, if-match, if-none-match, last-event-id",
          "access-control-max-age": String(preflightSeconds)
        }
      }
    },
    isSecure: (headers) => {
      const origin = header(headers, "origin")
      if (scheme === "https" || origin !== undefined) return scheme === "https" || origin!.startsWith("https://")
      // A page's own GET says no origin. A browser ignores a cookie for TLS alone that came without.
      return !isLoopback(splitHost(header(headers, "host"))?.name ?? "")
    }
  }
}

const foreignOrigin = problem("forbidden", "pages of this origin may not use this server: add it to allowedOrigins", {
  field: "origin"
})

const cookieNeedsOrigin = problem("forbidden", "with a cookie this takes a request from the server's own page", {
  field: "origin"
})

/** The header `Host`, in lower case: its name without port and brackets, and all of it. */
const splitHost = (host: string | undefined): { readonly name: string; readonly whole: string } | undefined => {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host ?? "")
  const name = match?.[1] ?? match?.[2]
  return name === undefined ? undefined : { name: name.toLowerCase(), whole: match![0].toLowerCase() }
}

/** Browsers leave the scheme's own port out of an origin; a `Host` may have it. */
const withoutDefaultPort = (host: string, scheme: string): string =>
  host.replace(scheme === "https" ? /:443$/ : /:80$/, "")
