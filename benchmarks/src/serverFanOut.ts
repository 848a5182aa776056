/**
 * Events to many clients, and what one of them that stalls costs. The baseline is `ws.send` of one buffer in a loop; ours has a
 * log in memory, since what it costs to store events is measured by the log's own benchmarks.
 */
import type { SessionId } from "@holdfast/core"
import { Effect } from "effect"
import { setImmediate as nextTurn } from "node:timers/promises"
import { atMost, collect, compare, type Figure, interleave, median } from "./harness.ts"
import { type ServerClientProcess, startClients } from "./ServerClientProcess.ts"
import {
  type BareHost,
  kibibyteEvent,
  loggedSession,
  type OurHost,
  startBareSockets,
  startOurs
} from "./serverHosts.ts"

const rounds = 5

/** Events that come at once, and how far they may be ahead of the slowest client: the last that are kept for followers. */
const burstEvents = 32
const leadEvents = 192

/** Clients, and events a round, so that a round takes about half a second. */
const crowds = [
  { clients: 1, events: 16_000 },
  { clients: 100, events: 3_200 },
  { clients: 1_000, events: 480 }
] as const

/** Sends bursts, never further ahead than the lead, and waits until the clients have everything: events a second of all. */
const rate = async (
  clients: ServerClientProcess,
  readers: number,
  events: number,
  send: () => Promise<unknown>,
  before: number
): Promise<number> => {
  collect()
  const started = performance.now()
  for (let sent = 0; sent < events; sent += burstEvents) {
    if (sent + burstEvents > leadEvents) await clients.reached(before + sent + burstEvents - leadEvents)
    await send()
    await nextTurn()
  }
  await clients.reached(before + events)
  return (events * readers) / ((performance.now() - started) / 1000)
}

const burst = Array.from({ length: burstEvents }, kibibyteEvent)

const appender = (log: OurHost["log"], sessionId: SessionId) => {
  let seq = 1
  return async () => {
    seq = (await Effect.runPromise(log.append(sessionId, seq, burst))).lastSeq
  }
}

const wire = Buffer.from(JSON.stringify(kibibyteEvent()))

const sender =
  ({ sockets }: BareHost) =>
  async () => {
    for (let event = 0; event < burstEvents; event++) for (const socket of sockets) socket.send(wire)
  }

const watching = (sessionId: SessionId) => ({ sessionId, from: { after: 1 }, terminal: "bytes" }) as const

const fanOut = async (ours: OurHost, bare: BareHost): Promise<ReadonlyArray<Figure>> => {
  const figures: Array<Figure> = []
  for (const { clients: count, events } of crowds) {
    const [ourClients, bareClients] = [startClients(), startClients()]
    const sessionId = await loggedSession(ours.log)
    const open = { do: "open", tokens: [], count, stalled: 0 } as const
    await ourClients.ask({ ...open, url: ours.liveUrl, watch: watching(sessionId) })
    await bareClients.ask({ ...open, url: bare.url, watch: undefined })
    const append = appender(ours.log, sessionId)
    let [ourEvents, bareEvents] = [-events, -events]
    const values = await interleave(rounds, {
      ours: () => rate(ourClients, count, events, append, (ourEvents += events)),
      bare: () => rate(bareClients, count, events, sender(bare), (bareEvents += events))
    })
    for (const clients of [ourClients, bareClients]) {
      await clients.ask({ do: "close" })
      await clients.close()
    }
    figures.push(
      compare(
        `1 KiB events to ${count.toLocaleString("en-US")} client${count === 1 ? "" : "s"}`,
        "events/s",
        values.ours,
        values.bare,
        {
          atLeast: count === 1 ? 1 : 3
        }
      )
    )
  }
  return figures
}

/** Clients beside the one that stalls, and events of a round. */
const crowd = 99
const stalledEvents = 3_200

const stalled = async (ours: OurHost): Promise<ReadonlyArray<Figure>> => {
  const memory: { readonly [kind: string]: Array<number> } = { none: [], one: [] }
  const run = async (kind: "none" | "one") => {
    const clients = startClients()
    const sessionId = await loggedSession(ours.log)
    const count = kind === "one" ? crowd + 1 : crowd
    await clients.ask({
      do: "open",
      url: ours.liveUrl,
      tokens: [],
      count,
      stalled: count - crowd,
      watch: watching(sessionId)
    })
    let most = 0
    const look = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() / 1e6)), 5)
    const value = await rate(clients, crowd, stalledEvents, appender(ours.log, sessionId), 0)
    clearInterval(look)
    memory[kind]!.push(most)
    await clients.ask({ do: "close" })
    await clients.close()
    return value
  }
  const values = await interleave(rounds, { none: () => run("none"), one: () => run("one") })
  const more = median(memory["one"]!.slice(1).map((peak, round) => peak - memory["none"]![round + 1]!))
  return [
    compare(`1 KiB events to ${crowd} clients beside one that stalls`, "events/s", values.one, values.none, {
      atLeast: 0.95
    }),
    atMost("… resident memory more than without it", "MB", more, 1)
  ]
}

/** Figures of fan-out. */
export const fanOutBenchmarks = async (): Promise<ReadonlyArray<Figure>> => {
  const ours = await startOurs(undefined, [])
  const bare = await startBareSockets()
  const figures = [...(await fanOut(ours, bare)), ...(await stalled(ours))]
  await bare.close()
  await ours.close()
  return figures
}
