import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Vouched } from "../../src/auth/OutsideTokens.ts"
import { rememberVerified, verifiedMs } from "../../src/auth/VerifiedTokens.ts"

const vouched = (participantId: string, refusedAt: number): Vouched => ({
  identity: {
    participantId,
    name: participantId,
    role: "member",
    organisation: null,
    sessionId: null,
    expiresAt: null
  },
  tokenId: null,
  refusedAt
})

/** Remembers over a verifier that takes tokens beginning with `good`, whose calls are counted. */
const remembering = (refusedAt = Number.MAX_SAFE_INTEGER) => {
  const asked: Array<string> = []
  let time = 1_000_000
  const verify = rememberVerified(
    (token) => {
      asked.push(token)
      return token.startsWith("good") ? Effect.succeed(vouched(token, refusedAt)) : Effect.fail("bad")
    },
    () => time
  )
  return {
    asked,
    passes: (ms: number) => (time += ms),
    check: (token: string) => Effect.runSync(Effect.orElseSucceed(verify(token), () => undefined))
  }
}

describe("A token that was verified", () => {
  it("is not verified again for half a minute, and is then", () => {
    const { asked, check, passes } = remembering()
    for (const ms of [0, 1, verifiedMs - 2]) {
      passes(ms)
      assert.strictEqual(check("good")?.identity.participantId, "good")
    }
    assert.lengthOf(asked, 1)
    passes(1)
    check("good")
    assert.lengthOf(asked, 2)
  })

  it("is verified again once it has expired, or the clock was set back", () => {
    const { asked, check, passes } = remembering(1_000_500)
    check("good")
    passes(500)
    check("good")
    passes(-400)
    check("good")
    assert.lengthOf(asked, 3)
  })

  it("is never taken for another one, and a refused one is asked about each time", () => {
    const { asked, check } = remembering()
    assert.strictEqual(check("good 1")?.identity.participantId, "good 1")
    assert.strictEqual(check("good 2")?.identity.participantId, "good 2")
    assert.isUndefined(check("bad"))
    assert.isUndefined(check("bad"))
    assert.lengthOf(asked, 4)
  })

  it("is forgotten when a thousand others came after it, unless it was used meanwhile", () => {
    const { asked, check } = remembering()
    check("good first")
    check("good used")
    for (let n = 0; n < 999; n++) {
      check(`good ${n}`)
      check("good used")
    }
    const before = asked.length
    check("good used")
    assert.lengthOf(asked, before)
    check("good first")
    assert.lengthOf(asked, before + 1)
  })
})
