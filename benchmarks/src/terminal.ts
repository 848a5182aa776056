/** The terminal's benchmarks: flood, echo, memory of idle sessions, a stalled follower. Bare node-pty is the baseline. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { SessionId } from "@holdfast/core"
import { createHoldfast, type PlainHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { spawn } from "node-pty"
import {
  atMost,
  compare,
  type Figure,
  inDirectory,
  inProcess,
  interleave,
  median,
  quantile,
  runParts
} from "./harness.ts"
import { type Pace, paces, rest } from "./paces.ts"

/** Rounds of each comparison, and of the flood, whose single rounds differ by a quarter. */
const rounds = 3
const floodRounds = 15

/** Bytes of the flood, of the one before it that is not counted, and of the flood beside which a follower stalls. */
const floodBytes = 200e6
const floodWarmUpBytes = 50e6
const stalledBytes = 1e9

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Coloured text, as a build prints it. Gives its length and the command that prints it `count` times. */
const coloured = (directory: string, bytes: number) => {
  const path = join(directory, "coloured.txt")
  const line =
    "\u001B[32mok\u001B[0m \u001B[1;34mpackages/core\u001B[0m compiled 1284 modules in \u001B[33m312 ms\u001B[0m, nothing to report\n"
  const text = line.repeat(Math.ceil(10e6 / line.length))
  writeFileSync(path, text)
  const count = Math.ceil(bytes / text.length)
  // The terminal makes CR LF of each LF.
  const output = count * (text.length + text.length / line.length)
  return { output, args: ["-c", `cat ${Array.from({ length: count }, () => path).join(" ")}`] }
}

const opened = (directory: string): Promise<PlainHoldfast> =>
  createHoldfast({
    store: SqliteEventLog.layer({ path: join(directory, `${performance.now()}.db`) }),
    backends: [ptyBackend()]
  })

const start = async (holdfast: PlainHoldfast, command: string, args: ReadonlyArray<string>): Promise<SessionId> => {
  const { sessionId } = await holdfast.create({ backend: "pty", spec: { profile: "command", command, args } })
  return sessionId
}

/** Follows until the session has ended; gives the bytes of its output. */
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

const barely = async (command: string, args: ReadonlyArray<string>): Promise<number> => {
  let bytes = 0
  const terminal = spawn(command, [...args], { encoding: null, cols: 80, rows: 24 })
  terminal.onData((chunk) => (bytes += chunk.length))
  await new Promise<void>((resolve) => terminal.onExit(() => resolve()))
  return bytes
}

const expectBytes = (name: string, bytes: number, expected: number) => {
  if (bytes !== expected) throw new Error(`${name}: ${bytes} bytes came, ${expected} were written`)
}

/** A flood's MB a second, and what it did to the event loop: the 99th percentile of its lag in milliseconds. */
interface FloodFigures {
  readonly rate: number
  readonly lag: number
}

/** In a process of its own: a flood after a smaller one, which a host that has served anybody has behind it. */
export const measureFlood = (kind: string): Promise<FloodFigures> =>
  inDirectory(async (directory) => {
    const holdfast = kind === "ours" ? await opened(directory) : undefined
    const once = async (bytes: number): Promise<FloodFigures> => {
      const { args, output } = coloured(directory, bytes)
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      const started = performance.now()
      const came =
        holdfast === undefined ? await barely("sh", args) : await drain(holdfast, await start(holdfast, "sh", args))
      const seconds = (performance.now() - started) / 1000
      delay.disable()
      expectBytes("flood", came, output)
      return { rate: output / 1e6 / seconds, lag: delay.percentile(99) / 1e6 }
    }
    await once(floodWarmUpBytes)
    const figures = await once(floodBytes)
    await holdfast?.close()
    return figures
  })

const flood = async (): Promise<ReadonlyArray<Figure>> => {
  const lag: Array<number> = []
  const run = (kind: "ours" | "bare"): Promise<FloodFigures> => inProcess("terminalProcess.ts", ["flood", kind])
  const { bare, ours } = await interleave(floodRounds, {
    ours: async () => {
      const figures = await run("ours")
      lag.push(figures.lag)
      return figures.rate
    },
    bare: async () => (await run("bare")).rate
  })
  return [
    compare("200 MB of coloured text, logged, one follower", "MB/s", ours, bare, { atLeast: 0.7 }),
    atMost("… event-loop lag, p99", "ms", median(lag), 10)
  ]
}

/** Times of one byte to the terminal and back, with `cat` as the program. */
const ourEcho = async (holdfast: PlainHoldfast, pace: Pace): Promise<ReadonlyArray<number>> => {
  const sessionId = await start(holdfast, "cat", [])
  await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
  const times: Array<number> = []
  let seen: () => void = () => {}
  let isOver = false
  const following = (async () => {
    for await (const page of holdfast.follow(sessionId, 0)) {
      if ("events" in page && page.events.some(({ type }) => type === "terminal.output")) seen()
      if (isOver) return
    }
  })()
  const bytes = new TextEncoder().encode("a")
  for (let key = 0; key < pace.warmUp + pace.keys; key++) {
    const echoed = new Promise<void>((resolve) => (seen = resolve))
    const started = performance.now()
    await holdfast.command(sessionId, { type: "terminal.write", data: { bytes } })
    await echoed
    times.push(performance.now() - started)
    if (key >= pace.warmUp) await rest(pace)
  }
  isOver = true
  await holdfast.command(sessionId, { type: "session.close", data: { force: true } })
  await following
  return times.slice(pace.warmUp)
}

const bareEcho = async (pace: Pace): Promise<ReadonlyArray<number>> => {
  const terminal = spawn("cat", [], { encoding: null })
  const exited = new Promise<void>((resolve) => terminal.onExit(() => resolve()))
  const times: Array<number> = []
  let seen: () => void = () => {}
  terminal.onData(() => seen())
  for (let key = 0; key < pace.warmUp + pace.keys; key++) {
    const echoed = new Promise<void>((resolve) => (seen = resolve))
    const started = performance.now()
    terminal.write("a")
    await echoed
    times.push(performance.now() - started)
    if (key >= pace.warmUp) await rest(pace)
  }
  terminal.kill("SIGKILL")
  await exited
  return times.slice(pace.warmUp)
}

const flooding = ["-c", "while :; do cat /proc/cpuinfo; done"]

const beside = async <A>(measure: () => Promise<A>, begin: () => Promise<() => Promise<void>>): Promise<A> => {
  const end = await begin()
  const measured = await measure()
  await end()
  return measured
}

const echoes: { readonly [kind: string]: (pace: Pace) => Promise<ReadonlyArray<number>> } = {
  ours: (pace) =>
    inDirectory(async (directory) => {
      const holdfast = await opened(directory)
      const times = await ourEcho(holdfast, pace)
      await holdfast.close()
      return times
    }),
  bare: bareEcho,
  busy: (pace) =>
    inDirectory(async (directory) => {
      const holdfast = await opened(directory)
      const flood = async () => {
        const sessionId = await start(holdfast, "sh", flooding)
        await holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > 1e6)
        return async () => {
          await holdfast.command(sessionId, { type: "session.close", data: { force: true } })
          await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
        }
      }
      const times = await beside(() => ourEcho(holdfast, pace), flood)
      await holdfast.close()
      return times
    }),
  bareBusy: (pace) =>
    beside(
      () => bareEcho(pace),
      async () => {
        const terminal = spawn("sh", flooding, { encoding: null })
        terminal.onData(() => {})
        await pause(100)
        const exited = new Promise<void>((resolve) => terminal.onExit(() => resolve()))
        return () => {
          terminal.kill("SIGKILL")
          return exited
        }
      }
    )
}

/** In a process of its own: milliseconds of each echo, of a kind and at the pace of a name. */
export const measureEcho = (kind: string, name: string): Promise<ReadonlyArray<number>> => {
  const pace = paces.find((one) => one.name === name)
  const measure = echoes[kind]
  if (pace === undefined || measure === undefined) throw new Error(`there is no echo ${kind} at ${name}`)
  return measure(pace)
}

const echo = async (): Promise<ReadonlyArray<Figure>> => {
  const figures: Array<Figure> = []
  for (const pace of paces) figures.push(...(await echoAt(pace)))
  return figures
}

const echoAt = async (pace: Pace): Promise<ReadonlyArray<Figure>> => {
  const slowest: { [kind: string]: Array<number> } = {}
  const run = (kind: string) => async () => {
    const times = await inProcess<ReadonlyArray<number>>("terminalProcess.ts", ["echo", kind, pace.name])
    ;(slowest[kind] ??= []).push(quantile(times, 0.99))
    return quantile(times, 0.5)
  }
  const values = await interleave(rounds, {
    ours: run("ours"),
    bare: run("bare"),
    busy: run("busy"),
    bareBusy: run("bareBusy")
  })
  return [
    compare(`echo of keystrokes ${pace.name}, idle, p50`, "ms", values.ours, values.bare, { atMost: 3 }),
    atMost("… p99", "ms", median(slowest["ours"]!.slice(1)), 5),
    compare("… while another session floods, p50", "ms", values.busy, values.bareBusy, { atMost: 3 }),
    atMost("… p99", "ms", median(slowest["busy"]!.slice(1)), 5)
  ]
}

/** Sessions of the memory benchmark. */
const idleSessions = 100

/** In a process of its own: opens idle terminals and says what each has cost, in KB. */
export const measureIdle = async (kind: "ours" | "bare"): Promise<number> => {
  const settle = async () => {
    for (let round = 0; round < 5; round++) {
      globalThis.gc?.()
      await pause(50)
    }
    return process.memoryUsage.rss() / 1e3
  }
  if (kind === "bare") {
    const open = () => Array.from({ length: idleSessions }, () => spawn("cat", [], { encoding: null }))
    const warm = open()
    await pause(200)
    for (const terminal of warm) terminal.kill("SIGKILL")
    await pause(200)
    const before = await settle()
    const terminals = open()
    for (const terminal of terminals) terminal.onData(() => {})
    await pause(200)
    const after = await settle()
    for (const terminal of terminals) terminal.kill("SIGKILL")
    return (after - before) / idleSessions
  }
  return inDirectory(async (directory) => {
    const holdfast = await opened(directory)
    const open = async () => {
      const ids = await Promise.all(Array.from({ length: idleSessions }, () => start(holdfast, "cat", [])))
      for (const id of ids) await holdfast.until(id, ({ processes }) => processes.length > 0)
      return ids
    }
    for (const id of await open()) {
      await holdfast.command(id, { type: "session.close", data: { force: true } })
      await holdfast.until(id, ({ chart }) => chart.lifecycle === "closed")
    }
    const before = await settle()
    await open()
    const after = await settle()
    await holdfast.close()
    return (after - before) / idleSessions
  })
}

const idle = async (): Promise<Figure> => {
  const run = (kind: "ours" | "bare"): Promise<number> => inProcess("idle.ts", [kind])
  const { bare, ours } = await interleave(rounds, { ours: () => run("ours"), bare: () => run("bare") })
  const more = median(ours.map((value, round) => value - bare[round]!))
  return {
    ...atMost("host memory per idle session more than bare node-pty, of 100", "KB", more, 100),
    baseline: median(bare)
  }
}

const stalled = async (directory: string): Promise<ReadonlyArray<Figure>> => {
  const { args, output } = coloured(directory, stalledBytes)
  const grown: { [kind: string]: Array<number> } = { stalled: [], alone: [] }
  const run = async (kind: "stalled" | "alone") => {
    const holdfast = await opened(directory)
    const sessionId = await start(holdfast, "sh", args)
    const slow = holdfast.follow(sessionId, 0)[Symbol.asyncIterator]()
    // It takes one page, and then nothing more.
    if (kind === "stalled") await slow.next()
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() / 1e6)), 20)
    const started = performance.now()
    await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
    const seconds = (performance.now() - started) / 1000
    clearInterval(watch)
    expectBytes("stalled", (await holdfast.state(sessionId)).terminal!.offset, output)
    grown[kind]!.push(most)
    await slow.return?.()
    await holdfast.close()
    return output / 1e6 / seconds
  }
  const values = await interleave(1, { alone: () => run("alone"), stalled: () => run("stalled") })
  return [
    compare("1 GB with one stalled follower", "MB/s", values.stalled, values.alone, { atLeast: 0.95 }),
    atMost("… resident memory more than without it", "MB", median(grown["stalled"]!) - median(grown["alone"]!), 20)
  ]
}

/** All figures of terminals, or those of the parts that `HOLDFAST_BENCH_PARTS` names. */
export const terminalBenchmarks = (): Promise<ReadonlyArray<Figure>> =>
  inDirectory((directory) => runParts({ flood, echo, idle: async () => [await idle()], stalled }, directory))
