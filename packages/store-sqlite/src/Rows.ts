/** Events as rows: how one is written, in pieces where it is large, and how a row becomes a record again. */
import type { CheckedEvent, CorruptRow, EventData, EventRecord, SessionId } from "@holdfast/core"
import type { WriteBatch } from "./WriteBatch.ts"

/**
 * Bytes of data or payload that stay in the event's own row: 256 KiB, as much as a page of a reader. What is larger is cut
 * into pieces of this size in a table beside, so that nobody who walks the events drags it along.
 */
export const pieceBytes = 256 * 1024

/** Pieces of the payload are numbered from here on, those of the data from 0: 2^20 × 256 KiB is never reached. */
const payloadPieces = 2 ** 20

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/** Adds an event to a batch. */
export const addEvent = (batch: WriteBatch, session: number, seq: number, { event, json }: CheckedEvent) => {
  const cut = (content: Uint8Array, offset: number): number => {
    let piece = 0
    for (let at = 0; at < content.byteLength; at += pieceBytes) {
      batch.pieces.push([session, seq, offset + piece, content.slice(at, at + pieceBytes)])
      piece++
    }
    return piece
  }
  const data = json.length > pieceBytes ? cut(encoder.encode(json), 0) : json
  const payload = event.bytes
  // An empty payload is one of no pieces: Node 22 binds empty bytes as NULL, and then there would be none.
  const whole = payload !== undefined && payload.byteLength > 0 && payload.byteLength <= pieceBytes
  const bytes = payload === undefined || whole ? (payload ?? null) : cut(payload, payloadPieces)
  batch.events.push([
    session,
    seq,
    event.at,
    event.generation,
    event.type,
    event.version,
    data,
    bytes,
    event.actor ?? null,
    event.cause ?? null,
    event.origin ?? null
  ])
}

/** seq, at, generation, type, version, data, bytes, actor, cause, origin, as they are in the file: anything. */
export type StoredRow = ReadonlyArray<unknown>

/** The columns of {@link StoredRow}. */
export const storedColumns = "id & 0xffffffff, at, generation, type, version, data, bytes, actor, cause, origin"

/** Reads the pieces of one event from a number on. */
export type ReadPieces = (seq: number, from: number, count: number) => ReadonlyArray<Uint8Array>

const join = (pieces: ReadonlyArray<Uint8Array>, count: number): Uint8Array | undefined => {
  if (pieces.length !== count) return undefined
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}

/** Makes the record of a row, or says why the row is damaged. */
export const readRow = (sessionId: SessionId, row: StoredRow, pieces: ReadPieces): EventRecord | CorruptRow => {
  const [seq, at, generation, type, version, storedData, storedBytes, actor, cause, origin] = row as [
    number,
    ...ReadonlyArray<unknown>
  ]
  if (typeof at !== "number" || typeof generation !== "number" || typeof type !== "string") {
    return { seq, corrupt: "its envelope does not fit" }
  }
  let data: unknown
  try {
    if (typeof storedData === "string") data = JSON.parse(storedData)
    else {
      const whole = join(pieces(seq, 0, Number(storedData)), Number(storedData))
      if (whole === undefined) return { seq, corrupt: "a piece of its data is gone" }
      data = JSON.parse(decoder.decode(whole))
    }
  } catch (cause) {
    return { seq, corrupt: `its data is not JSON: ${String((cause as Error).message)}` }
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    return { seq, corrupt: "its data is not an object" }
  }
  const record: { -readonly [K in keyof EventRecord]: EventRecord[K] } = {
    sessionId,
    seq,
    at,
    generation,
    type,
    version: version as number,
    data: data as EventData
  }
  if (storedBytes !== null) {
    const bytes =
      typeof storedBytes === "number" ? join(pieces(seq, payloadPieces, storedBytes), storedBytes) : storedBytes
    if (!(bytes instanceof Uint8Array)) return { seq, corrupt: "a piece of its payload is gone" }
    record.bytes = bytes
  }
  if (actor !== null) record.actor = actor as string
  if (cause !== null) record.cause = cause as NonNullable<EventRecord["cause"]>
  if (origin !== null) record.origin = origin as number
  return record
}
