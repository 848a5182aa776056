/** Snapshots: the file system comes back, and nothing else. */
import { makeSessionId } from "@holdfast/core"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { describe, expect } from "vitest"
import { refusal, type SandboxBench, type SandboxTest, untilCondition } from "./sandboxProviderHarness.ts"

/** Restores for a new generation of a session, and waits until the program is there for the `times`th time. */
const restored = Effect.fnUntraced(function* (
  bench: SandboxBench,
  snapshotId: string,
  request: Parameters<SandboxProvider["create"]>[0],
  times: number
) {
  const info = yield* bench.provider.restore(snapshotId, request)
  yield* bench.awaitStart(info.sandboxId, times)
  return info
})

/** Registers them. */
export const sandboxSnapshotTests = (test: SandboxTest): void => {
  describe("snapshots", () => {
    test("bring back the files as they were, with a new environment and none of the processes", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const request = bench.request({ environment: { TOLD: "first", HOLDFAST_BRIDGE_TOKEN: "old-token" } })
        const first = yield* provider.create(request)
        yield* bench.awaitStart(first.sandboxId)
        const data = yield* bench.place(first.sandboxId, "HOLDFAST_BRIDGE_DATA")
        yield* bench.sh(
          first.sandboxId,
          `echo kept >kept; echo '#!/bin/sh' >run; chmod 750 run; ln -s kept link; mkdir -p deep/er; echo deep >deep/er/file
           echo home >"$HOME/of-home"; echo data >'${data}/of-data'; touch -t 202001010000 kept`
        )
        const snapshot = yield* provider.snapshot(first.sandboxId)
        expect(snapshot).toMatchObject({ owner: bench.owner, sessionId: request.sessionId })
        expect(yield* provider.status(first.sandboxId), "what runs goes on").toBe("running")
        yield* bench.sh(first.sandboxId, "echo changed >kept; rm -r deep; echo late >late")
        yield* provider.destroy(first.sandboxId)

        const second = yield* restored(
          bench,
          snapshot.snapshotId,
          { ...request, generation: 2, environment: { TOLD: "second" } },
          2
        )
        expect(second).toMatchObject({ owner: bench.owner, sessionId: request.sessionId, generation: 2 })
        expect(second.sandboxId).not.toBe(first.sandboxId)
        const [newHome, newData] = [
          yield* bench.place(second.sandboxId, "HOME"),
          yield* bench.place(second.sandboxId, "HOLDFAST_BRIDGE_DATA")
        ]
        const { out } = yield* bench.sh(
          second.sandboxId,
          `cat kept link deep/er/file '${newHome}/of-home' '${newData}/of-data'; ls -l run | cut -c1-10; ls late 2>/dev/null
           find kept -newermt 2021-01-01; [ -L link ] && echo linked`
        )
        expect(out).toBe("kept\nkept\ndeep\nhome\ndata\n-rwxr-x---\nlinked\n")
        const environment = yield* bench.environment(second.sandboxId)
        expect(environment["TOLD"]).toBe("second")
        expect(environment["HOLDFAST_BRIDGE_TOKEN"], "no secret comes back with a snapshot").toBeUndefined()
      }))

    test("may be taken of what was restored, and are listed until they are removed", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const request = bench.request()
        const first = yield* provider.create(request)
        yield* bench.awaitStart(first.sandboxId)
        yield* bench.sh(first.sandboxId, "echo one >one")
        const one = yield* provider.snapshot(first.sandboxId)
        const second = yield* restored(bench, one.snapshotId, { ...request, generation: 2 }, 2)
        yield* bench.sh(second.sandboxId, "echo two >two")
        const two = yield* provider.snapshot(second.sandboxId)
        expect(two.snapshotId).not.toBe(one.snapshotId)
        const listed = yield* provider.snapshots(bench.owner)
        expect(listed.map(({ snapshotId }) => snapshotId).toSorted()).toEqual(
          [one.snapshotId, two.snapshotId].toSorted()
        )
        for (const each of listed) expect(each).toMatchObject({ owner: bench.owner, sessionId: request.sessionId })
        expect(yield* provider.snapshots(`${bench.owner}-other`)).toEqual([])

        // The first is the ground that the second stands on, and in use: neither keeps it from being removed.
        yield* provider.removeSnapshot(one.snapshotId)
        yield* provider.removeSnapshot(one.snapshotId)
        expect((yield* provider.snapshots(bench.owner)).map(({ snapshotId }) => snapshotId)).toEqual([two.snapshotId])
        yield* provider.destroy(first.sandboxId)
        yield* provider.destroy(second.sandboxId)
        const third = yield* restored(bench, two.snapshotId, { ...request, generation: 3 }, 3)
        expect((yield* bench.sh(third.sandboxId, "cat one two")).out).toBe("one\ntwo\n")
        yield* provider.removeSnapshot(two.snapshotId)
        expect((yield* bench.sh(third.sandboxId, "cat one two")).out, "its sandbox goes on").toBe("one\ntwo\n")
        expect(yield* provider.status(third.sandboxId)).toBe("running")
      }))

    test("give many sandboxes, each of its own, and the same one when asked again", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const first = yield* bench.started()
        yield* bench.sh(first.sandboxId, "echo shared >file")
        const { snapshotId } = yield* provider.snapshot(first.sandboxId)
        const request = bench.request({ sessionId: makeSessionId() })
        const [one, other] = [
          yield* restored(bench, snapshotId, request, 2),
          yield* restored(bench, snapshotId, { ...request, generation: 2 }, 2)
        ]
        expect((yield* provider.restore(snapshotId, request)).sandboxId).toBe(one.sandboxId)
        yield* bench.sh(one.sandboxId, "echo mine >file")
        expect((yield* bench.sh(other.sandboxId, "cat file")).out).toBe("shared\n")
        expect((yield* bench.sh(one.sandboxId, "cat .stand-in/starts")).out).toBe("started\nstarted\n")
      }))

    test("can be taken of a sandbox whose program has ended", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const request = bench.request()
        const first = yield* provider.create(request)
        yield* bench.awaitStart(first.sandboxId)
        yield* bench.sh(first.sandboxId, "echo kept >kept; touch .stand-in/stop")
        yield* untilCondition(bench, first.sandboxId, "stopped")
        const { snapshotId } = yield* provider.snapshot(first.sandboxId)
        const second = yield* restored(bench, snapshotId, { ...request, generation: 2 }, 2)
        expect((yield* bench.sh(second.sandboxId, "cat kept")).out).toBe("kept\n")
      }))

    test("that are not there are told as not found, and nothing is made of them", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const first = yield* bench.started()
        const { snapshotId } = yield* provider.snapshot(first.sandboxId)
        yield* provider.removeSnapshot(snapshotId)
        for (const name of [snapshotId, "unknown", "../../etc", ""]) {
          yield* refusal(provider.restore(name, bench.request()), "not_found")
          yield* provider.removeSnapshot(name)
        }
        yield* refusal(provider.snapshot("unknown"), "not_found")
        expect(yield* provider.list(bench.owner)).toMatchObject([{ sandboxId: first.sandboxId }])
      }))
  })
}

/** Registers what holds of a provider without snapshots. */
export const noSnapshotTests = (test: SandboxTest): void => {
  test("says that it cannot take snapshots", (bench) =>
    Effect.gen(function* () {
      const { sandboxId } = yield* bench.started()
      yield* refusal(bench.provider.snapshot(sandboxId), "unsupported")
      yield* refusal(bench.provider.restore("any", bench.request()), "unsupported")
    }))
}
