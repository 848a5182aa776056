/** The bridge's log: what the inner backend told, by number, until the host has it. */
import type { BackendEvent, EventBody } from "@holdfast/core"
import type { EventBatch } from "@holdfast/core/cloud"
import type { BridgeDatabase } from "./BridgeDatabase.ts"

/** An event as a batch carries it. */
export type LoggedEvent = EventBatch["events"][number]

/** Most events of one batch: a fifth of what the protocol allows. */
const maxBatchEvents = 2_000

/** Weight of an event beside its JSON and payload: its row, and its part of a frame. */
const eventWeight = 64

/**
 * Most bytes of one event's JSON and payload: 3 MiB. With its frame it stays below the protocol's 4 MiB. A larger one could
 * never be sent.
 */
export const maxLoggedBytes = 3 * 1024 * 1024

/** Rows that are deleted in one step: some milliseconds of work. */
const deleteRows = 5_000

/** The log. All of it is synchronous; what stores throws `DiskFull`, and then nothing was stored. */
export interface BridgeLog {
  /** The last number that was given, also if its event is gone from here. */
  readonly last: () => number
  /** Up to here everything is the host's. */
  readonly floor: () => number
  /** Weight of the events above the floor: about the bytes that they take here. */
  readonly weight: () => number
  /** Stores events of one generation; gives the number of the first. */
  readonly append: (generation: number, events: ReadonlyArray<LoggedEvent>) => number
  /** The events after a number, of one generation, up to a weight: at least one; undefined where there are none. */
  readonly read: (after: number, maxWeight: number) => EventBatch | undefined
  /** The host has everything up to here, also what this log never had: numbers go on after it. Stores nothing by itself. */
  readonly raise: (through: number) => void
  /** Deletes what is below the floor, a step at a time; true while there is more. */
  readonly forget: () => boolean
}

type Row = {
  readonly number: number
  readonly generation: number
  readonly json: string
  readonly bytes: Uint8Array | null
  readonly weight: number
}

/** Opens the log in the bridge's file. */
export const openBridgeLog = ({ db, release, transact }: BridgeDatabase): BridgeLog => {
  const insert = db.prepare("INSERT INTO events (number, generation, json, bytes, weight) VALUES (?, ?, ?, ?, ?)")
  const select = db.prepare(
    "SELECT number, generation, json, bytes, weight FROM events WHERE number > ? ORDER BY number"
  )
  const remove = db.prepare("DELETE FROM events WHERE number <= ?")
  const lowest = db.prepare("SELECT min(number) AS number FROM events")
  const weigh = db.prepare("SELECT coalesce(sum(weight), 0) AS weight FROM events WHERE number > ? AND number <= ?")
  const setFloor = db.prepare("INSERT OR REPLACE INTO facts (name, value) VALUES ('floor', ?)")
  const numberOf = (sql: string): number => Number((db.prepare(sql).get() as { value: number | null }).value ?? 0)

  let floor = numberOf("SELECT max(value) AS value FROM facts WHERE name = 'floor'")
  let last = Math.max(floor, numberOf("SELECT max(number) AS value FROM events"))
  /** Up to here nothing is left to be deleted. */
  let forgotten = floor
  const weightBetween = (after: number, through: number) => (weigh.get(after, through) as { weight: number }).weight
  let weight = weightBetween(floor, last)

  return {
    last: () => last,
    floor: () => floor,
    weight: () => weight,
    append: (generation, events) => {
      const first = last + 1
      const rows = events.map((event) => toRow(event))
      const put = () => {
        for (const [index, { bytes, json, weight }] of rows.entries()) {
          insert.run(first + index, generation, json, bytes, weight)
        }
      }
      transact(put)
      last += rows.length
      for (const row of rows) weight += row.weight
      return first
    },
    read: (after, maxWeight) => {
      let first: Row | undefined
      let size = 0
      const events: Array<LoggedEvent> = []
      for (const each of select.iterate(Math.max(after, floor))) {
        const row = each as Row
        first ??= row
        size += row.weight
        const isFull = size > maxWeight || events.length >= maxBatchEvents
        if (row.generation !== first.generation || (isFull && events.length > 0)) break
        events.push(fromRow(row))
      }
      return first === undefined ? undefined : { generation: first.generation, first: first.number, events }
    },
    raise: (through) => {
      if (through <= floor) return
      if (through >= last) weight = 0
      else weight -= weightBetween(floor, through)
      floor = through
      last = Math.max(last, floor)
    },
    forget: () => {
      if (forgotten >= floor) return false
      const from = (lowest.get() as { number: number | null }).number
      const through = from === null ? floor : Math.min(floor, from + deleteRows - 1)
      release(() => {
        remove.run(through)
        setFloor.run(floor)
      })
      forgotten = through
      return through < floor
    }
  }
}

const toRow = (event: LoggedEvent) => {
  const { bytes, data, type } = event as { type: string; data?: unknown; bytes?: Uint8Array }
  const json = jsonOf({ type, ...(data === undefined ? {} : { data }) })
  const size = (json === undefined ? 0 : Buffer.byteLength(json)) + (bytes?.byteLength ?? 0)
  if (json !== undefined && size <= maxLoggedBytes) return { json, bytes: bytes ?? null, weight: size + eventWeight }
  const why = json === undefined ? "its data is not JSON" : `it has ${size} bytes, and ${maxLoggedBytes} can be sent`
  const note = JSON.stringify(leftOut(type, why))
  return { json: note, bytes: null, weight: note.length + eventWeight }
}

const jsonOf = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

const leftOut = (type: string, why: string): EventBody<"backend.noted"> => ({
  type: "backend.noted",
  data: { level: "warning", message: `${type} was left out: ${why}`, code: "bridge_event_left_out" }
})

const fromRow = ({ bytes, json }: Row): LoggedEvent => {
  const event = JSON.parse(json) as BackendEvent
  return bytes === null ? event : ({ ...event, bytes } as LoggedEvent)
}
