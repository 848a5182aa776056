import * as fc from "fast-check"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { openBridgeDatabase } from "../src/BridgeDatabase.ts"
import { type LoggedEvent, maxLoggedBytes, openBridgeLog } from "../src/BridgeLog.ts"
import { openCommandLedger } from "../src/CommandLedger.ts"

const withFolder = <A>(run: (file: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bridge-log-"))
  try {
    return run(join(folder, "bridge.sqlite"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const output = (text: string): LoggedEvent => ({ type: "terminal.output", bytes: new TextEncoder().encode(text) })
const note = (message: string): LoggedEvent => ({ type: "backend.noted", data: { level: "info", message } })

type Step =
  | { readonly do: "append"; readonly generation: number; readonly texts: ReadonlyArray<string> }
  | { readonly do: "acknowledge"; readonly share: number }
  | { readonly do: "raise"; readonly by: number }
  | { readonly do: "forget" }
  | { readonly do: "reopen" }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("append" as const),
    generation: fc.integer({ min: 1, max: 3 }),
    texts: fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 6 })
  }),
  fc.record({ do: fc.constant("acknowledge" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant("raise" as const), by: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ do: fc.constant("forget" as const) }),
  fc.record({ do: fc.constant("reopen" as const) })
)

describe("the log of a bridge", () => {
  it("gives every event that was not acknowledged, in order and by generation, whatever happens in between", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) =>
        withFolder((file) => {
          let database = openBridgeDatabase(file)
          let log = openBridgeLog(database)
          /** Number, generation, event. */
          let model: Array<readonly [number, number, LoggedEvent]> = []
          let last = 0
          let floor = 0
          for (const each of steps) {
            switch (each.do) {
              case "append": {
                const events = each.texts.map((text, index) => (index % 2 === 0 ? output(text) : note(text)))
                assert.strictEqual(log.append(each.generation, events), last + 1)
                for (const event of events) model.push([++last, each.generation, event])
                break
              }
              case "acknowledge":
                floor = Math.max(floor, Math.floor(each.share * last))
                log.raise(floor)
                break
              case "raise":
                floor = last = last + each.by
                log.raise(floor)
                break
              case "forget":
                while (log.forget()) continue
                break
              case "reopen":
                database.close()
                database = openBridgeDatabase(file)
                log = openBridgeLog(database)
                // What the host has, it says with its welcome.
                log.raise(floor)
            }
            model = model.filter(([number]) => number > floor)
            assert.strictEqual(log.last(), last)
            const read: Array<readonly [number, number, LoggedEvent]> = []
            for (let at = floor; ;) {
              const batch = log.read(at, 200)
              if (batch === undefined) break
              for (const [index, event] of batch.events.entries())
                read.push([batch.first + index, batch.generation, event])
              at = batch.first + batch.events.length - 1
            }
            assert.deepStrictEqual(read, model)
            assert.strictEqual(log.weight() === 0, model.length === 0)
          }
          database.close()
        })
      ),
      { numRuns: 40 }
    )
  })

  it("puts a note in the place of what could never be sent", () => {
    withFolder((file) => {
      const database = openBridgeDatabase(file)
      const log = openBridgeLog(database)
      const cyclic: Record<string, unknown> = {}
      cyclic["self"] = cyclic
      const events = [
        { type: "terminal.output", bytes: new Uint8Array(maxLoggedBytes + 1) },
        { type: "backend.noted", data: cyclic },
        note("after")
      ]
      log.append(1, events as never)
      const read = log.read(0, 1_000_000)?.events ?? []
      assert.deepStrictEqual(
        read.map((event) => (event.type === "backend.noted" ? event.data.message : "")),
        [
          `terminal.output was left out: it has ${maxLoggedBytes + 1 + 26} bytes, and ${maxLoggedBytes} can be sent`,
          "backend.noted was left out: its data is not JSON",
          "after"
        ]
      )
      database.close()
    })
  })
})

describe("the ledger of commands", () => {
  it("knows after a death what was answered, and that the rest is lost", () => {
    withFolder((file) => {
      const before = openBridgeDatabase(file)
      const ledger = openCommandLedger(before)
      ledger.take(1, 11)
      ledger.answer(1, { result: { nativeId: "one" } })
      ledger.take(2, 12)
      ledger.take(3, undefined, { typed: true })
      ledger.setOpenGeneration(7)
      assert.strictEqual(ledger.look(2), "performing")
      before.close()

      const after = openBridgeDatabase(file)
      const next = openCommandLedger(after)
      assert.strictEqual(next.highest(), 3)
      assert.deepStrictEqual(next.taken(), [11, 12])
      assert.strictEqual(next.openGeneration(), 7)
      assert.deepStrictEqual(next.look(1), { result: { nativeId: "one" } })
      assert.deepNestedInclude(next.look(2), { "failure.kind": "lost", "failure.retryable": true })
      assert.deepStrictEqual(next.look(3), { typed: true })
      assert.strictEqual(next.look(4), "new")
      after.close()
    })
  })

  it("keeps the newest answers and decisions, and no more than it says", () => {
    withFolder((file) => {
      const database = openBridgeDatabase(file)
      const ledger = openCommandLedger(database)
      for (let id = 1; id <= 2_048; id++) {
        ledger.take(id, id * 10)
        if (id !== 5) ledger.answer(id, { result: {} })
      }
      assert.strictEqual(ledger.taken().length, 1_024)
      assert.strictEqual(ledger.taken().at(-1), 20_480)
      assert.strictEqual(ledger.look(5), "performing")
      assert.deepNestedInclude(ledger.look(6), { "failure.kind": "lost", "failure.retryable": false })
      assert.deepStrictEqual(ledger.look(1_025), { result: {} })
      database.close()
    })
  })
})
