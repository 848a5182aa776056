/** What an authenticator keeps beyond the life of a server: its secret, and the tokens that it has revoked. */
import { Effect, Layer, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { Authenticator, type AuthenticatorOptions, makeAuthenticator } from "./Authenticator.ts"
import { fileRevocations, type RevocationsUnreadable } from "./FileRevocationStore.ts"
import { memoryRevocations } from "./RevocationStore.ts"
import { secretFile, type SecretUnusable } from "./SecretFile.ts"

/**
 * The authenticator of a server whose files are in `folder`: `secret` and `revoked-tokens`, both for their owner alone.
 * Without a folder both end with the process, and so do cookies and tokens for one session.
 */
export const layerAuthenticator = (
  options: Omit<AuthenticatorOptions, "secret" | "revocations">,
  folder?: string
): Layer.Layer<Authenticator, SecretUnusable | RevocationsUnreadable> =>
  Layer.effect(
    Authenticator,
    Effect.gen(function* () {
      const secret =
        folder === undefined
          ? Redacted.make(new Uint8Array(randomBytes(32)))
          : yield* secretFile(join(folder, "secret"))
      const revocations =
        folder === undefined ? memoryRevocations() : yield* fileRevocations(join(folder, "revoked-tokens"))
      return yield* makeAuthenticator({ ...options, secret, revocations })
    })
  )
