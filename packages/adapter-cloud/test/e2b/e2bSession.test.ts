import { type BackendEvent, makeSessionId } from "@holdfast/core"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { expect, it } from "vitest"
import { e2bSandboxes } from "../../src/e2b.ts"
import { bridgeFile } from "../../../bridge/test/support/bridgeFile.ts"
import { openCloudHouse } from "../support/cloudHouse.ts"
import { apiKey } from "./e2bBench.ts"
import { startE2bCounterpart } from "./E2bCounterpart.ts"

it("runs a terminal in a sandbox at E2B, with the real bridge put into it, and leaves nothing when it is closed", () =>
  Effect.gen(function* () {
    const counterpart = yield* Effect.acquireRelease(
      Effect.promise(() => startE2bCounterpart({ apiKey, templates: ["holdfast"] })),
      ({ close }) => Effect.promise(close)
    )
    const provider = e2bSandboxes({
      template: "holdfast",
      apiKey,
      apiUrl: counterpart.url,
      sandboxUrl: counterpart.url,
      node: process.execPath,
      bridge: { upload: yield* Effect.promise(bridgeFile) },
      anyControlPlane: true
    })
    const { backend } = yield* openCloudHouse({ provider })
    const { secrets, spec } = yield* backend.check({
      inner: { backend: "pty", spec: { profile: "command", command: "sh" } }
    })
    const told: Array<BackendEvent["type"]> = []
    const session = yield* backend.open({
      sessionId: makeSessionId(),
      generation: 1,
      spec,
      secrets,
      inDoubt: [],
      tell: (events) => Effect.sync(() => void told.push(...events.map(({ type }) => type)))
    })
    const answered = yield* Deferred.make<void>()
    let output = ""
    const reading = yield* Effect.forkChild(
      Stream.runForEach(session.events, (batch) =>
        Effect.suspend(() => {
          for (const event of batch) {
            told.push(event.type)
            if (event.type === "terminal.output") output += Buffer.from(event.bytes).toString()
          }
          return output.includes("in /home/user/workspace: 42") ? Deferred.succeed(answered, undefined) : Effect.void
        })
      )
    )
    yield* session.perform({ type: "write", bytes: new TextEncoder().encode('echo "in $PWD: $((6 * 7))"\n') })
    yield* Deferred.await(answered)
    expect(counterpart.sandboxes()).toHaveLength(1)
    yield* session.perform({ type: "close", force: false, graceMs: 1_000 })
    yield* Fiber.join(reading)
    expect(told.at(-1)).toBe("backend.closed")
    expect(told.filter((type) => type.startsWith("sandbox."))).toEqual(
      expect.arrayContaining(["sandbox.warming", "sandbox.ready", "sandbox.stopped"])
    )
    expect(counterpart.sandboxes()).toEqual([])
  }).pipe(Effect.scoped, Effect.runPromise))
