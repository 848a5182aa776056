/** The cookie of browsers: readable by no script, sent to this server alone, 30 days. */
import { Duration } from "effect"
import { Cookies } from "effect/http"
import { header, type HeadersLike } from "./RequestGuard.ts"

/** How long a cookie lives, in milliseconds: 30 days. */
export const cookieLifetimeMs = 30 * 86_400_000

/** A cookie older than this is replaced at its next use, in milliseconds: a day. So who comes by every month stays. */
export const cookieRenewalMs = 86_400_000

/**
 * The cookie's name. It has the port in it, since browsers send cookies of one host to all of its ports, and two servers on
 * one machine would else replace each other's.
 */
export const cookieName = (hostHeader: string | undefined): string => {
  const port = /:(\d{1,5})$/.exec(hostHeader ?? "")?.[1]
  return port === undefined ? "holdfast" : `holdfast-${port}`
}

/** The session cookie among those of a request. */
export const readSessionCookie = (headers: HeadersLike): string | undefined => {
  const name = cookieName(header(headers, "host"))
  const found = Cookies.parseHeader(header(headers, "cookie") ?? "")
  return Object.hasOwn(found, name) ? found[name] : undefined
}

/** The value of `Set-Cookie` that gives it; an empty value takes it away. `secure` for all that came over TLS. */
export const sessionCookie = (value: string, hostHeader: string | undefined, secure: boolean): string =>
  Cookies.serializeCookie(
    Cookies.makeCookieUnsafe(cookieName(hostHeader), value, {
      httpOnly: true,
      sameSite: "strict",
      secure,
      path: "/",
      maxAge: value === "" ? Duration.zero : Duration.millis(cookieLifetimeMs)
    })
  )
