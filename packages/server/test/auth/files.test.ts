import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileRevocations } from "../../src/auth/FileRevocationStore.ts"
import { maxRevocations, memoryRevocations } from "../../src/auth/RevocationStore.ts"
import { secretFile } from "../../src/auth/SecretFile.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-auth-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

describe("a file of revoked tokens", () => {
  it.effect("outlasts the server, and forgets what has expired anyway", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "state", "revoked")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* fileRevocations(path)
          yield* store.revoke("short", 1_000)
          yield* store.revoke("long", 60_000)
          assert.isTrue(store.has("short"))
        })
      )
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      yield* TestClock.adjust("30 seconds")
      const again = yield* fileRevocations(path)
      assert.deepStrictEqual([again.has("long"), again.has("short")], [true, false])
      assert.notInclude(readFileSync(path, "utf8"), "short")
      yield* again.revoke("other", 60_000)
      assert.lengthOf(readFileSync(path, "utf8").trim().split("\n"), 2)
    })
  )

  it.effect("lets many be revoked at once, each in a line of its own", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "revoked")
      const store = yield* fileRevocations(path)
      const ids = Array.from({ length: 50 }, (_, index) => `token "${index}"\n`)
      yield* Effect.forEach(ids, (id) => store.revoke(id, 1_000), { concurrency: "unbounded" })
      const again = yield* fileRevocations(path)
      for (const id of ids) assert.isTrue(again.has(id))
    })
  )

  it.effect("drops the half of a line that a crash has left, and goes on behind what was whole", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "revoked")
      yield* Effect.scoped(Effect.flatMap(fileRevocations(path), (store) => store.revoke("a", 1_000)))
      appendFileSync(path, `{"tokenId":"b","un`)
      const store = yield* fileRevocations(path)
      yield* store.revoke("c", 1_000)
      const again = yield* fileRevocations(path)
      assert.deepStrictEqual(["a", "b", "c"].map(again.has), [true, false, true])
    })
  )

  it.effect("is refused where it is damaged or a link, so that no revoked token is good again", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "revoked")
      writeFileSync(path, `{"tokenId":"a","until":1000}\ngarbage\n{"tokenId":"c","until":1000}\n`)
      const error = yield* Effect.flip(fileRevocations(path))
      assert.include(error.message, "line 2")
      symlinkSync(path, `${path}.link`)
      assert.strictEqual((yield* Effect.flip(fileRevocations(`${path}.link`)))._tag, "RevocationsUnreadable")
    })
  )
})

describe("revoked tokens in memory", () => {
  it.effect("are bounded: more are refused until some have expired, and none is forgotten before", () =>
    Effect.gen(function* () {
      const store = memoryRevocations()
      for (let index = 0; index < maxRevocations; index++) yield* store.revoke(`token ${index}`, 1_000)
      assert.include((yield* Effect.flip(store.revoke("one more", 2_000))).message, "another secret")
      assert.isTrue(store.has("token 0"))
      yield* TestClock.adjust("1 second")
      yield* store.revoke("one more", 2_000)
      assert.deepStrictEqual([store.has("one more"), store.has("token 0")], [true, false])
    })
  )
})

describe("the file of the server's secret", () => {
  it.effect("is made once, of 32 random bytes, for its owner alone", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const path = join(at, "state", "secret")
      const all = yield* Effect.all(
        Array.from({ length: 8 }, () => secretFile(path)),
        { concurrency: "unbounded" }
      )
      const first = Redacted.value(all[0]!)
      assert.strictEqual(first.byteLength, 32)
      for (const secret of all) assert.deepStrictEqual(Redacted.value(secret), first)
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.strictEqual(statSync(join(at, "state")).mode & 0o777, 0o700)
      assert.deepStrictEqual(readdirSync(join(at, "state")), ["secret"])
      assert.deepStrictEqual(Redacted.value(yield* secretFile(path)), first)
    })
  )

  for (const mode of [0o640, 0o604, 0o620, 0o666]) {
    it.effect(`is refused with mode ${mode.toString(8)}, which others could use`, () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "secret")
        yield* secretFile(path)
        chmodSync(path, mode)
        assert.include((yield* Effect.flip(secretFile(path))).message, "chmod 600")
      })
    )
  }

  it.effect("is refused where it is too short, a link or a folder", () =>
    Effect.gen(function* () {
      const at = yield* folder
      const path = join(at, "secret")
      writeFileSync(path, "c2hvcnQ", { mode: 0o600 })
      const short = yield* Effect.flip(secretFile(path))
      assert.include(short.message, "32 bytes")
      assert.notInclude(short.message, "c2hvcnQ")
      symlinkSync(path, join(at, "link"))
      assert.include((yield* Effect.flip(secretFile(join(at, "link")))).message, "link")
      assert.include((yield* Effect.flip(secretFile(at))).message, "not a file")
    })
  )
})
