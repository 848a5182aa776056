/** Tokens that somebody else issued: with a secret that both sides know, or with keys that the issuer publishes. */
import { Role, roleCovers, type Identity, ParticipantId, SessionId } from "@holdfast/core"
import { Clock, Effect, Schema } from "effect"
import { type JWTVerifyOptions, jwtVerify } from "jose"
import type { ServerConfig } from "../ServerOptions.ts"
import { issuerKeys, KeysUnavailable } from "./IssuerKeys.ts"
import { AuthUnavailable, refusalOf, Unauthenticated } from "./JwtRefusal.ts"

/** How tokens from outside are signed. */
export type OutsideAuth = Exclude<ServerConfig["auth"], { readonly kind: "open" }>

/** What a token says of its bearer. */
export interface Vouched {
  readonly identity: Identity
  /** The claim `jti`. */
  readonly tokenId: string | null
  /** From when on it is refused, in milliseconds since 1970: its expiry, and as much as clocks may differ. */
  readonly refusedAt: number
}

/** Checks tokens. */
export interface TokenVerifier {
  readonly verify: (token: string) => Effect.Effect<Vouched, Unauthenticated | AuthUnavailable>
}

const name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200))
const id = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256))

/** The claims that this server reads, beside those that `jose` checks (`iss`, `aud`, `exp`, `nbf`, `iat`). */
export const Claims = Schema.Struct({
  /** The participant's id: who prompts, answers and types. */
  sub: ParticipantId,
  /** What others see; default `sub`. */
  name: Schema.optionalKey(name),
  /** Whose sessions they see; without one, those of no organisation. */
  org: Schema.optionalKey(Schema.NullOr(id)),
  /** The highest that is known counts; without one it is `viewer`. */
  roles: Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)])),
  /** Only this session. */
  session: Schema.optionalKey(SessionId),
  jti: Schema.optionalKey(id),
  exp: Schema.Finite
})

const decodeClaims = Schema.decodeUnknownEffect(Claims)
const isRole = Schema.is(Role)

const highest = (roles: string | ReadonlyArray<string> | undefined): Role => {
  const known = (typeof roles === "string" ? roles.split(" ") : (roles ?? [])).filter(isRole)
  return known.reduce<Role>((most, role) => (roleCovers(most, role) ? most : role), "viewer")
}

/** Makes the check of tokens from outside. Dies where the URL of keys is none, or is neither https nor on this machine. */
export const makeOutsideTokens = (auth: OutsideAuth): Effect.Effect<TokenVerifier> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const algorithms = auth.kind === "secret" ? ["HS256"] : [...auth.algorithms]
    const keys =
      auth.kind === "secret"
        ? new TextEncoder().encode(auth.secret)
        : issuerKeys(auth.url, () => clock.currentTimeMillisUnsafe())
    const options: JWTVerifyOptions = {
      algorithms,
      clockTolerance: auth.clockSkewSeconds,
      requiredClaims: ["exp", "sub"],
      ...(auth.issuer === undefined ? {} : { issuer: auth.issuer }),
      ...(auth.audience === undefined ? {} : { audience: auth.audience })
    }

    const verify: TokenVerifier["verify"] = Effect.fnUntraced(function* (token) {
      const now = clock.currentTimeMillisUnsafe()
      const { payload } = yield* Effect.tryPromise({
        try: () => {
          const checked = { ...options, currentDate: new Date(now) }
          return typeof keys === "function" ? jwtVerify(token, keys, checked) : jwtVerify(token, keys, checked)
        },
        catch: (error) => {
          if (!(error instanceof KeysUnavailable)) {
            return refusalOf(error, algorithms) ?? new Unauthenticated({ detail: "the token cannot be read" })
          }
          const detail = "the keys of the token's issuer cannot be had now: try again"
          return new AuthUnavailable({ detail, retryAfterMs: Math.ceil(error.retryAfterMs), cause: error })
        }
      })
      const claims = yield* Effect.mapError(decodeClaims(payload), (error) => {
        const field = /at \["(\w+)"\]/.exec(error.message)?.[1]
        return new Unauthenticated({ detail: `the token's claim ${field ?? "set"} is not what this server can read` })
      })
      const expiresAt = claims.exp * 1000
      return {
        identity: {
          participantId: claims.sub,
          name: claims.name ?? claims.sub.slice(0, 200),
          role: highest(claims.roles),
          organisation: claims.org ?? null,
          sessionId: claims.session ?? null,
          expiresAt
        },
        tokenId: claims.jti ?? null,
        refusedAt: expiresAt + auth.clockSkewSeconds * 1000
      }
    })

    return { verify }
  })
