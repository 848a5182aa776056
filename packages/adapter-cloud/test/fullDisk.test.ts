/** A sandbox whose disk is full: what whoever follows its session sees, and what is lost of it. */
import { type EventRecord, makeMemory } from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { expect, it } from "vitest"
import { bridgeFile } from "../../bridge/test/support/bridgeFile.ts"
import { openCloudHouse, processProvider, testFolder } from "./support/cloudHouse.ts"

const unshare = ["/usr/bin/unshare", "/bin/unshare"].find((path) => existsSync(path))!

/** Starts the bridge with a small disk of its own under its data, which only its sandbox sees and which is gone with it. */
const onSmallDisk = (bridge: string) => [
  unshare,
  "--map-root-user",
  "--mount",
  "/bin/sh",
  "-c",
  'mount -t tmpfs -o size=6m none "$HOLDFAST_BRIDGE_DATA" && exec "$@"',
  "sh",
  process.execPath,
  bridge
]

const fill = "../data/fill"

it("A sandbox whose disk is full is held, says so, and goes on with every byte once there is room", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const program = onSmallDisk(yield* Effect.promise(bridgeFile))
        const provider = yield* processProvider(yield* testFolder, { program })
        const { backend } = yield* openCloudHouse({ provider, policy: { heartbeatMs: 500 } })
        const log = makeMemory()
        const holdfast = yield* makeHoldfast(log, { backends: [backend] })
        // There is room again after a while, whether or not its terminal is read.
        const source = [
          "stty -opost -echo; echo ready; read go",
          `dd if=/dev/zero of=${fill} bs=4096 2>/dev/null`,
          `(sleep 3; rm ${fill}) &`,
          "seq 200000; wait; echo over"
        ].join("\n")
        const { sessionId } = yield* holdfast.create({
          backend: "cloud",
          spec: { inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", source] } } }
        })
        yield* holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > 0)
        const bytes = new TextEncoder().encode("\n")
        yield* holdfast.command(sessionId, { type: "terminal.write", data: { bytes } })
        const state = yield* Effect.timeout(
          holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
          30_000
        )
        expect(state).toMatchObject({ generation: 1, end: { exitCode: 0 } })
        const events: Array<EventRecord> = []
        for (let cursor = 0; ;) {
          const page = yield* log.read(sessionId, cursor)
          if (page.answer !== "gap") events.push(...page.events)
          cursor = page.cursor
          if (cursor >= page.head) break
        }
        const notes = events.flatMap(({ data, type }) => (type === "backend.noted" ? [data] : []))
        expect(notes).toMatchObject([
          { level: "warning", code: "sandbox_held", message: "the sandbox is held: the disk of the sandbox is full" },
          { level: "info", code: "sandbox_held", message: "the sandbox goes on" }
        ])
        const output = events.flatMap(({ bytes: chunk, type }) => (type === "terminal.output" ? [chunk!] : []))
        const numbers = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join("")
        expect(Buffer.concat(output).toString()).toBe(`ready\n${numbers}over\n`)
      })
    )
  ))
