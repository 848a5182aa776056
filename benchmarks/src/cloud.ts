/** What a sandbox costs: keystrokes and floods through its bridge, catching up after a cut, starting, and memory at rest. */
import { buildBridge } from "../../packages/bridge/build.ts"
import type { EventRecord, SessionId } from "@holdfast/core"
import type { PlainHoldfast } from "@holdfast/runtime"
import { startFaultProxy } from "@holdfast/testkit"
import { spawn } from "node-pty"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type CloudHost, type Place, startCloudHost, startProgram } from "./cloudHosts.ts"
import { containerBenchmarks } from "./cloudContainers.ts"
import { atMost, compare, type Figure, inDirectory, interleave, median, quantile, runParts } from "./harness.ts"
import { startClients } from "./ServerClientProcess.ts"

const rounds = 3

/** Keystrokes a round; they come 20 ms apart, as a fast typist's do. */
const keys = 200
const everyMs = 20

/** Bytes of the flood, and of what waits while a connection is cut. */
const floodBytes = 100e6
const waitingBytes = 10e6

/** Starts of each kind. */
const starts = 5

const echoTimes = async (host: CloudHost, place: Place): Promise<ReadonlyArray<number>> => {
  const sessionId = await startProgram(host, place, "cat", [])
  const clients = startClients()
  const watch = { sessionId, from: { latest: 100 }, terminal: "screen" } as const
  await clients.ask({ do: "open", url: host.liveUrl, tokens: [], count: 1, stalled: 0, watch })
  const times = await clients.ask({ do: "type", keys, warmUp: 0, everyMs, sessionId })
  await clients.close()
  await ended(host.holdfast, sessionId)
  return times
}

const ended = async (holdfast: PlainHoldfast, sessionId: SessionId): Promise<void> => {
  await holdfast.command(sessionId, { type: "session.close", data: { force: true } })
  await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed")
}

const echo = (directory: string): Promise<ReadonlyArray<Figure>> =>
  withHost(directory, async (host) => {
    const slow: Array<number> = []
    const values = await interleave(rounds, {
      cloud: async () => {
        const times = await echoTimes(host, "cloud")
        slow.push(quantile(times, 0.99))
        return quantile(times, 0.5)
      },
      local: async () => quantile(await echoTimes(host, "local"), 0.5)
    })
    return [
      compare("keystroke echo through the bridge, p50", "ms", values.cloud, values.local, { atMost: 2 }),
      atMost("… p99", "ms", median(slow.slice(1)))
    ]
  })

const withHost = async <A>(directory: string, use: (host: CloudHost) => Promise<A>): Promise<A> => {
  const host = await startCloudHost(directory)
  try {
    return await use(host)
  } finally {
    await host.close()
  }
}

/** A file of coloured text, and the command that prints about so many bytes. */
const coloured = (directory: string, bytes: number): ReadonlyArray<string> => {
  const path = join(directory, `coloured-${bytes}.txt`)
  const line =
    "\u001B[32mok\u001B[0m \u001B[1;34mpackages/core\u001B[0m compiled 1284 modules in 312 ms, nothing to report\n"
  writeFileSync(path, line.repeat(Math.ceil(Math.min(bytes, 10e6) / line.length)))
  return Array.from({ length: Math.ceil(bytes / 10e6) }, () => path)
}

/** Follows to the end; gives the bytes of the output. */
const drain = async (holdfast: PlainHoldfast, sessionId: SessionId): Promise<number> => {
  let bytes = 0
  for await (const page of holdfast.follow(sessionId, 0)) {
    if (page.answer === "gap") throw new Error(page.detail)
    if (page.answer === "caught-up") continue
    for (const event of page.events) {
      if (event.type === "terminal.output") bytes += event.bytes!.byteLength
      if (event.type === "backend.closed") return bytes
    }
  }
  return bytes
}

const flood = (directory: string): Promise<ReadonlyArray<Figure>> =>
  withHost(directory, async (host) => {
    const files = coloured(directory, floodBytes)
    // The program waits for a key, so that the start of a sandbox is not counted.
    const script = `read go; cat ${files.join(" ")}`
    let expected = 0
    const rate = async (place: Place) => {
      const sessionId = await startProgram(host, place, "sh", ["-c", script])
      const started = performance.now()
      await host.holdfast.command(sessionId, {
        type: "terminal.write",
        data: { bytes: new TextEncoder().encode("\r") }
      })
      const bytes = await drain(host.holdfast, sessionId)
      if (expected === 0) expected = bytes
      if (bytes !== expected) throw new Error(`${place}: ${bytes} bytes came, and ${expected} before`)
      return bytes / 1e6 / ((performance.now() - started) / 1000)
    }
    const { cloud, local } = await interleave(rounds, { cloud: () => rate("cloud"), local: () => rate("local") })
    return [compare("terminal flood through the bridge, logged on both sides", "MB/s", cloud, local, { atLeast: 0.5 })]
  })

/** All events of a session. */
const eventsOf = async (holdfast: PlainHoldfast, sessionId: SessionId): Promise<ReadonlyArray<EventRecord>> => {
  const events: Array<EventRecord> = []
  for await (const page of holdfast.follow(sessionId, 0)) {
    if (page.answer === "caught-up") break
    if (page.answer === "exact") events.push(...page.events)
  }
  return events
}

const catchUp = (directory: string): Promise<ReadonlyArray<Figure>> =>
  withHost(directory, async (host) => {
    const proxy = await startFaultProxy({ target: { port: Number(new URL(host.server.url).port) } })
    host.dialThrough(`http://127.0.0.1:${proxy.port}`)
    const file = coloured(directory, waitingBytes)[0]!
    const times: Array<number> = []
    for (let round = -1; round < rounds; round++) {
      const done = join(directory, `printed-${round}`)
      const script = `read go; sleep 0.3; cat ${file}; echo > ${done}; read end`
      const sessionId = await startProgram(host, "cloud", "sh", ["-c", script])
      await host.holdfast.command(sessionId, {
        type: "terminal.write",
        data: { bytes: new TextEncoder().encode("\r") }
      })
      proxy.refuse()
      proxy.cut("rst")
      await until(() => readdirSync(directory).includes(`printed-${round}`))
      proxy.heal()
      const size = readFileSync(file).byteLength
      await host.holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > size)
      const events = await eventsOf(host.holdfast, sessionId)
      const back = events.findLast(({ type }) => type === "link.connected")!
      const last = events.findLast(({ type }) => type === "terminal.output")!
      if (round >= 0) times.push(last.at - back.at)
      await ended(host.holdfast, sessionId)
    }
    await proxy.close()
    return [atMost("cut → caught up, 10 MB waiting", "ms", median(times), 200)]
  })

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise<void>((resolve) => setTimeout(resolve, 5))
}

const bareStart = async (command: string, args: ReadonlyArray<string>): Promise<number> => {
  const started = performance.now()
  const terminal = spawn(command, [...args], { encoding: null })
  const first = new Promise<number>((resolve) => {
    const reading = terminal.onData(() => {
      reading.dispose()
      resolve(performance.now() - started)
    })
  })
  const exited = new Promise<void>((resolve) => terminal.onExit(() => resolve()))
  const took = await first
  terminal.kill("SIGKILL")
  await exited
  return took
}

const greeting = ["-c", "echo ready; read end"]

/** From the wish for a session until the first thing that its program says is stored. */
const cloudStart = async (host: CloudHost, more: Readonly<Record<string, unknown>> = {}) => {
  const started = performance.now()
  const { sessionId } = await host.holdfast.create({
    backend: "cloud",
    spec: { inner: { backend: "pty", spec: { profile: "command", command: "sh", args: greeting } }, ...more }
  })
  const state = await host.holdfast.until(
    sessionId,
    ({ chart, terminal }) => (terminal?.offset ?? 0) > 0 || chart.lifecycle === "failed"
  )
  if (state.chart.lifecycle === "failed") throw new Error(state.end?.reason)
  return { sessionId, took: performance.now() - started }
}

const start = (directory: string): Promise<ReadonlyArray<Figure>> =>
  withHost(directory, async (host) => {
    const { bare, cloud } = await interleave(starts, {
      cloud: async () => {
        const { sessionId, took } = await cloudStart(host)
        await ended(host.holdfast, sessionId)
        return took
      },
      bare: () => bareStart("sh", greeting)
    })
    const extra = median(cloud.map((value, round) => value - bare[round]!))
    return [
      compare("start to first event, `process`", "ms", cloud, bare),
      atMost("… beyond the bare program", "ms", extra, 250)
    ]
  })

const residentKb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN)

/** Pids of bridges: programs whose environment has this session's token. */
const bridgesOf = (sessionId: SessionId): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8")
      const isBridge = readFileSync(`/proc/${name}/cmdline`, "utf8").includes("holdfast-bridge")
      return isBridge && environment.includes(`HOLDFAST_BRIDGE_SESSION=${sessionId}`) ? [Number(name)] : []
    } catch {
      // It has ended meanwhile, or is somebody else's.
      return []
    }
  })

const memory = (directory: string): Promise<ReadonlyArray<Figure>> =>
  withHost(directory, async (host) => {
    const { sessionId } = await cloudStart(host)
    await new Promise<void>((resolve) => setTimeout(resolve, 10_000))
    const resident = bridgesOf(sessionId).map((pid) => residentKb(pid) / 1e3)
    await ended(host.holdfast, sessionId)
    return [atMost("memory of the idle bridge, with a shell in it", "MB", Math.max(...resident), 90)]
  })

const parts = { echo, flood, catchUp, start, containers: containerBenchmarks, memory }

/** Figures of cloud sessions; `HOLDFAST_BENCH_PARTS` names some of `echo,flood,catchUp,start,containers,memory`. */
export const cloudBenchmarks = (): Promise<ReadonlyArray<Figure>> =>
  inDirectory(async (directory) => {
    await buildBridge()
    return runParts(parts, directory)
  })
