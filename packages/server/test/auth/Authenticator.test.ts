import { assert, describe, it } from "@effect/vitest"
import { makeSessionId } from "@holdfast/core"
import { Clock, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { createHmac, generateKeyPairSync } from "node:crypto"
import { makeAuthenticator } from "../../src/auth/Authenticator.ts"
import { memoryRevocations } from "../../src/auth/RevocationStore.ts"
import { address, forge, outsideSecret, ownSecret, secretAuthenticator, sign } from "./tokens.ts"

const hour = 3_600

describe("an authenticator of tokens that are signed with a secret", () => {
  it.effect("tells from a token who speaks, for whom and how much they may do", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator()
      const sessionId = makeSessionId()
      const bearer = yield* sign({
        sub: "ada",
        name: "Ada",
        org: "analytical",
        roles: ["viewer", "member", "auditor"],
        session: sessionId,
        jti: "t1",
        exp: hour
      })
      assert.deepStrictEqual(yield* authenticate({ bearer, address }), {
        identity: {
          participantId: "ada",
          name: "Ada",
          role: "member",
          organisation: "analytical",
          sessionId,
          expiresAt: hour * 1000
        },
        tokenId: "t1",
        byCookie: false,
        refusedAt: (hour + 30) * 1000
      })
    })
  )

  it.effect("takes who has no known role for a viewer of no organisation", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator()
      const { identity } = yield* authenticate({ bearer: yield* sign({ sub: "ada", exp: hour }), address })
      assert.deepInclude(identity, { role: "viewer", organisation: null, sessionId: null, name: "ada" })
      const other = yield* authenticate({
        bearer: yield* sign({ sub: "ada", roles: "admin owner", exp: hour }),
        address
      })
      assert.strictEqual(other.identity.role, "owner")
    })
  )

  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString()
  const unsigned = { sub: "ada", roles: ["owner"], exp: hour }
  const encoded = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url")
  const signed = (header: unknown, claims: unknown, key: string) => {
    const text = `${encoded(header)}.${encoded(claims)}`
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`
  }

  for (const [what, make, detail] of [
    ["no signature (alg none)", Effect.succeed(forge({ alg: "none" }, unsigned)), /signed in a way/],
    ["no signature, spelled otherwise", Effect.succeed(forge({ alg: "nOnE" }, unsigned)), /signed in a way/],
    ["no algorithm", Effect.succeed(forge({}, unsigned, "AAAA")), /./],
    ["another algorithm of the same family", sign(unsigned, outsideSecret, { alg: "HS512" }), /use HS256/],
    ["an asymmetric algorithm", Effect.succeed(forge({ alg: "RS256" }, unsigned, "AAAA")), /use HS256/],
    [
      "a public key as the secret",
      Effect.succeed(signed({ alg: "HS256", typ: "JWT" }, unsigned, pem)),
      /signature is not valid/
    ],
    ["another secret", sign(unsigned, "another secret that has 32 bytes too"), /signature is not valid/],
    ["an empty signature", Effect.succeed(forge({ alg: "HS256" }, unsigned)), /signature is not valid/],
    [
      "a header that demands an extension",
      Effect.succeed(signed({ alg: "HS256", crit: ["x"], x: 1 }, unsigned, outsideSecret)),
      /./
    ],
    ["no expiry", sign({ sub: "ada" }), /no claim exp/],
    ["an expiry that is text", sign({ sub: "ada", exp: "2099-01-01" }), /claim exp has the wrong type/],
    ["an expiry in the past", sign({ sub: "ada", exp: -31 }), /has expired/],
    ["a start in the future", sign({ ...unsigned, nbf: 31 }), /not valid yet/],
    ["no subject", sign({ exp: hour }), /no claim sub/],
    ["a subject that is a number", sign({ sub: 1, exp: hour }), /claim sub/],
    ["the host as subject, who may do everything", sign({ sub: "host", exp: hour }), /claim sub/],
    ["the runtime as subject", sign({ sub: "runtime", exp: hour }), /claim sub/],
    ["an organisation that is a list", sign({ ...unsigned, org: ["a"] }), /claim org/],
    ["an empty organisation", sign({ ...unsigned, org: "" }), /claim org/],
    ["a session that is none", sign({ ...unsigned, session: "*" }), /claim session/],
    ["roles that are an object", sign({ ...unsigned, roles: { owner: true } }), /claim roles/],
    ["a name that fills a screen", sign({ ...unsigned, name: "a".repeat(201) }), /claim name/],
    ["more than 16,384 characters", sign({ ...unsigned, filler: "a".repeat(16_384) }), /longer than 16384/],
    ["no three parts", Effect.succeed("secret-token"), /not a JSON Web Token/],
    ["nothing in it", Effect.succeed(""), /not a JSON Web Token/],
    ["claims that are no object", Effect.succeed(`${encoded({ alg: "HS256" })}.${encoded([1])}.AAAA`), /./]
  ] as const) {
    it.effect(`refuses a token with ${what}, and does not repeat it`, () =>
      Effect.gen(function* () {
        const { authenticate } = yield* secretAuthenticator()
        const bearer = yield* make
        const error = yield* Effect.flip(authenticate({ bearer, address }))
        assert.strictEqual(error._tag, "Unauthenticated")
        assert.match(error.detail, detail)
        for (const part of bearer.split(".").filter((text) => text.length > 8)) assert.notInclude(error.detail, part)
      })
    )
  }

  it.effect("takes a token whose clock differs by as much as it may, and not by more", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator()
      yield* authenticate({ bearer: yield* sign({ sub: "ada", nbf: 29, exp: hour }), address })
      yield* TestClock.adjust((hour + 29) * 1000)
      const bearer = yield* sign({ sub: "ada", exp: hour })
      yield* authenticate({ bearer, address })
      yield* TestClock.adjust(2_000)
      assert.match((yield* Effect.flip(authenticate({ bearer, address }))).message, /expired/)
    })
  )

  it.effect("refuses a token of another issuer or for another audience where it is told of one", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator({
        auth: { kind: "secret", secret: outsideSecret, issuer: "idp", audience: "holdfast", clockSkewSeconds: 0 }
      })
      const claims = { sub: "ada", iss: "idp", aud: ["other", "holdfast"], exp: hour }
      yield* authenticate({ bearer: yield* sign(claims), address })
      for (const [claim, value] of [
        ["iss", "idp.example.org"],
        ["iss", undefined],
        ["aud", "other"],
        ["aud", undefined]
      ] as const) {
        const error = yield* Effect.flip(authenticate({ bearer: yield* sign({ ...claims, [claim]: value }), address }))
        assert.include(error.message, claim)
      }
    })
  )

  it.effect("asks who brings nothing for a token, and counts that as no failure", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator()
      for (let index = 0; index < 20; index++) {
        const error = yield* Effect.flip(authenticate({ address }))
        assert.include(error.message, "no token")
      }
    })
  )

  it.effect("tells an address with ten failures in a minute to wait, but not who is right, nor another address", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator()
      const fail = (from: string) => Effect.flip(authenticate({ bearer: "wrong", address: from }))
      for (let index = 0; index < 10; index++) assert.isUndefined((yield* fail("192.0.2.1")).retryAfterMs)
      const limited = yield* fail("192.0.2.1")
      assert.isAbove(limited.retryAfterMs ?? 0, 0)
      assert.isAtMost(limited.retryAfterMs ?? 0, 60_000)
      assert.isUndefined((yield* fail("192.0.2.2")).retryAfterMs)
      yield* authenticate({ bearer: yield* sign({ sub: "ada", exp: hour }), address: "192.0.2.1" })
      yield* TestClock.adjust("2 minutes")
      assert.isUndefined((yield* fail("192.0.2.1")).retryAfterMs)
    })
  )

  it.effect("does not let one network have new failures with each of its IPv6 addresses", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* secretAuthenticator()
      const fail = (from: string) => Effect.flip(authenticate({ bearer: "wrong", address: from }))
      for (let index = 0; index < 10; index++) yield* fail(`2001:db8::${index + 1}`)
      assert.isDefined((yield* fail("2001:0db8:0000:0000:1:2:3:4")).retryAfterMs)
      assert.isUndefined((yield* fail("2001:db8:0:1::1")).retryAfterMs)
    })
  )
})

describe("a start link", () => {
  it.effect("gives one cookie of 30 days, to the first who has it within ten minutes", () =>
    Effect.gen(function* () {
      const authenticator = yield* secretAuthenticator()
      const { expiresAt, token } = yield* authenticator.issueStart
      assert.strictEqual(expiresAt, 600_000)
      const { cookie } = yield* authenticator.exchangeStart(token, address)
      const caller = yield* authenticator.authenticate({ cookie, address })
      assert.deepInclude(caller.identity, { role: "owner", organisation: null, expiresAt: 30 * 86_400_000 })
      assert.isTrue(caller.byCookie)
      assert.include((yield* Effect.flip(authenticator.exchangeStart(token, address))).message, "new one")
      const late = yield* authenticator.issueStart
      yield* TestClock.adjust("10 minutes")
      yield* Effect.flip(authenticator.exchangeStart(late.token, address))
    })
  )

  it.effect("makes who guesses wait", () =>
    Effect.gen(function* () {
      const { exchangeStart } = yield* secretAuthenticator()
      for (let index = 0; index < 10; index++) yield* Effect.flip(exchangeStart(`guess ${index}`, address))
      assert.isDefined((yield* Effect.flip(exchangeStart("guess", address))).retryAfterMs)
    })
  )

  it.effect("is no token of any other kind", () =>
    Effect.gen(function* () {
      const { authenticate, issueStart } = yield* secretAuthenticator()
      const { token } = yield* issueStart
      for (const kind of ["bearer", "ticket", "cookie"]) yield* Effect.flip(authenticate({ [kind]: token, address }))
    })
  )
})

describe("a cookie", () => {
  const signedIn = Effect.gen(function* () {
    const authenticator = yield* secretAuthenticator()
    const { token } = yield* authenticator.issueStart
    return { ...authenticator, ...(yield* authenticator.exchangeStart(token, address)) }
  })

  it.effect("is renewed a day later, and once signed out is good for nobody, renewed or not", () =>
    Effect.gen(function* () {
      const { authenticate, caller, cookie, renewCookie, signOut } = yield* signedIn
      assert.isUndefined(yield* renewCookie(caller))
      yield* TestClock.adjust("25 hours")
      const renewed = (yield* renewCookie(yield* authenticate({ cookie, address })))!
      const later = yield* authenticate({ cookie: renewed, address })
      assert.strictEqual(later.identity.expiresAt, 25 * 3_600_000 + 30 * 86_400_000)
      yield* signOut(later)
      for (const taken of [cookie, renewed]) {
        assert.include((yield* Effect.flip(authenticate({ cookie: taken, address }))).message, "revoked")
      }
    })
  )

  it.effect("is no bearer token, and a token for one session is no cookie", () =>
    Effect.gen(function* () {
      const { authenticate, caller, cookie, issueScoped } = yield* signedIn
      yield* Effect.flip(authenticate({ bearer: cookie, address }))
      const { token } = yield* issueScoped(caller, { sessionId: makeSessionId(), role: "viewer" })
      yield* Effect.flip(authenticate({ cookie: token, address }))
      yield* authenticate({ bearer: token, address })
    })
  )

  it.effect("cannot be made by who knows the secret of tokens from outside", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* signedIn
      const claims = {
        iss: "urn:holdfast:server",
        sub: "mallory",
        name: "M",
        org: null,
        role: "owner",
        session: null,
        jti: "1",
        exp: hour
      }
      for (const kind of ["cookie", "session"]) {
        const header = { typ: `holdfast-${kind}+jwt` }
        const token = yield* sign({ ...claims, aud: `urn:holdfast:${kind}` }, outsideSecret, header)
        for (const place of ["cookie", "bearer"]) yield* Effect.flip(authenticate({ [place]: token, address }))
      }
      // And what is signed with the server's own secret is nothing from outside.
      yield* Effect.flip(authenticate({ bearer: yield* sign({ sub: "mallory", exp: hour }, ownSecret), address }))
    })
  )
})

describe("a ticket", () => {
  it.effect("speaks for who got it, once, for half a minute", () =>
    Effect.gen(function* () {
      const { authenticate, issueTicket } = yield* secretAuthenticator()
      const bearer = yield* sign({ sub: "ada", jti: "t1", exp: hour })
      const caller = yield* authenticate({ bearer, address })
      const { ticket } = yield* issueTicket(caller)
      assert.deepStrictEqual(yield* authenticate({ ticket, address }), caller)
      assert.include((yield* Effect.flip(authenticate({ ticket, address }))).message, "ticket")
      const late = yield* issueTicket(caller)
      yield* TestClock.adjust("30 seconds")
      yield* Effect.flip(authenticate({ ticket: late.ticket, address }))
    })
  )

  it.effect("ends with the token that it was got with", () =>
    Effect.gen(function* () {
      const { authenticate, issueTicket, revoke } = yield* secretAuthenticator()
      const revoked = yield* authenticate({ bearer: yield* sign({ sub: "ada", jti: "t1", exp: hour }), address })
      const ofRevoked = yield* issueTicket(revoked)
      yield* revoke("t1")
      yield* Effect.flip(authenticate({ ticket: ofRevoked.ticket, address }))
      const short = yield* authenticate({ bearer: yield* sign({ sub: "ada", exp: -10 }), address })
      const ofShort = yield* issueTicket(short)
      yield* TestClock.adjust("21 seconds")
      yield* Effect.flip(authenticate({ ticket: ofShort.ticket, address }))
    })
  )
})

describe("a token for one session", () => {
  it.effect("names session, role and expiry, and is good until then", () =>
    Effect.gen(function* () {
      const { authenticate, issueScoped } = yield* secretAuthenticator()
      const ada = yield* authenticate({
        bearer: yield* sign({ sub: "ada", org: "a", roles: "owner", exp: hour }),
        address
      })
      const sessionId = makeSessionId()
      const { expiresAt, token, tokenId } = yield* issueScoped(ada, { sessionId, role: "member", name: "Charles" })
      assert.strictEqual(expiresAt, 86_400_000)
      const { identity, ...rest } = yield* authenticate({ bearer: token, address })
      assert.deepInclude(identity, { name: "Charles", role: "member", organisation: "a", sessionId, expiresAt })
      assert.deepInclude(rest, { tokenId, byCookie: false, refusedAt: expiresAt })
      assert.notStrictEqual(identity.participantId, "ada")
      yield* TestClock.adjust("24 hours")
      assert.include((yield* Effect.flip(authenticate({ bearer: token, address }))).message, "expired")
    })
  )

  it.effect("does not live longer than 30 days", () =>
    Effect.gen(function* () {
      const { authenticate, issueScoped } = yield* secretAuthenticator()
      const ada = yield* authenticate({ bearer: yield* sign({ sub: "ada", roles: "owner", exp: hour }), address })
      const share = { sessionId: makeSessionId(), role: "viewer", expiresInSeconds: 365 * 86_400 } as const
      assert.strictEqual((yield* issueScoped(ada, share)).expiresAt, 30 * 86_400_000)
    })
  )
})

describe("who watches a caller's token", () => {
  it.effect("hears once that it was revoked, and nothing after they stopped watching", () =>
    Effect.gen(function* () {
      const { authenticate, onEnd, revoke } = yield* secretAuthenticator()
      const caller = yield* authenticate({ bearer: yield* sign({ sub: "ada", jti: "t1", exp: hour }), address })
      const heard: Array<string> = []
      onEnd(caller, (why) => heard.push(`first ${why}`))
      const stop = onEnd(caller, (why) => heard.push(`second ${why}`))
      onEnd({ ...caller, tokenId: "t2" }, (why) => heard.push(`other ${why}`))
      stop()
      yield* revoke("t1")
      yield* revoke("t1")
      assert.deepStrictEqual(heard, ["first revoked"])
    })
  )

  it.effect("hears at once of a token that was revoked before they watched", () =>
    Effect.gen(function* () {
      const { authenticate, onEnd, revoke } = yield* secretAuthenticator()
      const caller = yield* authenticate({ bearer: yield* sign({ sub: "ada", jti: "t1", exp: hour }), address })
      yield* revoke("t1")
      const why = yield* Effect.callback<string>((resume) => {
        const stop = onEnd(caller, (reason) => resume(Effect.succeed(reason)))
        return Effect.sync(stop)
      })
      assert.strictEqual(why, "revoked")
    })
  )

  it.effect("hears of an expiry in thirty days when it comes, and not before", () =>
    Effect.gen(function* () {
      const { authenticate, onEnd } = yield* secretAuthenticator()
      const days = 30
      const caller = yield* authenticate({ bearer: yield* sign({ sub: "ada", exp: days * 86_400 }), address })
      const heard: Array<string> = []
      onEnd(caller, (why) => heard.push(why))
      yield* TestClock.adjust(days * 86_400_000)
      assert.deepStrictEqual(heard, [])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(heard, ["expired"])
    })
  )
})

describe("a token that lives longer than the platform's timers", () => {
  it.live("is not taken for one that has expired", () =>
    Effect.gen(function* () {
      const { authenticate, onEnd } = yield* secretAuthenticator()
      const now = yield* Clock.currentTimeMillis
      const expiring = Effect.fnUntraced(function* (ms: number) {
        const bearer = yield* sign({ sub: "ada", exp: (now + ms) / 1000 - 30 })
        return yield* authenticate({ bearer, address })
      })
      const long = yield* expiring(60 * 86_400_000)
      const short = yield* expiring(200)
      const heard: Array<string> = []
      const stop = onEnd(long, () => heard.push("long"))
      yield* Effect.callback<void>((resume) => {
        onEnd(short, () => resume(Effect.void))
      })
      assert.deepStrictEqual(heard, [])
      stop()
    })
  )
})

describe("an open server's authenticator", () => {
  const open = makeAuthenticator({
    auth: { kind: "open" },
    secret: Redacted.make(ownSecret),
    revocations: memoryRevocations(),
    owner: { participantId: "ada", name: "Ada" }
  })

  it.effect("takes everybody for the owner, whatever cookie is left in their browser", () =>
    Effect.gen(function* () {
      const { authenticate } = yield* open
      const owner = yield* authenticate({ address })
      assert.deepInclude(owner.identity, { participantId: "ada", role: "owner", expiresAt: null })
      assert.deepStrictEqual(yield* authenticate({ cookie: "of another server", address }), owner)
    })
  )

  it.effect("holds who comes with a token for one session to it, and refuses any other token", () =>
    Effect.gen(function* () {
      const { authenticate, issueScoped } = yield* open
      const share = { sessionId: makeSessionId(), role: "viewer" } as const
      const { token } = yield* issueScoped(yield* authenticate({ address }), share)
      assert.deepInclude((yield* authenticate({ bearer: token, address })).identity, share)
      yield* Effect.flip(authenticate({ bearer: yield* sign({ sub: "ada", exp: hour }), address }))
    })
  )
})
