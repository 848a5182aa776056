/**
 * The conformance suite of logs: whoever writes an `EventLog` runs it, and a runtime can rely on what passes.
 *
 * ```ts
 * import { eventLogSuite } from "@holdfast/testkit"
 * import { Effect } from "effect"
 *
 * eventLogSuite("MyLog", {
 *   make: Effect.map(temporaryDirectory, (directory) => ({ open: openMyLog({ directory }) })),
 *   persistent: true
 * })
 * ```
 */
import { encodeRecord, type EventLogService, makeCommandId, type SessionId } from "@holdfast/core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { appendTests } from "./eventLogAppendTests.ts"
import { eventsOf, type MakeEventLogStore, readAll } from "./eventLogHarness.ts"
import { listTests } from "./eventLogListTests.ts"
import { modelTests } from "./eventLogModelTests.ts"
import { readTests } from "./eventLogReadTests.ts"
import { createdEvent, newEvent, sessionIds } from "./newEventArbitraries.ts"

/** What is tested, and how long. */
export interface EventLogSuiteOptions {
  /** Makes an empty store of its own for each test, for the test's scope. */
  readonly make: MakeEventLogStore
  /** Whether a store keeps its events when it is closed and opened again. */
  readonly persistent: boolean
  /**
   * Random histories that are played: 50 unless given. When one fails, the smallest that still does is printed with its
   * seed; fast-check's `fc.configureGlobal({ seed, path })` plays it again.
   */
  readonly runs?: number
}

/** Registers the suite with vitest. */
export const eventLogSuite = (name: string, { make, persistent, runs = 50 }: EventLogSuiteOptions) =>
  describe(name, () => {
    appendTests(make, runs)
    readTests(make)
    listTests(make)
    if (persistent) reopenTests(make)
    modelTests(make, runs)
  })

const reopenTests = (make: MakeEventLogStore) =>
  describe("opened again", () => {
    it("has everything that it acknowledged, and goes on where it was", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const store = yield* make
            const opened = <A, E>(use: (log: EventLogService) => Effect.Effect<A, E, Scope.Scope>) =>
              Effect.scoped(Effect.flatMap(store.open, use))
            const [id, gone] = sessionIds(2) as [SessionId, SessionId]
            const cause = makeCommandId()
            const see = Effect.fnUntraced(function* (log: EventLogService) {
              const pages = yield* readAll(log, id)
              return {
                answers: pages.map((page) => page.answer),
                events: eventsOf(pages).map(encodeRecord),
                summary: yield* log.summary(id),
                list: yield* log.sessions(),
                receipt: yield* log.receipt(id, cause),
                checkpoint: yield* log.loadCheckpoint(id, "fold", 1),
                counts: (yield* log.stats).events
              }
            })
            const before = yield* opened(
              Effect.fnUntraced(function* (log) {
                yield* log.append(id, 0, [{ ...createdEvent({ title: "kept" }), cause }])
                yield* log.append(gone, 0, [createdEvent()])
                yield* log.append(id, 1, [
                  newEvent("item.delta", { itemId: "a", field: "text", text: "x" }),
                  newEvent("item.completed", { itemId: "a", kind: "message", status: "completed", text: "x" }),
                  newEvent("hologram.projected", { unknown: true }, { version: 7, bytes: new Uint8Array([255, 0]) })
                ])
                yield* log.compact(id, { kind: "item", itemId: "a", from: 1, by: 3 })
                for (let n = 0; n < 100; n++) {
                  yield* log.append(id, n + 4, [
                    newEvent("terminal.output", { offset: n }, { bytes: new Uint8Array([n]) })
                  ])
                }
                yield* log.saveCheckpoint(id, { fold: "fold", version: 1, seq: 2, state: { n: 1 } })
                yield* log.remove(gone)
                return yield* see(log)
              })
            )
            yield* opened(
              Effect.fnUntraced(function* (log) {
                expect(yield* see(log)).toEqual(before)
                expect(yield* log.append(id, 104, [newEvent("link.connected")])).toEqual({
                  firstSeq: 105,
                  lastSeq: 105
                })
                expect(yield* Effect.flip(log.append(id, 104, [newEvent("link.connected")]))).toMatchObject({
                  actualSeq: 105
                })
              })
            )
          })
        )
      ))
  })
