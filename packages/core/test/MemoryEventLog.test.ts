import { eventLogSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { makeMemory } from "../src/MemoryEventLog.ts"

eventLogSuite("MemoryEventLog", {
  make: Effect.sync(() => ({ open: Effect.sync(() => makeMemory()) })),
  persistent: false,
  runs: 100
})

eventLogSuite("MemoryEventLog with a ring of a few events", {
  make: Effect.sync(() => ({ open: Effect.sync(() => makeMemory({ ringBytes: 1500 })) })),
  persistent: false,
  runs: 100
})
