/** Following a long session from its start, and what a session weighs once it is compacted. */
import { execFile } from "node:child_process"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { encodeRecord, makeSessionId, type NewEvent, readEvent } from "@holdfast/core"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, Stream } from "effect"
import { atMost, compare, type Figure, inDirectory, interleave, median } from "./harness.ts"
import { created, insertRaw, rawTable, textEvent, withLog } from "./logAppend.ts"

const rounds = 7
const events = 100_000

/** Follows all events from 0, as a reader process does, checking each against its schema. */
const followAll = (): Promise<ReadonlyArray<Figure>> =>
  inDirectory(async (directory) => {
    const path = `${directory}/log.db`
    const id = makeSessionId()
    await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(SqliteEventLog.open({ path }), (log) =>
          Effect.gen(function* () {
            yield* log.append(id, 0, [created])
            for (let head = 1; head < events; head += 1000) {
              const some = Array.from({ length: Math.min(1000, events - head) }, (_, n) => textEvent(head + n))
              yield* log.append(id, head, some)
            }
          })
        )
      )
    )
    const raw = rawTable(`${directory}/raw.db`)
    raw.db.exec("BEGIN")
    for (let n = 1; n <= events; n++) insertRaw(raw.insert, 1, n, textEvent(n))
    raw.db.exec("COMMIT")
    raw.db.close()

    const firsts: Array<number> = []
    const rates = await interleave(rounds, {
      ours: () =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const log = yield* SqliteEventLog.openReader({ path })
              const started = performance.now()
              let first = 0
              let known = 0
              yield* log.follow(id, 0).pipe(
                Stream.takeUntil((page) => page.answer === "caught-up"),
                Stream.runForEach((page) =>
                  Effect.sync(() => {
                    if (!("events" in page)) return
                    if (first === 0) first = performance.now() - started
                    for (const event of page.events) if (readEvent(event).kind === "known") known++
                  })
                )
              )
              if (known !== events) return yield* Effect.die(new Error(`followed ${known} events`))
              const rate = (events / (performance.now() - started)) * 1000
              firsts.push(first)
              return rate
            })
          )
        ),
      baseline: () => {
        const db = new DatabaseSync(`${directory}/raw.db`, { readOnly: true })
        const rows = db.prepare("SELECT * FROM events WHERE session = 1 AND seq > 0 ORDER BY seq")
        const started = performance.now()
        let parsed = 0
        for (const row of rows.iterate()) if (JSON.parse(String(row["data"])) !== null) parsed++
        const rate = (parsed / (performance.now() - started)) * 1000
        db.close()
        return rate
      }
    })
    const goal = { atLeast: 0.6 }
    return [
      compare(
        "follow 100,000 events from 0, checked, against rows + JSON.parse",
        "events/s",
        rates.ours,
        rates.baseline,
        goal
      ),
      atMost("… resident memory on top, in a process of its own", "MB", await growth(path, id), 100),
      atMost("… first batch", "ms", median(firsts), 5)
    ]
  })

/** MB by which a fresh process grows that follows a session to its head. */
const growth = async (path: string, id: string): Promise<number> => {
  const file = fileURLToPath(new URL("./logFollower.ts", import.meta.url))
  const options = ["--expose-gc", "--conditions=@holdfast/source", file, path, id]
  const { stdout } = await promisify(execFile)(process.execPath, options)
  return Number(stdout)
}

/** Pieces that an item streams in, from a short answer to a long one: an agent's day. */
const lengths = [3, 12, 40, 90, 150, 300, 700, 1500]

/** An item as agents stream it: in pieces of a word, or of a line where it is a tool's output, then whole. */
const streamedItem = (n: number): ReadonlyArray<NewEvent> => {
  const itemId = `item-${n}`
  const isTool = n % 2 === 1
  const length = Math.ceil(lengths[n % lengths.length]! / (isTool ? 5 : 1))
  const pieces = Array.from({ length }, (_, piece) =>
    isTool ? `src/file-${piece}.ts: some line of a tool's output ${piece}\n` : `word${piece % 7} `
  )
  const more = { at: 1_700_000_000_000 + n * 1000, generation: 1, version: 1 }
  const whole = pieces.join("")
  const tool = { name: "grep", kind: "search", status: "completed" }
  const item = isTool ? { itemId, kind: "tool_call", tool } : { itemId, kind: "message", role: "agent" }
  return [
    { ...more, type: "item.started", data: item },
    ...pieces.map((text) => ({
      ...more,
      type: "item.delta",
      data: { itemId, field: isTool ? "output" : "text", text }
    })),
    {
      ...more,
      type: "item.completed",
      data: { ...item, status: "completed", ...(isTool ? { output: whole } : { text: whole }) }
    }
  ]
}

/** Bytes in the file per byte of JSON that was appended, and per byte that the agent said, after compaction. */
const storage = (): Promise<ReadonlyArray<Figure>> =>
  withLog((log) =>
    Effect.gen(function* () {
      const id = makeSessionId()
      yield* log.append(id, 0, [created])
      let produced = 0
      let said = 0
      let head = 1
      for (let n = 0; n < 400; n++) {
        const streamed = streamedItem(n)
        const { lastSeq } = yield* log.append(id, head, streamed)
        yield* log.compact(id, { kind: "item", itemId: `item-${n}`, from: head + 1, by: lastSeq })
        for (const [at, event] of streamed.entries()) {
          produced += encodeRecord({ ...event, sessionId: id, seq: head + at }).length
          said += event.type === "item.delta" ? String(event.data["text"]).length : 0
        }
        head = lastSeq
      }
      yield* log.vacuum
      const { bytes } = yield* log.stats
      return [
        atMost("stored per byte of streamed text, structured, compacted", "bytes", bytes / said, 2),
        atMost("stored per byte of events appended, structured, compacted", "bytes", bytes / produced)
      ]
    })
  )

/** Bytes in the file per byte of terminal output, before any of it gives way to a snapshot. */
const terminalStorage = (): Promise<ReadonlyArray<Figure>> =>
  withLog((log) =>
    Effect.gen(function* () {
      const id = makeSessionId()
      yield* log.append(id, 0, [created])
      const size = 4096
      const count = 5000
      for (let n = 0; n < count; n++) {
        const bytes = new Uint8Array(size).fill(n % 251)
        const event = { ...textEvent(n), type: "terminal.output", data: { offset: n * size }, bytes }
        yield* log.append(id, n + 1, [event])
      }
      yield* log.vacuum
      const { bytes } = yield* log.stats
      return [atMost("stored per byte of terminal output, chunks of 4 KiB", "bytes", bytes / (size * count), 1.3)]
    })
  )

/** The figures of reading and of storage. */
export const readBenchmarks = async (): Promise<ReadonlyArray<Figure>> => [
  ...(await followAll()),
  ...(await storage()),
  ...(await terminalStorage())
]
