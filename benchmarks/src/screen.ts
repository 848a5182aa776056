/** Joining a terminal that has written a lot: its screen from the log, against showing a mebibyte of output. */
import { type EventLogService, makeSessionId, type NewEvent, noCapabilities, type SessionId } from "@holdfast/core"
import { attach, TerminalScreen } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import headless from "@xterm/headless"
import { Effect } from "effect"
import { compare, type Figure, inDirectory, interleave, timed } from "./harness.ts"

const rounds = 9
const size = { cols: 80, rows: 24 } as const
const mebibyte = 1024 * 1024

/** Output of the session, in chunks as terminals are recorded. */
const outputBytes = 100 * 1024 * 1024
const chunkBytes = 64 * 1024

/** What programs of two kinds write: one line after the other, or anywhere on the screen. */
const programs = {
  lines: (index: number) =>
    `\x1b[3${index % 8}mline ${index}\x1b[0m some \x1b[1mcoloured\x1b[22m text of about \x1b[48;5;${index % 256}meighty\x1b[m columns ${index}\r\n`,
  drawing: (index: number) =>
    `\x1b[${(index % 24) + 1};${(index * 7) % 60}H\x1b[38;5;${index % 256}mdrawn ${index}\x1b[m\x1b[K ${"▁▂▃▄▅▆▇█"[index % 8]}`
} as const

/** Exactly so many bytes of a program's output. */
const outputOf = (write: (index: number) => string, bytes: number): Buffer => {
  const parts: Array<string> = []
  for (let index = 0, length = 0; length < bytes; index++) length += parts[parts.push(write(index)) - 1]!.length
  return Buffer.from(parts.join("")).subarray(0, bytes)
}

const event = (type: string, data: NewEvent["data"], bytes?: Uint8Array): NewEvent => ({
  at: 1_700_000_000_000,
  generation: 1,
  type,
  version: 1,
  data,
  ...(bytes === undefined ? {} : { bytes })
})

/** Stores a session of 100 MiB whose last snapshot is almost a mebibyte old: the worst that joining meets at rest. */
const record = (log: EventLogService, sessionId: SessionId, output: Buffer) =>
  Effect.gen(function* () {
    yield* log.append(sessionId, 0, [
      event("session.created", { backend: "terminal", spec: {} }),
      event("backend.opened", { capabilities: { ...noCapabilities, terminal: true } }),
      event("terminal.resized", size)
    ])
    let head = 3
    let offset = 0
    const write = (end: number) =>
      Effect.gen(function* () {
        while (offset < end) {
          const events: Array<NewEvent> = []
          while (offset < end && events.length < 64) {
            const from = offset % output.length
            const bytes = output.subarray(from, Math.min(from + chunkBytes, from + end - offset, output.length))
            events.push(event("terminal.output", { offset }, bytes))
            offset += bytes.length
          }
          head = (yield* log.append(sessionId, head, events)).lastSeq
        }
      })
    yield* write(outputBytes - mebibyte + 1)
    const screen = new TerminalScreen(size.cols, size.rows)
    yield* Effect.promise(() => screen.write([output]))
    const snapshot = { through: head, offset, ...size, format: "xterm-serialize/1" }
    head = (yield* log.append(sessionId, head, [event("terminal.snapshot", snapshot, screen.snapshot())])).lastSeq
    screen.dispose()
    yield* write(outputBytes)
  })

/** Milliseconds to show a mebibyte on a fresh terminal of xterm, and nothing else. */
const showMebibyte = (output: Buffer): Promise<number> =>
  timed(
    () =>
      new Promise<void>((resolve) => {
        const terminal = new headless.Terminal({ ...size, allowProposedApi: true })
        terminal.write(output.subarray(0, mebibyte), () => {
          terminal.dispose()
          resolve()
        })
      })
  )

const joining = (name: string, write: (index: number) => string): Promise<Figure> =>
  inDirectory((directory) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const log = yield* SqliteEventLog.open({ path: `${directory}/log.db` })
          const sessionId = makeSessionId()
          const output = outputOf(write, 8 * mebibyte)
          yield* record(log, sessionId, output)
          const { baseline, ours } = yield* Effect.promise(() =>
            interleave(rounds, {
              ours: () => timed(() => Effect.runPromise(attach(log, sessionId))),
              baseline: () => showMebibyte(output)
            })
          )
          return compare(`attach to 100 MiB of ${name}, 1 MiB after the snapshot`, "ms", ours, baseline, { atMost: 2 })
        })
      )
    )
  )

/** What reading a screen costs. */
export const screenBenchmarks = async (): Promise<ReadonlyArray<Figure>> => [
  await joining("coloured lines", programs.lines),
  await joining("a full-screen program", programs.drawing)
]
