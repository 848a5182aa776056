import { eventLogSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { SqliteEventLog, type SqliteOptions } from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const make = (options: Partial<SqliteOptions> = {}) =>
  Effect.map(temporaryDirectory, (directory) => ({
    open: SqliteEventLog.open({ path: `${directory}/log.db`, compactAfterMs: 0, ...options })
  }))

eventLogSuite("SqliteEventLog", { make: make(), persistent: true, runs: 30 })

eventLogSuite("SqliteEventLog that waits for the disk, with a ring of a few events", {
  make: make({ durability: "power", ringBytes: 1500 }),
  persistent: true,
  runs: 15
})
