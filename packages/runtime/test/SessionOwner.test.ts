import {
  defaultPolicy,
  emptyState,
  type EventLogService,
  makeCommandId,
  makeMemory,
  makeSessionId
} from "@holdfast/core"
import { scriptedBackend } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import { startOwner } from "../src/SessionOwner.ts"
import { isOpen, typesOf } from "./fixtures.ts"

describe("An owner that stops while output is being stored", () => {
  it.effect("tells nobody of it any more, and the log has it", () =>
    Effect.gen(function* () {
      const memory = makeMemory()
      const begun = yield* Deferred.make<void>()
      const stored = yield* Deferred.make<void>()
      const log: EventLogService = {
        ...memory,
        append: (sessionId, expectedSeq, events, options) => {
          const append = memory.append(sessionId, expectedSeq, events, options)
          if (events[0]?.data["offset"] !== 1) return append
          Deferred.doneUnsafe(begun, Exit.void)
          return Effect.andThen(Deferred.await(stored), append)
        }
      }
      const backend = scriptedBackend({ name: "screen", capabilities: { terminal: true } })
      const sessionId = makeSessionId()
      let heard = 0
      const scope = yield* Scope.make()
      const owner = yield* Scope.provide(
        startOwner({
          log,
          place: () => ({ backend, policy: defaultPolicy }),
          backend: backend.name,
          state: emptyState(sessionId),
          onStored: () => (heard += 1)
        }),
        scope
      )
      yield* owner.submit({
        type: "session.create",
        data: { backend: backend.name, spec: {} },
        sessionId,
        commandId: makeCommandId(),
        actor: "host",
        at: 1
      })
      yield* owner.until(isOpen)
      const session = yield* backend.opening(1)
      const say = () => session.say({ type: "terminal.output", bytes: new Uint8Array(1) })
      say()
      yield* owner.until(({ terminal }) => terminal?.offset === 1)
      // Its reader waits for more by then: the next one is stored beside the owner.
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      const before = heard
      say()
      yield* Deferred.await(begun)
      yield* Scope.close(scope, Exit.void)
      yield* owner.stopped
      yield* Deferred.succeed(stored, undefined)
      const outputs = () =>
        Effect.map(typesOf(memory, sessionId), (types) => types.filter((type) => type === "terminal.output").length)
      while ((yield* outputs()) < 2) yield* Effect.yieldNow
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow
      assert.strictEqual(heard, before)
    })
  )
})
