import { assert, describe, it } from "@effect/vitest"
import { makeMemory, makeSessionId, type NewEvent, type SessionId } from "@holdfast/core"
import { identify, isAlive, type ProcessIdentity } from "@holdfast/process"
import { makeHoldfast } from "@holdfast/runtime"
import { scriptedBackend } from "@holdfast/testkit"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"

/** A program that would run for a minute; the scope's end ends it. */
const sleeper = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("sleep", ["60"], { stdio: "ignore" })),
    (started) =>
      Effect.promise(async () => {
        if (started.exitCode !== null || started.signalCode !== null) return
        started.kill("SIGKILL")
        await once(started, "exit")
      })
  )
  return (yield* identify(child.pid!))!
})

const event = (generation: number, type: string, data: NewEvent["data"]): NewEvent => ({
  at: 1,
  generation,
  type,
  version: 1,
  data
})

const spawned = (generation: number, { host, pid, startTime }: ProcessIdentity) =>
  event(generation, "process.spawned", { pid, startTime, host, command: "sleep" })

/** The log of a runtime that died right behind the fence: nothing of the old place was ended. */
const movedLog = (sessionId: SessionId, here: ProcessIdentity, inSandbox: ProcessIdentity): ReadonlyArray<NewEvent> => [
  event(0, "session.created", { backend: "local", spec: {} }),
  event(1, "backend.opening", { attempt: 1, resume: false }),
  event(1, "backend.opened", { capabilities: scriptedBackend({ name: "local", openings: [{}] }).capabilities }),
  spawned(1, { ...inSandbox, host: `sandbox:test/${sessionId}` }),
  spawned(1, here),
  event(1, "session.moved", { backend: "elsewhere", spec: {}, from: "local" }),
  event(2, "backend.opening", { attempt: 1, resume: false })
]

describe("A runtime that died right after it had moved a session elsewhere", () => {
  it.live("has what the session left on this machine ended by the next one, and nothing that only looks like it", () =>
    Effect.gen(function* () {
      const log = makeMemory()
      const sessionId = makeSessionId()
      const [here, inSandbox] = [yield* sleeper, yield* sleeper]
      yield* log.append(sessionId, 0, movedLog(sessionId, here, inSandbox))
      const elsewhere = scriptedBackend({ name: "elsewhere", capabilities: { reattach: true }, openings: [{}] })
      const { swept } = yield* makeHoldfast(log, { backends: [elsewhere] })
      assert.strictEqual(swept.orphans, 1)
      assert.isFalse(yield* isAlive(here))
      assert.isTrue(yield* isAlive(inSandbox))
    }).pipe(Effect.scoped)
  )
})
