/**
 * Random histories against a model: a list of everything that was ever appended. Followers join anywhere, read when they
 * like, and must each be able to assemble exactly what the list says, whatever was compacted meanwhile.
 */
import {
  encodeRecord,
  type EventLogService,
  type EventRecord,
  type Followed,
  type NewEvent,
  type SessionId
} from "@holdfast/core"
import { Effect, Result } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { expectedText, follow, type MakeEventLogStore, type Reader, withLog } from "./eventLogHarness.ts"
import { createdEvent, newEvent, newEvents, sessionIds } from "./newEventArbitraries.ts"

type Step =
  | { readonly step: "append"; readonly events: ReadonlyArray<NewEvent> }
  | { readonly step: "output"; readonly sizes: ReadonlyArray<number> }
  | { readonly step: "delta"; readonly item: number; readonly texts: ReadonlyArray<string> }
  | { readonly step: "complete" | "compactItem"; readonly item: number }
  | { readonly step: "snapshot" }
  | { readonly step: "compactTerminal"; readonly which: number }
  | { readonly step: "join"; readonly at: number; readonly limit: number; readonly maxBytes: number }
  | { readonly step: "read"; readonly who: number; readonly times: number }
  | { readonly step: "contend"; readonly count: number }
  | { readonly step: "elsewhere"; readonly count: number }

const item = fc.integer({ min: 0, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ step: fc.constant("append" as const), events: fc.array(newEvents(), { minLength: 1, maxLength: 3 }) }),
  fc.record({
    step: fc.constant("output" as const),
    sizes: fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 5 })
  }),
  fc.record({
    step: fc.constant("delta" as const),
    item,
    texts: fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 6 })
  }),
  fc.record({ step: fc.constantFrom("complete" as const, "compactItem" as const), item }),
  fc.record({ step: fc.constant("snapshot" as const) }),
  fc.record({ step: fc.constant("compactTerminal" as const), which: fc.nat(9) }),
  fc.record({
    step: fc.constant("join" as const),
    at: fc.nat(100),
    limit: fc.constantFrom(1, 2, 7, 512),
    maxBytes: fc.constantFrom(1, 900, 256 * 1024)
  }),
  fc.record({ step: fc.constant("read" as const), who: fc.nat(9), times: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ step: fc.constant("contend" as const), count: fc.integer({ min: 2, max: 6 }) }),
  fc.record({ step: fc.constant("elsewhere" as const), count: fc.integer({ min: 1, max: 4 }) })
)

/** What a fold makes of a session: the text of each item, and the bytes of the terminal. */
interface Folded {
  readonly items: Map<string, string>
  terminal: Uint8Array
}

const concat = (a: Uint8Array, b: Uint8Array) => {
  const whole = new Uint8Array(a.byteLength + b.byteLength)
  whole.set(a)
  whole.set(b, a.byteLength)
  return whole
}

/** Items and terminals of the model have names of their own, so that random events do not meddle. */
const isOurs = (record: Pick<EventRecord, "type" | "data">) =>
  String(record.data["itemId"]).startsWith("model-") ||
  (record.type.startsWith("terminal.") && record.data["model"] === true)

const foldOne = (folded: Folded, record: EventRecord) => {
  if (!isOurs(record)) return
  const itemId = String(record.data["itemId"])
  const text = String(record.data["text"] ?? "")
  if (record.type === "item.delta") folded.items.set(itemId, (folded.items.get(itemId) ?? "") + text)
  if (record.type === "item.completed") folded.items.set(itemId, text)
  if (record.type === "terminal.output") {
    const offset = Number(record.data["offset"])
    expect(offset, "terminal output without a hole").toBeLessThanOrEqual(folded.terminal.byteLength)
    // What a snapshot has already shown is not shown again.
    if (offset === folded.terminal.byteLength) folded.terminal = concat(folded.terminal, record.bytes!)
  }
}

const foldPages = (folded: Folded, pages: ReadonlyArray<Followed>) => {
  for (const page of pages) {
    if (page.answer === "snapshot") {
      // In the model a snapshot's payload is all the output that it stands for.
      for (const one of page.covering) {
        if (isOurs(one) && one.bytes!.byteLength > folded.terminal.byteLength) folded.terminal = one.bytes!
      }
    }
    if ("events" in page) for (const record of page.events) foldOne(folded, record)
  }
  return folded
}

/** Checks that what a follower got is the model, less what compactions took, each seq at most once and in order. */
const checkFollower = (texts: ReadonlyArray<string>, kept: ReadonlySet<number>, reader: Reader, after: number) => {
  let cursor = after
  for (const page of reader.got) {
    if (page.answer === "gap") throw new Error(`gap: ${page.detail}`)
    if (page.answer === "caught-up") {
      expect(page.cursor).toBe(cursor)
      continue
    }
    let seq = cursor
    for (const record of page.events) {
      expect(encodeRecord(record)).toBe(texts[record.seq - 1])
      if (page.answer === "exact") expect(record.seq).toBe(seq + 1)
      expect(record.seq).toBeGreaterThan(seq)
      for (let missing = seq + 1; missing < record.seq; missing++) {
        expect(kept.has(missing), `seq ${missing} is missing though nothing took it`).toBe(false)
      }
      seq = record.seq
    }
    for (let missing = seq + 1; missing <= page.cursor; missing++) {
      expect(kept.has(missing), `seq ${missing} is missing though nothing took it`).toBe(false)
    }
    cursor = page.cursor
  }
  expect(cursor).toBe(texts.length)
}

const play = Effect.fnUntraced(function* (log: EventLogService, steps: ReadonlyArray<Step>) {
  const [id, other] = sessionIds(2) as [SessionId, SessionId]
  const records: Array<EventRecord> = []
  const kept = new Set<number>()
  const readers: Array<{ readonly reader: Reader; readonly after: number }> = []
  const texts: Array<string> = []
  const snapshots: Array<number> = []
  let written = new Uint8Array(0) as Uint8Array
  let elsewhere = 0

  const note = (events: ReadonlyArray<NewEvent>) => {
    for (const event of events) {
      const seq = texts.length + 1
      texts.push(expectedText(id, seq, event))
      records.push({ ...event, sessionId: id, seq })
      kept.add(seq)
    }
  }
  const append = Effect.fnUntraced(function* (events: ReadonlyArray<NewEvent>) {
    const appended = yield* log.append(id, texts.length, events)
    expect(appended).toEqual({ firstSeq: texts.length + 1, lastSeq: texts.length + events.length })
    note(events)
  })
  /** A known type whose data also says that it is the model's: more than its schema names is kept all the same. */
  const terminal = (type: string, data: NewEvent["data"], bytes: Uint8Array) =>
    newEvent(type, { ...data, model: true }, { bytes })
  const take = (seqs: ReadonlyArray<number>) => {
    for (const seq of seqs) kept.delete(seq)
  }
  const ours = (type: string, itemId?: string) =>
    records.filter(
      (one) =>
        kept.has(one.seq) && one.type === type && isOurs(one) && (itemId === undefined || one.data["itemId"] === itemId)
    )

  yield* append([createdEvent()])
  for (const one of steps) {
    switch (one.step) {
      case "append": {
        // Random snapshots could stand for output that they do not show.
        const events = one.events.filter((event) => event.type !== "terminal.snapshot")
        if (events.length > 0) yield* append(events)
        break
      }
      case "output": {
        for (const size of one.sizes) {
          const bytes = new Uint8Array(size).fill((written.byteLength * 7) % 256)
          yield* append([terminal("terminal.output", { offset: written.byteLength }, bytes)])
          written = concat(written, bytes)
        }
        break
      }
      case "delta":
        yield* append(
          one.texts.map((text) => newEvent("item.delta", { itemId: `model-${one.item}`, field: "text", text }))
        )
        break
      case "complete": {
        const itemId = `model-${one.item}`
        const folded = foldPages(emptyFold(), [])
        for (const record of records) foldOne(folded, record)
        const text = folded.items.get(itemId) ?? ""
        yield* append([newEvent("item.completed", { itemId, kind: "message", status: "completed", text })])
        break
      }
      case "compactItem": {
        const itemId = `model-${one.item}`
        const by = ours("item.completed", itemId).at(-1)?.seq
        if (by === undefined) break
        const gone = ours("item.delta", itemId).flatMap(({ seq }) => (seq < by ? [seq] : []))
        expect((yield* log.compact(id, { kind: "item", itemId, from: 1, by })).events).toBe(gone.length)
        take(gone)
        break
      }
      case "snapshot": {
        const data = { through: texts.length, offset: written.byteLength, cols: 80, rows: 24, format: "model" }
        snapshots.push(texts.length + 1)
        yield* append([terminal("terminal.snapshot", data, written)])
        break
      }
      case "compactTerminal": {
        const by = snapshots[one.which % Math.max(1, snapshots.length)]
        if (by === undefined || !kept.has(by)) break
        const through = by - 1
        const gone = records.flatMap(({ seq, type }) =>
          kept.has(seq) &&
          ((type === "terminal.output" && seq <= through) || (type === "terminal.snapshot" && seq < by))
            ? [seq]
            : []
        )
        expect((yield* log.compact(id, { kind: "terminal", through, by })).events).toBe(gone.length)
        take(gone)
        break
      }
      case "join": {
        const after = Math.floor((texts.length * one.at) / 100)
        readers.push({ reader: yield* follow(log, id, after, { limit: one.limit, maxBytes: one.maxBytes }), after })
        break
      }
      case "read": {
        if (readers.length === 0) break
        const { reader } = readers[one.who % readers.length]!
        for (let time = 0; time < one.times; time++) {
          if (reader.cursor() < texts.length || reader.got.length === 0) yield* reader.next
        }
        break
      }
      case "contend": {
        const results = yield* Effect.all(
          Array.from({ length: one.count }, (_, n) =>
            Effect.result(log.append(id, texts.length, [newEvent("some.thing", { n })]))
          ),
          { concurrency: "unbounded" }
        )
        const winners = results.flatMap((result, n) => (Result.isSuccess(result) ? [n] : []))
        expect(winners).toHaveLength(1)
        note([newEvent("some.thing", { n: winners[0]! })])
        break
      }
      case "elsewhere":
        for (let n = 0; n < one.count; n++) {
          const event = elsewhere === 0 ? createdEvent() : newEvent("some.thing")
          yield* log.append(other, elsewhere++, [event])
        }
    }
  }

  readers.push({ reader: yield* follow(log, id, 0), after: 0 })
  const whole = emptyFold()
  for (const record of records) foldOne(whole, record)
  for (const { after, reader } of readers) {
    yield* reader.until(texts.length)
    checkFollower(texts, kept, reader, after)
    // What the follower knew before it joined, and then what it was told.
    const folded = emptyFold()
    for (const record of records.slice(0, after)) foldOne(folded, record)
    foldPages(folded, reader.got)
    expect(folded.items).toEqual(whole.items)
    expect(Buffer.compare(folded.terminal, written)).toBe(0)
  }
})

const emptyFold = (): Folded => ({ items: new Map(), terminal: new Uint8Array(0) })

/** Registers the random histories. */
export const modelTests = (make: MakeEventLogStore, runs: number) =>
  describe("random histories", () => {
    it("let every follower assemble exactly the log, wherever it joins and however slowly it reads", () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), (steps) =>
          withLog(make, (log) => play(log, steps))()
        ),
        { numRuns: runs }
      ))
  })
