/** The keys that an issuer of tokens publishes: fetched, kept, and used on for a while where they cannot be fetched again. */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type ExportedJWKSCache,
  jwksCache,
  type JWTVerifyGetKey
} from "jose"
import { isLoopback } from "../http/Loopback.ts"

/** Longest wait for the keys. */
const timeoutMs = 5_000
/** How long keys are used before they are fetched again, and how soon an unknown key makes them be fetched anew. */
const maxAgeMs = 600_000
const cooldownMs = 30_000
/** After keys could not be had, so long nobody asks for them: a flood of tokens is not to become one at the issuer. */
export const keysRetryMs = 5_000
/** How old keys may be that are used because no newer ones can be had: an hour. An issuer that is away signs nobody out. */
const maxStaleMs = 3_600_000

/** The issuer's keys cannot be had now, or not newer ones that may have what is looked for. */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable"
  /** When they are asked for again. */
  readonly retryAfterMs: number

  constructor(retryAfterMs: number, cause: unknown) {
    super("the issuer's keys cannot be had", { cause })
    this.retryAfterMs = retryAfterMs
  }
}

/** What `jose` found wrong with a token, and not with fetching keys. */
const isTokensFault = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported

/** Finds the key of a token. Throws where the URL is none, or is neither https nor on this machine. */
export const issuerKeys = (text: string, now: () => number): JWTVerifyGetKey => {
  const url = new URL(text)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw new Error(`the issuer's keys must be fetched over https, not from ${url.origin}`)
  }
  const kept: Partial<ExportedJWKSCache> = {}
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: timeoutMs,
    cacheMaxAge: maxAgeMs,
    cooldownDuration: cooldownMs,
    [jwksCache]: kept as ExportedJWKSCache
  })
  let failedAt = Number.NEGATIVE_INFINITY
  let failure: unknown
  let local: { readonly of: unknown; readonly find: JWTVerifyGetKey } | undefined

  const fromKept: JWTVerifyGetKey = async (header, token) => {
    const unavailable = new KeysUnavailable(Math.max(1, failedAt + keysRetryMs - now()), failure)
    // `uat` is of the platform's clock, which `jose` reads.
    if (kept.jwks === undefined || Date.now() - (kept.uat ?? 0) > maxStaleMs) throw unavailable
    if (local?.of !== kept.jwks) local = { of: kept.jwks, find: createLocalJWKSet(kept.jwks) }
    try {
      return await local.find(header, token)
    } catch (error) {
      throw error instanceof errors.JWKSNoMatchingKey ? unavailable : error
    }
  }

  return async (header, token) => {
    if (now() < failedAt + keysRetryMs) return fromKept(header, token)
    try {
      return await remote(header, token)
    } catch (error) {
      if (isTokensFault(error)) throw error
      failedAt = now()
      failure = error
      return fromKept(header, token)
    }
  }
}
