/** What the endpoints of {@link SignInApi} and {@link AuthApi} do. */
import { Effect, Option } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Sharing } from "../access/Sharing.ts"
import { callerOf } from "../auth/AuthMiddleware.ts"
import { Authenticator } from "../auth/Authenticator.ts"
import type { RequestGuard } from "../auth/RequestGuard.ts"
import { sessionCookie } from "../auth/SessionCookie.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { HoldfastApi } from "./HoldfastApi.ts"
import { Refused } from "./Problems.ts"

const cookieHeader = (request: HttpServerRequest.HttpServerRequest, guard: RequestGuard, value: string) => ({
  "set-cookie": sessionCookie(value, request.headers.host, guard.isSecure(request.headers))
})

export const signInRoutes = (guard: RequestGuard) =>
  HttpApiBuilder.group(
    HoldfastApi,
    "signIn",
    Effect.fnUntraced(function* (handlers) {
      const authenticator = yield* Authenticator
      return handlers.handleAll({
        start: Effect.fnUntraced(function* ({ payload, request }) {
          // A form of another page must not sign anybody in.
          const foreign = guard.checkChange(request.method, request.headers, { byCookie: false })
          if (foreign !== undefined) return yield* new Refused({ problem: foreign })
          const address = Option.getOrElse(request.remoteAddress, () => "")
          const { caller, cookie } = yield* authenticator.exchangeStart(payload.token, address)
          return HttpServerResponse.jsonUnsafe(caller.identity, { headers: cookieHeader(request, guard, cookie) })
        }),
        signOut: Effect.fnUntraced(
          function* ({ request }) {
            // Whoever is not known (any more) is signed out already: the cookie goes all the same.
            const caller = yield* Effect.option(callerOf(guard))
            if (Option.isSome(caller)) yield* authenticator.signOut(caller.value)
            return HttpServerResponse.empty({ status: 204, headers: cookieHeader(request, guard, "") })
          },
          Effect.provideService(Authenticator, authenticator)
        )
      })
    })
  )

export const authRoutes = HttpApiBuilder.group(
  HoldfastApi,
  "auth",
  Effect.fnUntraced(function* (handlers) {
    const authenticator = yield* Authenticator
    const sharing = yield* Sharing
    return handlers.handleAll({
      ticket: () => Effect.flatMap(CurrentCaller, authenticator.issueTicket),
      issueToken: Effect.fnUntraced(function* ({ payload }) {
        const { role, sessionId } = payload
        return { ...(yield* sharing.share(yield* CurrentCaller, payload)), sessionId, role }
      }),
      revokeToken: ({ params }) => Effect.flatMap(CurrentCaller, (caller) => sharing.unshare(caller, params.tokenId))
    })
  })
)
