/**
 * Tokens that this server issues: session cookies, and tokens for one session. They are signed with a secret of its own,
 * and each kind says in its header and its audience what it is, so that none passes for another or for one from outside.
 */
import { type Identity, ParticipantId, Role, SessionId } from "@holdfast/core"
import { Clock, Effect, Redacted, Schema } from "effect"
import { decodeProtectedHeader, jwtVerify, SignJWT } from "jose"
import { refusalOf, Unauthenticated } from "./JwtRefusal.ts"
import type { Vouched } from "./OutsideTokens.ts"

/** Kinds of own tokens: the first is for cookies alone, the second for headers. */
export type OwnTokenKind = "cookie" | "session"

const issuer = "urn:holdfast:server"
const algorithms = ["HS256"]
const typ = (kind: OwnTokenKind) => `holdfast-${kind}+jwt`
const audience = (kind: OwnTokenKind) => `urn:holdfast:${kind}`

const OwnClaims = Schema.Struct({
  sub: ParticipantId,
  name: Schema.String,
  org: Schema.NullOr(Schema.String),
  role: Role,
  session: Schema.NullOr(SessionId),
  jti: Schema.String,
  exp: Schema.Int
})

const decodeClaims = Schema.decodeUnknownEffect(OwnClaims)

/** Issues and checks own tokens. */
export interface OwnTokens {
  readonly issue: (
    kind: OwnTokenKind,
    identity: Identity & { readonly expiresAt: number },
    tokenId: string
  ) => Effect.Effect<string>
  readonly verify: (kind: OwnTokenKind, token: string) => Effect.Effect<Vouched, Unauthenticated>
}

/** Whether a token says of itself that it is one of ours. Whether it really is, `verify` tells. */
export const claimsToBeOwn = (token: string): boolean => {
  try {
    return String(decodeProtectedHeader(token).typ).startsWith("holdfast-")
  } catch {
    return false
  }
}

/** Makes the issuer of own tokens. */
export const makeOwnTokens = (secret: Redacted.Redacted<Uint8Array>): Effect.Effect<OwnTokens> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const key = Redacted.value(secret)
    if (key.byteLength < 32) return yield* Effect.die(new Error("the server's own secret has less than 32 bytes"))

    const issue: OwnTokens["issue"] = (kind, identity, tokenId) =>
      Effect.promise(() =>
        new SignJWT({
          name: identity.name,
          org: identity.organisation,
          role: identity.role,
          session: identity.sessionId
        })
          .setProtectedHeader({ alg: "HS256", typ: typ(kind) })
          .setIssuer(issuer)
          .setAudience(audience(kind))
          .setSubject(identity.participantId)
          .setJti(tokenId)
          .setIssuedAt(Math.floor(clock.currentTimeMillisUnsafe() / 1000))
          .setExpirationTime(Math.floor(identity.expiresAt / 1000))
          .sign(key)
      )

    const verify: OwnTokens["verify"] = Effect.fnUntraced(function* (kind, token) {
      const { payload } = yield* Effect.tryPromise({
        try: () =>
          jwtVerify(token, key, {
            algorithms,
            issuer,
            audience: audience(kind),
            typ: typ(kind),
            requiredClaims: ["exp", "sub", "jti"],
            currentDate: new Date(clock.currentTimeMillisUnsafe())
          }),
        catch: (error) => refusalOf(error, algorithms) ?? new Unauthenticated({ detail: "the token cannot be read" })
      })
      const claims = yield* Effect.mapError(
        decodeClaims(payload),
        () => new Unauthenticated({ detail: "the token is of another version of this server" })
      )
      const expiresAt = claims.exp * 1000
      return {
        identity: {
          participantId: claims.sub,
          name: claims.name,
          role: claims.role,
          organisation: claims.org,
          sessionId: claims.session,
          expiresAt
        },
        tokenId: claims.jti,
        refusedAt: expiresAt
      }
    })

    return { issue, verify }
  })
