/** A keystroke from a client's socket to a terminal and back. The baseline is node-pty behind bare ws. */
import { ptyBackend } from "@holdfast/adapter-pty"
import { spawn } from "node-pty"
import { join } from "node:path"
import { atMost, compare, type Figure, inDirectory, inProcess, interleave, median, quantile } from "./harness.ts"
import { type Pace, paces } from "./paces.ts"
import { startClients } from "./ServerClientProcess.ts"
import { type OurHost, startBareSockets, startOurs } from "./serverHosts.ts"

const rounds = 5

const flooding = ["-c", "while :; do cat /proc/cpuinfo; done"]

const startSession = async ({ holdfast }: OurHost, command: string, args: ReadonlyArray<string>) => {
  const { sessionId } = await holdfast.create({ backend: "pty", spec: { profile: "command", command, args } })
  await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
  return sessionId
}

const ourTimes = ({ everyMs, keys, warmUp }: Pace, isFlooding: boolean): Promise<ReadonlyArray<number>> =>
  inDirectory(async (directory) => {
    const host = await startOurs(join(directory, `${performance.now()}.db`), [ptyBackend()])
    const clients = startClients()
    const sessionId = await startSession(host, "cat", [])
    if (isFlooding) {
      const flood = await startSession(host, "sh", flooding)
      await host.holdfast.until(flood, ({ terminal }) => (terminal?.offset ?? 0) > 1e6)
    }
    const watch = { sessionId, from: { latest: 100 }, terminal: "screen" } as const
    await clients.ask({ do: "open", url: host.liveUrl, tokens: [], count: 1, stalled: 0, watch })
    const times = await clients.ask({ do: "type", keys, warmUp, everyMs, sessionId })
    await clients.close()
    await host.close()
    return times
  })

const bareTimes = async ({ everyMs, keys, warmUp }: Pace, isFlooding: boolean): Promise<ReadonlyArray<number>> => {
  const terminal = spawn("cat", [], { encoding: null })
  const ended = [new Promise<void>((resolve) => terminal.onExit(() => resolve()))]
  const flood = isFlooding ? spawn("sh", flooding, { encoding: null }) : undefined
  if (flood !== undefined) {
    ended.push(new Promise<void>((resolve) => flood.onExit(() => resolve())))
    await new Promise<void>((resolve) => {
      let bytes = 0
      flood.onData((chunk) => {
        bytes += chunk.length
        if (bytes > 1e6) resolve()
      })
    })
  }
  const host = await startBareSockets((socket) => {
    socket.on("message", (data) => terminal.write(data as Buffer))
    terminal.onData((chunk) => socket.send(chunk))
  })
  const clients = startClients()
  await clients.ask({ do: "open", url: host.url, tokens: [], count: 1, stalled: 0, watch: undefined })
  const times = await clients.ask({ do: "type", keys, warmUp, everyMs, sessionId: undefined })
  await clients.close()
  await host.close()
  for (const each of [terminal, flood]) each?.kill("SIGKILL")
  await Promise.all(ended)
  return times
}

/** In a process of its own: milliseconds of each keystroke at the pace of a name. */
export const measureKeystrokes = (kind: string, name: string, isFlooding: boolean): Promise<ReadonlyArray<number>> => {
  const pace = paces.find((one) => one.name === name)
  if (pace === undefined) throw new Error(`there is no pace ${name}`)
  return (kind === "ours" ? ourTimes : bareTimes)(pace, isFlooding)
}

const figuresOf = async (pace: Pace, isFlooding: boolean): Promise<ReadonlyArray<Figure>> => {
  const slowest: Array<number> = []
  const run = (kind: "ours" | "bare"): Promise<ReadonlyArray<number>> =>
    inProcess("serverKeystrokeProcess.ts", [kind, pace.name, isFlooding ? "flooding" : "idle"])
  const values = await interleave(rounds, {
    ours: async () => {
      const times = await run("ours")
      slowest.push(quantile(times, 0.99))
      return quantile(times, 0.5)
    },
    bare: async () => quantile(await run("bare"), 0.5)
  })
  const name = isFlooding
    ? "… while another session floods, p50"
    : `keystrokes ${pace.name}, socket to terminal to socket, idle, p50`
  return [
    compare(name, "ms", values.ours, values.bare, { atMost: 1.7 }),
    atMost("… p99", "ms", median(slowest.slice(1)), 8)
  ]
}

/** Figures of keystrokes. */
export const keystrokeBenchmarks = async (): Promise<ReadonlyArray<Figure>> => {
  const figures: Array<Figure> = []
  for (const pace of paces) {
    for (const isFlooding of [false, true]) figures.push(...(await figuresOf(pace, isFlooding)))
  }
  return figures
}
