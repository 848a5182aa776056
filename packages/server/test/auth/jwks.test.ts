import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose"
import { createHmac } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { makeAuthenticator } from "../../src/auth/Authenticator.ts"
import { memoryRevocations } from "../../src/auth/RevocationStore.ts"
import { address, ownSecret } from "./tokens.ts"

/** An issuer on loopback that publishes its keys, and how often it was asked for them. */
const issuer = Effect.fnUntraced(function* (
  answer: () => { readonly status: number; readonly keys: ReadonlyArray<JWK> }
) {
  const asked = { times: 0 }
  const server = createServer((_, response) => {
    asked.times++
    const { keys, status } = answer()
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ keys }))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` }
})

const keyPair = Effect.fnUntraced(function* (kid: string, alg = "ES256") {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair(alg, { extractable: true }))
  const jwk: JWK = { ...(yield* Effect.promise(() => exportJWK(publicKey))), kid, alg, use: "sig" }
  const sign = (claims: { readonly [claim: string]: unknown } = {}) =>
    Effect.promise(() =>
      new SignJWT({ sub: "ada", iss: "idp", aud: "holdfast", exp: 3_600, ...claims } as never)
        .setProtectedHeader({ alg, kid })
        .sign(privateKey)
    )
  return { jwk, sign, publicKey }
})

const authenticator = (
  url: string
): Effect.Effect<Effect.Success<ReturnType<typeof makeAuthenticator>>, never, Scope.Scope> =>
  makeAuthenticator({
    auth: {
      kind: "jwks",
      url,
      issuer: "idp",
      audience: "holdfast",
      algorithms: ["ES256", "RS256"],
      clockSkewSeconds: 0
    },
    secret: Redacted.make(ownSecret),
    revocations: memoryRevocations()
  })

describe("an authenticator of tokens whose issuer publishes keys", () => {
  it.effect("fetches the keys once, and takes what was signed with any of them", () =>
    Effect.gen(function* () {
      const one = yield* keyPair("1")
      const two = yield* keyPair("2", "RS256")
      const { asked, url } = yield* issuer(() => ({ status: 200, keys: [one.jwk, two.jwk] }))
      const { authenticate } = yield* authenticator(url)
      for (const bearer of [yield* one.sign(), yield* two.sign(), yield* one.sign({ roles: ["owner"] })]) {
        assert.strictEqual((yield* authenticate({ bearer, address })).identity.participantId, "ada")
      }
      assert.strictEqual(asked.times, 1)
    })
  )

  it.effect("refuses unknown keys, other issuers and audiences, and a public key used as a secret", () =>
    Effect.gen(function* () {
      const known = yield* keyPair("1")
      const rsa = yield* keyPair("2", "RS256")
      const unknown = yield* keyPair("3")
      const posing = yield* keyPair("1")
      const { asked, url } = yield* issuer(() => ({ status: 200, keys: [known.jwk, rsa.jwk] }))
      const { authenticate } = yield* authenticator(url)
      const refused = Effect.fnUntraced(function* (bearer: string, why: RegExp) {
        const error = yield* Effect.flip(authenticate({ bearer, address }))
        assert.strictEqual(error._tag, "Unauthenticated")
        assert.match(error.message, why)
      })
      yield* refused(yield* unknown.sign(), /key that its issuer does not publish/)
      yield* refused(yield* posing.sign(), /signature/)
      yield* refused(yield* known.sign({ iss: "other" }), /iss/)
      yield* refused(yield* known.sign({ aud: "other" }), /aud/)
      const encoded = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url")
      const pem = yield* Effect.promise(() => exportSPKI(rsa.publicKey))
      for (const alg of ["HS256", "none"]) {
        const text = `${encoded({ alg, kid: "2" })}.${encoded({ sub: "ada", iss: "idp", aud: "holdfast", exp: 3_600 })}`
        const mac = alg === "none" ? "" : createHmac("sha256", pem).update(text).digest("base64url")
        yield* refused(`${text}.${mac}`, /use ES256 or RS256/)
      }
      assert.strictEqual(asked.times, 1)
    })
  )

  it.effect("says that keys which cannot be had are not the token's fault, and asks no more for a while", () =>
    Effect.gen(function* () {
      const known = yield* keyPair("1")
      const { asked, url } = yield* issuer(() => ({ status: 503, keys: [] }))
      const { authenticate } = yield* authenticator(url)
      const bearer = yield* known.sign()
      for (let index = 0; index < 20; index++) {
        const error = yield* Effect.flip(authenticate({ bearer, address }))
        assert.strictEqual(error._tag, "AuthUnavailable")
        assert.isAbove(error.retryAfterMs ?? 0, 0)
      }
      assert.strictEqual(asked.times, 1)
    })
  )

  it.effect("says the same of an issuer that cannot be reached, or that publishes no keys", () =>
    Effect.gen(function* () {
      const known = yield* keyPair("1")
      const { url } = yield* Effect.scoped(issuer(() => ({ status: 200, keys: [] })))
      const gone = yield* authenticator(url)
      assert.strictEqual(
        (yield* Effect.flip(gone.authenticate({ bearer: yield* known.sign(), address })))._tag,
        "AuthUnavailable"
      )
      const odd = yield* authenticator((yield* issuer(() => ({ status: 200, keys: "none" as never }))).url)
      assert.strictEqual(
        (yield* Effect.flip(odd.authenticate({ bearer: yield* known.sign(), address })))._tag,
        "AuthUnavailable"
      )
    })
  )

  it.effect(
    "goes on with the keys that it has while no newer ones can be had, and forgets no one for an unknown key",
    () =>
      Effect.gen(function* () {
        const known = yield* keyPair("1")
        const unknown = yield* keyPair("2")
        let status = 200
        const { asked, url } = yield* issuer(() => ({ status, keys: [known.jwk] }))
        const { authenticate } = yield* authenticator(url)
        const now = vi.spyOn(Date, "now")
        yield* Effect.addFinalizer(() => Effect.sync(() => now.mockRestore()))
        const start = Date.now()
        yield* authenticate({ bearer: yield* known.sign(), address })
        status = 503
        // Half a minute later an unknown key makes it ask again, and eleven minutes later it asks anyway.
        for (const [index, later] of [31_000, 660_000].entries()) {
          now.mockReturnValue(start + later)
          yield* TestClock.adjust("10 seconds")
          const error = yield* Effect.flip(authenticate({ bearer: yield* unknown.sign(), address }))
          assert.strictEqual(error._tag, "AuthUnavailable")
          yield* authenticate({ bearer: yield* known.sign(), address })
          assert.strictEqual(asked.times, index + 2)
        }
        // An hour is enough.
        now.mockReturnValue(start + 3_660_000)
        yield* TestClock.adjust("10 seconds")
        const gone = yield* Effect.flip(authenticate({ bearer: yield* known.sign(), address }))
        assert.strictEqual(gone._tag, "AuthUnavailable")
        status = 200
        yield* TestClock.adjust("10 seconds")
        yield* authenticate({ bearer: yield* known.sign(), address })
        assert.strictEqual(
          (yield* Effect.flip(authenticate({ bearer: yield* unknown.sign(), address })))._tag,
          "Unauthenticated"
        )
      })
  )

  it.effect("does not fetch keys over a connection that others can change", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(authenticator("http://idp.example.org/keys"))
      assert.strictEqual(exit._tag, "Failure")
      assert.include(String(exit), "https")
    })
  )
})
