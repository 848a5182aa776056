import { assert, describe, it } from "@effect/vitest"
import { makeSessionId } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { Effect } from "effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import { SqliteEventLog } from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const mebibyte = 1024 * 1024

/** Appended at once, and the most that is left of it: a log that is longer is cut once its commits are slow enough to be copied. */
const appended = 80
const most = 32

describe("the write-ahead log", () => {
  it.live("is copied back beside commits and cut where it is long, and all that went through it can be read", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "log.db")
      const log = yield* SqliteEventLog.open({ path })
      const session = makeSessionId()
      let { lastSeq } = yield* log.append(session, 0, [createdEvent()])
      const append = Effect.fnUntraced(function* (bytes: Uint8Array) {
        ;({ lastSeq } = yield* log.append(session, lastSeq, [{ ...newEvent("later.blob", {}), bytes }]))
      })
      for (let event = 0; event < appended; event++) yield* append(new Uint8Array(mebibyte).fill(event))
      while (statSync(`${path}-wal`).size > most * mebibyte) yield* append(new Uint8Array(1))
      assert.isAtLeast(statSync(path).size, (appended - most) * mebibyte)

      let cursor = 0
      while (cursor < lastSeq) {
        const page = yield* log.read(session, cursor)
        assert.strictEqual(page.answer, "exact")
        if (page.answer !== "exact") return
        for (const { bytes, seq } of page.events) {
          const event = seq - 2
          const expected = event < appended ? [mebibyte, event] : [1, 0]
          if (event >= 0) assert.deepStrictEqual([bytes?.byteLength, bytes?.[0]], expected)
        }
        cursor = page.cursor
      }
    })
  )
})
