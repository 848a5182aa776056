/** Tokens that somebody else issued: with a secret that both sides know, or with keys that the issuer publishes. */
import { Role, roleCovers, type Identity, ParticipantId, SessionId } from "@holdfast/core"
import { Clock, Effect, Schema } from "effect"
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose"
import { isLoopback } from "../http/Loopback.ts"
import type { ServerConfig } from "../ServerOptions.ts"
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

/** Longest wait for the issuer's keys. */
const keysTimeoutMs = 5_000
/** How long keys are used before they are fetched again, and how soon an unknown key makes them be fetched anew. */
const keysMaxAgeMs = 600_000
const keysCooldownMs = 30_000
/** After keys could not be had, so long nobody asks for them: a flood of tokens is not to become one at the issuer. */
const keysRetryMs = 5_000

/** Makes the check of tokens from outside. Dies where the URL of keys is none, or is neither https nor on this machine. */
export const makeOutsideTokens = (auth: OutsideAuth): Effect.Effect<TokenVerifier> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const algorithms = auth.kind === "secret" ? ["HS256"] : [...auth.algorithms]
    const keys = auth.kind === "secret" ? new TextEncoder().encode(auth.secret) : remoteKeys(auth.url)
    const options: JWTVerifyOptions = {
      algorithms,
      clockTolerance: auth.clockSkewSeconds,
      requiredClaims: ["exp", "sub"],
      ...(auth.issuer === undefined ? {} : { issuer: auth.issuer }),
      ...(auth.audience === undefined ? {} : { audience: auth.audience })
    }
    let keysFailedAt = Number.NEGATIVE_INFINITY

    const verify: TokenVerifier["verify"] = Effect.fnUntraced(function* (token) {
      const now = clock.currentTimeMillisUnsafe()
      if (now < keysFailedAt + keysRetryMs) {
        return yield* keysUnavailable(keysFailedAt + keysRetryMs - now, "they could not be had a moment ago")
      }
      const { payload } = yield* Effect.tryPromise({
        try: () => {
          const checked = { ...options, currentDate: new Date(now) }
          return typeof keys === "function" ? jwtVerify(token, keys, checked) : jwtVerify(token, keys, checked)
        },
        catch: (error) => {
          const refusal = refusalOf(error, algorithms)
          if (refusal !== undefined) return refusal
          keysFailedAt = clock.currentTimeMillisUnsafe()
          return keysUnavailable(keysRetryMs, error)
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

const remoteKeys = (text: string): JWTVerifyGetKey => {
  const url = new URL(text)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw new Error(`the issuer's keys must be fetched over https, not from ${url.origin}`)
  }
  return createRemoteJWKSet(url, {
    timeoutDuration: keysTimeoutMs,
    cacheMaxAge: keysMaxAgeMs,
    cooldownDuration: keysCooldownMs
  })
}

const keysUnavailable = (retryAfterMs: number, cause: unknown) =>
  new AuthUnavailable({
    detail: "the keys of the token's issuer cannot be had now: try again",
    retryAfterMs: Math.ceil(retryAfterMs),
    cause: cause instanceof errors.JOSEError || cause instanceof Error ? cause : new Error(String(cause))
  })
