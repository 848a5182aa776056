/** Opening a long session: what is sent, and how long it takes, until its history and its screen are there. */
import type { BackendEvent, ItemId, SessionId, TurnId } from "@holdfast/core"
import { Script, scriptedBackend } from "@holdfast/testkit"
import { Effect } from "effect"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { atMost, type Figure, inDirectory, median } from "./harness.ts"
import { startClients } from "./ServerClientProcess.ts"
import { startOurs } from "./serverHosts.ts"

const rounds = 5

/** The session: 100 parts, each of 1 MB of terminal output and of messages that are events of their own. */
const parts = 100
const partBytes = 1e6
const partMessages = 492

/** Longer than an opening is kept for others. */
const apartMs = 400

const turnId = "turn" as TurnId

const messages = (part: number): ReadonlyArray<BackendEvent> =>
  Array.from({ length: partMessages }, (_, n): ReadonlyArray<BackendEvent> => {
    const item = { itemId: `item-${part}-${n}` as ItemId, turnId, kind: "message", role: "agent" } as const
    return [
      { type: "item.started", data: item },
      {
        type: "item.completed",
        data: { ...item, status: "completed", text: `Message ${n} of part ${part}, of some length.` }
      }
    ]
  }).flat()

const line = Buffer.from(
  "\u001B[32mok\u001B[0m \u001B[1;34mpackages/core\u001B[0m compiled in \u001B[33m312 ms\u001B[0m\r\n"
)
const chunk = Buffer.alloc(64 * 1024, line)

/** Coloured lines, as fast as they are taken. */
const output: Script.ScriptStep = (session) =>
  Effect.gen(function* () {
    for (let written = 0; written < partBytes; written += chunk.byteLength) {
      yield* session.drained
      session.say({ type: "terminal.output", bytes: chunk })
    }
  })

const steps = Array.from({ length: parts }, (_, part) => [output, Script.say(...messages(part))]).flat()

/** Writes the session through a runtime, as it would come, and waits until its screen is stored. Gives its head. */
export const writeLongSession = async (
  path: string
): Promise<{ readonly sessionId: SessionId; readonly head: number }> => {
  const backend = scriptedBackend({
    capabilities: { terminal: true, prompts: true },
    openings: [{ steps: [Script.say({ type: "turn.started", data: { turnId } }), ...steps] }]
  })
  const host = await startOurs(path, [backend], { snapshots: { keepBytes: Number.POSITIVE_INFINITY } })
  const { sessionId } = await host.holdfast.create({ backend: "scripted", spec: {} })
  const { seq } = await host.holdfast.until(
    sessionId,
    ({ seq: at, terminal }) =>
      at > 2 * parts * partMessages && (terminal?.snapshot?.offset ?? 0) > parts * partBytes - 2e6
  )
  await host.close()
  return { sessionId, head: seq }
}

/** Figures of opening. */
export const openingBenchmarks = (): Promise<ReadonlyArray<Figure>> =>
  inDirectory(async (directory) => {
    const path = join(directory, "log.db")
    const { head, sessionId } = await writeLongSession(path)
    const first: Array<number> = []
    const again: Array<number> = []
    let bytes = 0
    for (let round = 0; round < rounds; round++) {
      const host = await startOurs(path, [scriptedBackend()])
      const clients = startClients()
      const look = {
        do: "look",
        url: host.liveUrl,
        tokens: [],
        watch: { sessionId, from: { latest: 500 }, terminal: "screen" }
      } as const
      const cold = await clients.ask(look)
      first.push(cold.ms)
      bytes = Math.max(bytes, cold.bytes)
      await pause(apartMs)
      again.push((await clients.ask(look)).ms)
      await clients.close()
      await host.close()
    }
    return [
      atMost(
        `opening a session of ${head.toLocaleString("en-US")} events and 100 MB, after a start, until its screen`,
        "ms",
        median(first),
        100
      ),
      atMost("… again", "ms", median(again), 100),
      atMost("… sent", "KB", bytes / 1e3, 300)
    ]
  })
