/** Tokens and authenticators that tests share. */
import { Effect, Redacted } from "effect"
import { SignJWT } from "jose"
import { type AuthenticatorOptions, makeAuthenticator } from "../../src/auth/Authenticator.ts"
import { memoryRevocations } from "../../src/auth/RevocationStore.ts"

/** The secret of tokens from outside. */
export const outsideSecret = "an outside secret of more than 32 bytes"

/** The server's own secret. */
export const ownSecret = new Uint8Array(32).fill(7)

/** An authenticator of tokens that are signed with {@link outsideSecret}. */
export const secretAuthenticator = (options: Partial<AuthenticatorOptions> = {}) =>
  makeAuthenticator({
    auth: { kind: "secret", secret: outsideSecret, clockSkewSeconds: 30 },
    secret: Redacted.make(ownSecret),
    revocations: memoryRevocations(),
    ...options
  })

/** Signs claims with HS256. */
export const sign = (
  claims: { readonly [claim: string]: unknown },
  secret: string | Uint8Array = outsideSecret,
  header: { readonly [name: string]: unknown } = {}
) =>
  Effect.promise(() =>
    new SignJWT(claims as never)
      .setProtectedHeader({ alg: "HS256", ...header } as never)
      .sign(typeof secret === "string" ? new TextEncoder().encode(secret) : secret)
  )

/** A token as somebody makes it who knows no key: any header, any claims, any signature. */
export const forge = (header: unknown, claims: unknown, signature = ""): string =>
  `${encode(header)}.${encode(claims)}.${signature}`

const encode = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url")

/** Where tests' requests come from. */
export const address = "127.0.0.1"
