/** Snapshots of which nothing comes, on a real provider: they are given up after a few tries, and the session goes on. */
import { type EventRecord, makeMemory, type SessionId } from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { startGitServer } from "@holdfast/testkit"
import { Effect } from "effect"
import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { openCodexHouse } from "../../adapter-codex/test/codexHouse.ts"
import { openCloudHouse } from "./support/cloudHouse.ts"

const damages = [
  {
    what: "has no files any more",
    damage: (files: string) => rmSync(files, { recursive: true }),
    restores: 1,
    reason: "the snapshot has no files"
  },
  {
    what: "lets no bridge start",
    damage: (files: string) => {
      rmSync(join(files, "data"), { recursive: true })
      writeFileSync(join(files, "data"), "")
    },
    restores: 2,
    reason: "it ended before its bridge came"
  }
]

describe("A session at rest whose snapshot", () => {
  it.each(damages)(
    "$what goes on in a sandbox made anew from its workspace, and says what is lost",
    async ({ damage, reason, restores }) => {
      const git = await startGitServer()
      onTestFinished(() => git.close())
      const repository = await git.repository("app")
      await repository.commit("main", { "README.md": "Hello\n" })
      await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const { model, options } = yield* openCodexHouse()
            const { backend, folder, provider } = yield* openCloudHouse({ policy: { hibernateAfterMs: 200 } })
            const log = makeMemory()
            const holdfast = yield* makeHoldfast(log, { backends: [backend] })
            const told = (sessionId: SessionId) =>
              Effect.map(log.read(sessionId, 0, { limit: 10_000 }), (page): ReadonlyArray<EventRecord> =>
                page.answer === "gap" ? [] : page.events
              )
            const prompt = (sessionId: SessionId, text: string) =>
              holdfast.command(sessionId, { type: "prompt.send", data: { content: [{ type: "text", text }] } })
            const { sessionId } = yield* holdfast.create({
              backend: "cloud",
              spec: {
                inner: { backend: "codex", spec: {} },
                workspace: { repository: repository.url, base: "main", branch: "holdfast/work" },
                environment: { ...options.env?.values, HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"]! }
              }
            })
            yield* prompt(sessionId, "one")
            const rests = yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "suspended")
            const snapshotId = rests.sandbox!.snapshotId!
            damage(join(folder, "sandboxes", "snapshots", snapshotId, "files"))

            yield* prompt(sessionId, "two")
            yield* holdfast.until(
              sessionId,
              ({ chart, generation }) => generation > rests.generation && chart.turn === "running"
            )
            const again = yield* holdfast.until(sessionId, ({ chart }) => chart.turn === "idle")
            const after = (yield* told(sessionId)).filter(({ seq }) => seq > rests.seq)
            const spawns = after.filter(({ type }) => type === "sandbox.pending").map(({ data }) => data["snapshotId"])
            expect(spawns).toEqual([...Array.from({ length: restores }, () => snapshotId), undefined])
            const notes = after.filter(({ type }) => type === "backend.noted").map(({ data }) => data["message"])
            expect(notes).toContainEqual(expect.stringMatching(`^the snapshot ${snapshotId} is given up.*${reason}`))
            const { sandboxId } = again.sandbox!
            expect(yield* provider.exec(sandboxId!, { command: "cat", args: ["README.md"] })).toMatchObject({
              exitCode: 0,
              stdout: new TextEncoder().encode("Hello\n")
            })
            expect(model.requests.length).toBeGreaterThan(0)

            // Until the next one is taken somebody may want to save it by hand.
            expect(existsSync(join(folder, "sandboxes", "snapshots", snapshotId))).toBe(true)
            const stored = yield* holdfast.until(
              sessionId,
              ({ chart, sandbox }) => chart.lifecycle === "suspended" && sandbox?.snapshotId !== snapshotId
            )
            while ((yield* provider.snapshots("test")).length > 1) yield* Effect.sleep(20)
            expect(yield* provider.snapshots("test")).toMatchObject([{ snapshotId: stored.sandbox!.snapshotId }])
          })
        )
      )
    },
    60_000
  )
})
