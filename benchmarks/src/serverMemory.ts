/** What idle clients cost the server, and what is left of clients that come and go. Each in a process of its own. */
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { atMost, type Figure, inDirectory, inProcess, interleave, median } from "./harness.ts"
import { startClients } from "./ServerClientProcess.ts"
import { loggedSession, startBareSockets, startOurs } from "./serverHosts.ts"

const rounds = 3

/** Clients that are idle, each with a subscription. */
const idleClients = 1_000

/** Clients of a cycle, and cycles; the first ten start what is started once, and warm the code. */
const cycleClients = 20
const warmCycles = 10
const cycles = 100

/** What one of the processes measures. */
export type MemoryKind = "ours" | "bare" | "cycles"

/** What is there more after 100 cycles than before them. */
export interface Left {
  readonly descriptors: number
  readonly connections: number
  readonly heapMb: number
}

const settled = async (): Promise<NodeJS.MemoryUsage> => {
  for (let round = 0; round < 10; round++) {
    globalThis.gc?.()
    await pause(100)
  }
  return process.memoryUsage()
}

/** In a process of its own: KB of an idle client, or what is left of many. */
export const measureMemory = (kind: MemoryKind): Promise<number | Left> =>
  inDirectory(async (directory) => {
    const clients = startClients()
    const ours = kind === "bare" ? undefined : await startOurs(join(directory, "log.db"), [])
    const bare = ours === undefined ? await startBareSockets() : undefined
    const watch =
      ours === undefined
        ? undefined
        : ({ sessionId: await loggedSession(ours.log), from: { latest: 100 }, terminal: "screen" } as const)
    const url = ours?.liveUrl ?? bare!.url
    const cycle = async (count: number, between: () => Promise<void> = async () => {}) => {
      await clients.ask({ do: "open", url, tokens: [], count, stalled: 0, watch })
      await between()
      await clients.ask({ do: "close" })
      while ((ours?.server.connections() ?? bare!.sockets.size) > 0) await pause(5)
    }
    const look = async (): Promise<Left> => {
      const { external, heapUsed } = await settled()
      return {
        descriptors: readdirSync("/proc/self/fd").length,
        connections: ours!.server.connections(),
        heapMb: (heapUsed + external) / 1e6
      }
    }
    let result: number | Left = Number.NaN
    if (kind === "cycles") {
      // Starts the log's own thread, whose descriptors stay.
      await Effect.runPromise(ours!.log.vacuum)
      for (let count = 0; count < warmCycles; count++) await cycle(cycleClients)
      const first = await look()
      for (let count = 0; count < cycles; count++) await cycle(cycleClients)
      const last = await look()
      result = {
        descriptors: last.descriptors - first.descriptors,
        connections: last.connections - first.connections,
        heapMb: last.heapMb - first.heapMb
      }
    } else {
      await cycle(cycleClients)
      const before = await settled()
      await cycle(idleClients, async () => {
        result = ((await settled()).rss - before.rss) / 1e3 / idleClients
      })
    }
    await clients.close()
    await bare?.close()
    await ours?.close()
    return result
  })

/** Figures of memory. */
export const memoryBenchmarks = async (): Promise<ReadonlyArray<Figure>> => {
  const run = <A>(kind: MemoryKind): Promise<A> => inProcess("serverMemoryProcess.ts", [kind])
  const { bare, ours } = await interleave(rounds, { ours: () => run<number>("ours"), bare: () => run<number>("bare") })
  const left = await run<Left>("cycles")
  const told = `after ${cycles} more cycles of ${cycleClients} clients, more than after the first ${warmCycles}`
  return [
    {
      ...atMost("memory of an idle client with a subscription, of 1,000", "KB", median(ours), 60),
      baseline: median(bare)
    },
    atMost(`descriptors ${told}`, "", left.descriptors, 0),
    atMost("… connections", "", left.connections, 0),
    atMost("… heap and buffers", "MB", left.heapMb, 1)
  ]
}
