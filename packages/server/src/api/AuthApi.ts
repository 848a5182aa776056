/** Signing in and out, and tokens for others. */
import { Identity, Role, ScopedTokenAnswer, SessionId } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { says } from "./Parameters.ts"

/** What needs no token. */
export class SignInApi extends HttpApiGroup.make("signIn")
  .add(
    HttpApiEndpoint.post("start", "/auth/start", {
      payload: Schema.Struct({ token: Schema.String.check(Schema.isMaxLength(1_024)) }).annotate({
        identifier: "StartToken"
      }),
      success: Identity.annotate({ identifier: "Identity" })
    }).annotateMerge(
      says(
        "Exchange a start link's token for a cookie",
        "Once. The cookie is `HttpOnly` and `SameSite=Strict` and lasts 30 days."
      )
    ),
    HttpApiEndpoint.post("signOut", "/auth/signout", { success: HttpApiSchema.NoContent }).annotateMerge(
      says("Sign out", "Takes back the cookie, or the token that the request comes with where it has an id (`jti`).")
    )
  )
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Sign in" })) {}

/** Tokens and tickets. */
export class AuthApi extends HttpApiGroup.make("auth")
  .add(
    HttpApiEndpoint.post("ticket", "/auth/tickets", {
      success: Schema.Struct({ ticket: Schema.String, expiresAt: Schema.Number }).annotate({ identifier: "Ticket" })
    }).annotateMerge(
      says(
        "Get a ticket",
        "Opens one WebSocket or event stream as `?ticket=`, within 30 seconds, once: for who cannot set headers."
      )
    ),
    HttpApiEndpoint.post("issueToken", "/auth/tokens", {
      payload: Schema.Struct({
        sessionId: SessionId,
        role: Role,
        name: Schema.optionalKey(
          Schema.String.check(Schema.isMaxLength(1_000)).annotate({ description: "Whose name its bearer has." })
        ),
        expiresInSeconds: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)))
      }).annotate({ identifier: "NewToken" }),
      success: ScopedTokenAnswer.annotate({ identifier: "ScopedToken" }).pipe(HttpApiSchema.status(201))
    }).annotateMerge(
      says("Make a token for a session", "For one session and a role at most. Only an owner of the session can.")
    ),
    HttpApiEndpoint.delete("revokeToken", "/auth/tokens/:tokenId", {
      params: { tokenId: Schema.String.check(Schema.isMaxLength(256)) },
      success: HttpApiSchema.NoContent
    }).annotateMerge(says("Take a token back", "Connections that it opened are closed."))
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Tokens" })) {}
