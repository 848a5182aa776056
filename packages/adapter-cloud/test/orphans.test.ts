/** Sandboxes of this machine that nobody looks after, and what a host that starts does with them. */
import { EventLog, makeSessionId, type SessionId } from "@holdfast/core"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { makeHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeCloud } from "../src/index.ts"
import { hashToken } from "../src/SandboxTokens.ts"
import { innerBackends, processProvider, testFolder } from "./support/cloudHouse.ts"

const spec = { inner: { backend: "codex", spec: {} } }

/** A sandbox with something in it that was stored nowhere. */
const withWork = (provider: SandboxProvider, sessionId: SessionId) =>
  Effect.gen(function* () {
    const made = yield* provider.create({
      owner: "test",
      sessionId,
      generation: 1,
      environment: {},
      controlPlane: "http://127.0.0.1:1"
    })
    yield* provider.exec(made.sandboxId, { command: "sh", args: ["-c", "echo unsaved > work.txt"] })
    return made.sandboxId
  })

it("What a failed session left unsaved is stored before its sandbox is ended, and what no session owns is ended as it is", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* testFolder
        const provider = yield* processProvider(folder, { program: ["/bin/sh", "-c", sandboxStandIn] })
        yield* Effect.addFinalizer(() =>
          Effect.orDie(
            Effect.flatMap(provider.list("test"), (all) =>
              Effect.forEach(all, ({ sandboxId }) => provider.destroy(sandboxId), { discard: true })
            )
          )
        )
        const services = yield* Layer.build(SqliteEventLog.layer({ path: join(folder, "log.db") }))
        const log = yield* Effect.provide(EventLog, services)
        const { backend } = yield* makeCloud({
          owner: "test",
          inner: innerBackends,
          controlPlane: "http://127.0.0.1:1",
          providers: [provider]
        })
        // Its host was killed right after the session had failed.
        const [failed, unknown] = [makeSessionId(), makeSessionId()]
        const [left, orphan] = [yield* withWork(provider, failed), yield* withWork(provider, unknown)]
        const { spec: recorded } = yield* backend.check(spec)
        const events = [
          ["session.created", { backend: "cloud", spec: recorded }],
          ["backend.opening", { attempt: 1, resume: false }],
          ["sandbox.pending", { provider: "process" }],
          ["sandbox.warming", { provider: "process", tokenHash: hashToken("a token") }],
          ["sandbox.syncing", { sandboxId: left }],
          ["backend.failed", { reason: "not retryable", message: "no such agent", retryable: false }]
        ] as const
        yield* log.append(
          failed,
          0,
          events.map(([type, data]) => ({ type, version: 1, data, at: Date.now(), generation: 1 }))
        )

        const holdfast = yield* makeHoldfast(log, { backends: [backend] })
        yield* Effect.repeat(Effect.delay(provider.list("test"), 20), { until: (all) => all.length === 0 }).pipe(
          Effect.timeout(20_000)
        )
        expect(yield* holdfast.state(failed)).toMatchObject({ chart: { lifecycle: "failed", sandbox: "stopped" } })
        expect([yield* provider.status(left), yield* provider.status(orphan)]).toEqual(["gone", "gone"])
        const snapshots = yield* provider.snapshots("test")
        expect(snapshots).toMatchObject([{ sessionId: failed }])
        const restored = yield* provider.restore(snapshots[0]!.snapshotId, {
          owner: "test",
          sessionId: failed,
          generation: 2,
          environment: {},
          controlPlane: "http://127.0.0.1:1"
        })
        const work = yield* provider.exec(restored.sandboxId, { command: "cat", args: ["work.txt"] })
        expect(Buffer.from(work.stdout).toString()).toBe("unsaved\n")
      })
    )
  ))
