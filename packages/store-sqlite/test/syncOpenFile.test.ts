import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { makeSyncOpenFile } from "../src/syncOpenFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const descriptors = () => readdirSync("/dev/fd").length

const connect = (path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const db = new DatabaseSync(path)
      db.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)")
      return db
    }),
    (db) => Effect.sync(() => db.isOpen && db.close())
  )

describe("syncing a database that is open", () => {
  it.effect("goes through SQLite's own descriptor, and opens and closes none", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "log.db")
      yield* connect(path)
      const sync = makeSyncOpenFile(path)
      const before = descriptors()
      assert.isTrue(sync())
      assert.isTrue(sync())
      assert.strictEqual(descriptors(), before)
    })
  )

  it.effect("finds the descriptor anew when the connection that it knew is closed", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "log.db")
      const first = yield* connect(path)
      const sync = makeSyncOpenFile(path)
      assert.isTrue(sync())
      first.close()
      assert.isFalse(sync())
      yield* connect(path)
      assert.isTrue(sync())
    })
  )

  it.effect("knows the file by what it is and not by its name", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = join(directory, "log.db")
      yield* connect(path)
      symlinkSync(path, join(directory, "link.db"))
      assert.isTrue(makeSyncOpenFile(join(directory, "link.db"))())
    })
  )

  it.effect("says of a file that is not open, or not there, that nothing was synced", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* connect(join(directory, "log.db"))
      assert.isFalse(makeSyncOpenFile(import.meta.filename)())
      assert.isFalse(makeSyncOpenFile(join(directory, "missing.db"))())
    })
  )
})
