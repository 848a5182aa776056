import { assert, describe, it } from "@effect/vitest"
import { type LogUnavailable, makeSessionId, type SessionId } from "@holdfast/core"
import { createdEvent, newEvent, sessionIds } from "@holdfast/testkit"
import { Effect, Fiber, Option, Stream } from "effect"
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { SqliteEventLog } from "../src/index.ts"
import { schemaVersion } from "../src/Migrations.ts"
import { startOwner } from "./startOwner.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const fileIn = Effect.map(temporaryDirectory, (directory) => `${directory}/log.db`)
const some = (size: number) => newEvent("some.thing", {}, { bytes: new Uint8Array(size) })

const change = (path: string, sql: string) => {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}

const refusal = Effect.fnUntraced(function* (path: string, reason: LogUnavailable["reason"], ...words: Array<string>) {
  for (const open of [SqliteEventLog.open({ path, busyTimeoutMs: 0 }), SqliteEventLog.openReader({ path })]) {
    const error = yield* Effect.flip(Effect.scoped(open as Effect.Effect<unknown, LogUnavailable>))
    assert.strictEqual(error.reason, reason, error.message)
    for (const word of [path, ...words]) assert.include(error.message, word)
  }
})

/** A closed log with one session of this many events of 1,000 bytes. */
const closedLog = Effect.fnUntraced(function* (path: string, events: number) {
  const id = makeSessionId()
  yield* Effect.scoped(
    Effect.gen(function* () {
      const log = yield* SqliteEventLog.open({ path })
      yield* log.append(id, 0, [createdEvent(), ...Array.from({ length: events - 1 }, () => some(1000))])
    })
  )
  return id
})

const readAnswers = Effect.fnUntraced(function* (
  log: SqliteEventLog.SqliteLogReader | SqliteEventLog.SqliteLog,
  id: SessionId
) {
  const pages = yield* log.follow(id, 0).pipe(
    Stream.takeUntil((page) => page.answer === "caught-up"),
    Stream.runCollect
  )
  return pages.flatMap((page) => {
    if (page.answer === "gap") return [`${page.reason} ${page.from}-${page.to}`]
    return page.answer === "caught-up" ? [] : [page.events.map((event) => event.seq).join()]
  })
})

describe("a file of an older version", () => {
  const fixture = readFileSync(new URL("./fixtures/version-1.sql", import.meta.url), "utf8")
  const id = "0199a000-0000-7000-8000-000000000001" as SessionId

  it.live("is brought to this one with everything in it, and can be appended to", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      change(path, fixture)
      const early = yield* Effect.flip(SqliteEventLog.openReader({ path }))
      assert.include(early.message, "older version")

      const log = yield* SqliteEventLog.open({ path })
      assert.strictEqual(log.owner.generation, 5)
      assert.strictEqual(log.previousOwner?.host, "old")
      const page = yield* log.read(id, 0, { maxBytes: 10_000_000 })
      assert.deepInclude(page, { answer: "snapshot", wholeAt: 6, cursor: 6, head: 6 })
      const events = page.answer === "snapshot" ? page.events : []
      assert.deepStrictEqual(
        events.map((event) => event.seq),
        [1, 2, 3, 4, 6]
      )
      assert.deepStrictEqual(events[2]!.bytes, new Uint8Array([255, 0, 254]))
      assert.deepInclude(events[3], { data: { text: "in pieces" }, bytes: new Uint8Array([0xc0, 0xff, 0xee]) })
      const receipt = (n: string) => log.receipt(id, `0199a000-0000-7000-8000-00000000000${n}` as never)
      assert.deepInclude(Option.getOrThrow(yield* receipt("a")), { firstSeq: 1, lastSeq: 2 })
      assert.deepInclude(Option.getOrThrow(yield* receipt("b")), { firstSeq: 6, lastSeq: 6 })
      // Its summary is of another fold, and so made anew.
      assert.deepInclude(yield* log.summary(id), { title: "old", seq: 6, outputBytes: 3 })
      assert.deepStrictEqual(yield* log.append(id, 6, [some(1)]), { firstSeq: 7, lastSeq: 7 })
      const other = makeSessionId()
      yield* log.append(other, 0, [createdEvent()])
      assert.strictEqual((yield* log.sessions()).sessions.length, 2)
    })
  )

  it.live("of a newer one is left alone", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      yield* closedLog(path, 1)
      change(path, `PRAGMA user_version = ${schemaVersion + 1}`)
      yield* refusal(path, "newer-schema", "update this program")
    })
  )
})

describe("a damaged log", () => {
  it.live("is told from one that is fine when it is opened or read", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(`${directory}/text.db`, "This is not a database at all, but a text of some length.".repeat(99))
      yield* refusal(`${directory}/text.db`, "damaged", "backup")
      change(`${directory}/foreign.db`, "CREATE TABLE theirs (a)")
      yield* refusal(`${directory}/foreign.db`, "damaged", "another program")

      const path = `${directory}/cut.db`
      const id = yield* closedLog(path, 2000)
      truncateSync(path, statSync(path).size / 2)
      const error = yield* Effect.flip(
        Effect.scoped(Effect.flatMap(SqliteEventLog.openReader({ path }), (log) => readAnswers(log, id)))
      )
      assert.deepInclude(error, { _tag: "LogUnavailable", reason: "damaged" })
    })
  )

  it.live("names the session's events that cannot be read, and goes on with the others", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      const id = makeSessionId()
      const log = yield* SqliteEventLog.open({ path })
      const large = newEvent("some.thing", { text: "x".repeat(600_000) }, { bytes: new Uint8Array(600_000) })
      yield* log.append(id, 0, [createdEvent(), ...Array.from({ length: 9 }, () => some(10)), large, large, some(1)])
      change(path, "UPDATE events SET data = '{\"half' WHERE id & 0xffffffff = 3")
      change(path, "UPDATE events SET data = '[]' WHERE id & 0xffffffff = 5")
      change(path, "DELETE FROM events WHERE id & 0xffffffff IN (7, 8)")
      change(path, "DELETE FROM pieces WHERE event & 0xffffffff = 11 AND piece = 1")
      change(path, "DELETE FROM pieces WHERE event & 0xffffffff = 12 AND piece = 1048577")
      assert.deepStrictEqual(yield* readAnswers(log, id), [
        "1,2",
        "corrupt 3-3",
        "4",
        "corrupt 5-5",
        "6",
        "missing 7-8",
        "9,10",
        "corrupt 11-11",
        "corrupt 12-12",
        "13"
      ])
      const gap = yield* log.read(id, 2)
      assert.include(gap.answer === "gap" ? gap.detail : "", "event 3 is damaged")
    })
  )

  it.live("tells that its last events are gone", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      const id = yield* closedLog(path, 5)
      change(path, "DELETE FROM events WHERE id & 0xffffffff > 3")
      const log = yield* SqliteEventLog.openReader({ path })
      assert.deepStrictEqual(yield* readAnswers(log, id), ["1,2,3", "missing 4-5"])
    })
  )
})

describe("a full disk", () => {
  for (const [way, size] of [
    ["on the main thread", 1000],
    ["in the writer's thread", 50_000]
  ] as const) {
    it.live(`fails appends ${way} by name, loses nothing, and takes them again when there is room`, () =>
      Effect.gen(function* () {
        const path = yield* fileIn
        const [old, id] = sessionIds(2) as [SessionId, SessionId]
        const log = yield* SqliteEventLog.open({ path, maxBytes: 1_000_000 })
        yield* log.append(old, 0, [createdEvent(), some(400_000)])
        yield* log.append(id, 0, [createdEvent()])
        let seq = 1
        const fill = Effect.suspend(() => log.append(id, seq, [some(size)])).pipe(
          Effect.tap(() => Effect.sync(() => seq++)),
          Effect.forever,
          Effect.flip
        )
        const error = yield* fill
        assert.deepInclude(error, { _tag: "LogUnavailable", reason: "disk-full" })
        assert.include((error as LogUnavailable).message, "maxBytes")
        assert.strictEqual(yield* log.head(id), seq)
        assert.deepInclude(yield* Effect.flip(log.append(id, seq, [some(size)])), { reason: "disk-full" })

        yield* log.remove(old)
        yield* log.append(id, seq, [some(size)])
        assert.strictEqual(yield* log.head(id), seq + 1)
        assert.deepStrictEqual(
          (yield* readAnswers(log, id)).join(),
          Array.from({ length: seq + 1 }, (_, n) => n + 1).join()
        )
      })
    )
  }
})

describe("a place that cannot be written", () => {
  const nobody = 65_534
  const isRoot = process.getuid?.() === 0

  it.live("is told from one that is not there", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      chmodSync(directory, 0o755)
      const path = `${directory}/log.db`
      const id = yield* closedLog(path, 2)
      chmodSync(path, 0o444)
      chmodSync(directory, 0o555)
      // For the superuser nothing is read-only: another user has to try.
      for (const file of [path, `${directory}/new.db`]) {
        const said = yield* Effect.scoped(
          Effect.flatMap(startOwner(file, isRoot ? { as: nobody } : {}), (owner) => owner.next)
        )
        assert.deepInclude(said, { error: "LogUnavailable", reason: "read-only" })
        assert.include(said?.message, "permissions")
      }
      chmodSync(directory, 0o755)
      assert.strictEqual(yield* (yield* SqliteEventLog.openReader({ path })).head(id), 2)
      const missing = yield* Effect.flip(SqliteEventLog.openReader({ path: `${directory}/no/log.db` }))
      assert.deepInclude(missing, { reason: "io" })
      assert.include(missing.message, "directory exists")
      assert.isFalse(existsSync(`${directory}/no`))
    })
  )
})

describe("a file that another program holds locked", () => {
  it.live("is waited for as long as was asked, and then says so", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      const id = makeSessionId()
      const log = yield* SqliteEventLog.open({ path, busyTimeoutMs: 50 })
      yield* log.append(id, 0, [createdEvent()])
      const other = new DatabaseSync(path)
      other.exec("BEGIN IMMEDIATE")
      const error = yield* Effect.flip(log.append(id, 1, [some(1)]))
      assert.deepInclude(error, { _tag: "LogUnavailable", reason: "locked" })
      assert.include((error as Error).message, "end that program")
      assert.strictEqual(yield* log.head(id), 1)
      other.exec("COMMIT")
      other.close()
      yield* log.append(id, 1, [some(1)])
    })
  )

  it.live("is opened as soon as it is let go", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      yield* closedLog(path, 1)
      const other = new DatabaseSync(path)
      other.exec("BEGIN IMMEDIATE")
      const refused = yield* Effect.flip(SqliteEventLog.open({ path, busyTimeoutMs: 50 }))
      assert.strictEqual(refused.reason, "locked")
      const opening = yield* Effect.forkScoped(SqliteEventLog.open({ path, busyTimeoutMs: 30_000 }), {
        startImmediately: true
      })
      other.exec("COMMIT")
      other.close()
      assert.isAbove((yield* Fiber.join(opening)).owner.generation, 1)
    })
  )
})

describe("the writer's thread", () => {
  const writerUrl = new URL("./fixtures/crashingWriter.ts", import.meta.url)

  it.live("keeps nobody waiting while it starts, but for its own jobs", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      const id = makeSessionId()
      const log = yield* SqliteEventLog.open({ path, writerUrl: new URL("./fixtures/slowWriter.ts", import.meta.url) })
      yield* log.append(id, 0, [createdEvent(), some(100_000)])
      const vacuum = yield* Effect.forkScoped(log.vacuum, { startImmediately: true })
      yield* log.append(id, 2, [some(1)])
      yield* log.append(id, 3, [some(100_000)])
      assert.isUndefined(vacuum.pollUnsafe())
      writeFileSync(`${path}.start`, "")
      yield* Fiber.join(vacuum)
      yield* log.append(id, 4, [some(100_000)])
      assert.strictEqual(yield* log.head(id), 5)
    })
  )

  it.live("that cannot start fails the append that needs it", () =>
    Effect.gen(function* () {
      const path = yield* fileIn
      const id = makeSessionId()
      const log = yield* SqliteEventLog.open({ path, writerUrl: new URL("./fixtures/missing.ts", import.meta.url) })
      yield* log.append(id, 0, [createdEvent(), some(100_000)])
      assert.deepInclude(yield* Effect.flip(log.vacuum), { _tag: "LogUnavailable" })
      const error = yield* Effect.flip(log.append(id, 2, [some(100_000)]))
      assert.deepInclude(error, { _tag: "LogUnavailable", reason: "io" })
      assert.include((error as Error).message, "missing.ts")
      assert.strictEqual(yield* log.head(id), 2)
      yield* log.append(id, 2, [some(1)])
    })
  )

  for (const [when, storedSeq] of [
    ["before", 1],
    ["after", 2]
  ] as const) {
    it.live(`that dies ${when} it has stored something fails that append, and is replaced`, () =>
      Effect.gen(function* () {
        const path = yield* fileIn
        const id = makeSessionId()
        const log = yield* SqliteEventLog.open({ path, writerUrl })
        yield* log.append(id, 0, [createdEvent()])
        // Has it started.
        yield* log.vacuum
        const follower = yield* log.follow(id, 1).pipe(
          Stream.takeUntil((page) => page.cursor === storedSeq + 1),
          Stream.runCollect,
          Effect.forkScoped({ startImmediately: true })
        )
        writeFileSync(`${path}.crash`, when)
        const error = yield* Effect.flip(log.append(id, 1, [some(100_000)]))
        assert.deepInclude(error, { _tag: "LogUnavailable", reason: "io" })
        assert.include((error as Error).message, "read the session's head")
        assert.strictEqual(yield* log.head(id), storedSeq)
        yield* log.vacuum
        yield* log.append(id, storedSeq, [some(100_000)])
        const pages = yield* Fiber.join(follower)
        const seqs = pages.flatMap((page) => (page.answer === "exact" ? page.events.map((event) => event.seq) : []))
        assert.deepStrictEqual(
          seqs,
          Array.from({ length: storedSeq }, (_, n) => n + 2)
        )
      })
    )
  }
})

describe("closing", () => {
  it.live("stores what was accepted, lets go of everything, and refuses what comes after", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = `${directory}/log.db`
      const ids = sessionIds(20)
      const log = yield* Effect.scoped(
        Effect.gen(function* () {
          const log = yield* SqliteEventLog.open({ path })
          for (const id of ids) {
            yield* Effect.forkDetach(log.append(id, 0, [createdEvent(), some(50_000)]), { startImmediately: true })
          }
          return log
        })
      )
      assert.deepStrictEqual(readdirSync(directory), ["log.db"])
      for (const late of [log.append(ids[0]!, 2, [some(1)]), log.read(ids[0]!, 0), log.stats, log.vacuum]) {
        assert.deepInclude(yield* Effect.flip<unknown, unknown, never>(late), { reason: "closed" })
      }
      assert.deepInclude(yield* Effect.flip(Stream.runDrain(log.follow(ids[0]!, 0))), { reason: "closed" })
      const reader = yield* SqliteEventLog.openReader({ path })
      for (const id of ids) assert.strictEqual(yield* reader.head(id), 2)
    })
  )
})
