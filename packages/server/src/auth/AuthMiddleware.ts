/** Who calls an endpoint: what its request brings as proof, read, checked and turned into a caller or a problem. */
import { Effect, Layer, Option } from "effect"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Authenticated, CurrentCaller } from "../api/Authenticated.ts"
import { problemOf } from "../api/ProblemOf.ts"
import { Refused } from "../api/Problems.ts"
import { Authenticator, type Caller, type Credentials } from "./Authenticator.ts"
import { header, type HeadersLike, type RequestGuard } from "./RequestGuard.ts"
import { readSessionCookie, sessionCookie } from "./SessionCookie.ts"

/** The credential of `Authorization: Bearer …`; undefined for any other scheme. */
export const readBearer = (authorization: string | undefined): string | undefined =>
  /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]

/** Of a request's target, which may be anything: no URL is made of it. */
const readTicket = (target: string): string | undefined => {
  const query = target.indexOf("?")
  return query === -1 ? undefined : (new URLSearchParams(target.slice(query)).get("ticket") ?? undefined)
}

/** What a request brings as proof. A ticket counts where `takesTicket` says so: for sockets and event streams. */
export const readCredentials = (
  headers: HeadersLike,
  url: string,
  address: string,
  takesTicket: boolean
): Credentials => ({
  bearer: readBearer(header(headers, "authorization")),
  ticket: takesTicket ? readTicket(url) : undefined,
  cookie: readSessionCookie(headers),
  address
})

/** The only endpoint that takes a ticket: browsers cannot set headers on an event stream. */
const takesTicket = (url: string): boolean => /^\/api\/v1\/sessions\/[^/?]+\/events\/stream(?:\?|$)/.test(url)

/** Who sends the request at hand, once it has passed the guard. */
export const callerOf = (
  guard: RequestGuard
): Effect.Effect<Caller, Refused, HttpServerRequest.HttpServerRequest | Authenticator> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const authenticator = yield* Authenticator
    yield* sayHow
    const guarded = guard.check(request.headers)
    if (guarded !== undefined) return yield* new Refused({ problem: guarded })
    const address = Option.getOrElse(request.remoteAddress, () => "")
    const credentials = readCredentials(request.headers, request.url, address, takesTicket(request.url))
    const caller = yield* Effect.mapError(
      authenticator.authenticate(credentials),
      (error) => new Refused({ problem: problemOf(error) })
    )
    const change = guard.checkChange(request.method, request.headers, caller)
    if (change !== undefined) return yield* new Refused({ problem: change })
    return caller
  })

/** Finds out who calls for the endpoints behind {@link Authenticated}, and gives a cookie that grows old anew. */
export const layerAuthenticated = (guard: RequestGuard): Layer.Layer<Authenticated, never, Authenticator> =>
  Layer.effect(
    Authenticated,
    Effect.map(
      Authenticator,
      (authenticator) => (endpoint) =>
        Effect.gen(function* () {
          yield* sayHow
          const request = yield* HttpServerRequest.HttpServerRequest
          const caller = yield* Effect.provideService(callerOf(guard), Authenticator, authenticator)
          const renewed = yield* authenticator.renewCookie(caller)
          if (renewed !== undefined) {
            const cookie = sessionCookie(renewed, request.headers.host, guard.isSecure(request.headers))
            yield* HttpEffect.appendPreResponseHandler((_, response) =>
              Effect.succeed(HttpServerResponse.setHeader(response, "set-cookie", cookie))
            )
          }
          return yield* Effect.provideService(endpoint, CurrentCaller, caller)
        }).pipe(Effect.catchTag("Refused", (error) => Effect.fail(error as never)))
    )
  )

/** RFC 9110: an answer 401 says how one can prove who one is. */
const sayHow = HttpEffect.appendPreResponseHandler((_, response) =>
  Effect.succeed(
    response.status === 401 ? HttpServerResponse.setHeader(response, "www-authenticate", "Bearer") : response
  )
)
