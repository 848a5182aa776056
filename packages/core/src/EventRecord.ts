/**
 * The envelope: what a log stores and hands out. A record keeps its `data` exactly as its writer gave it, known type
 * or not, so that an older reader passes on what a newer writer wrote.
 */
import * as Schema from "effect/Schema"
import { Actor, CommandId, SessionId } from "./Ids.ts"

/** The JSON object that an event carries. Only the schema of its type knows more about it. */
export type EventData = { readonly [key: string]: unknown }

/** What goes into {@link EventRecord.type}: a group and a past tense, `turn.completed`. At most 64 characters. */
export const EventType = Schema.String.check(
  Schema.isPattern(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/, {
    expected: "a dotted lower-case name such as turn.completed"
  }),
  Schema.isMaxLength(64)
)

/** An event on its way into a log, which gives it its `seq`. */
export interface NewEvent {
  /** Milliseconds since 1970 on the recording host's clock. Within a session it never runs backwards. */
  readonly at: number
  /** The opening of the backend that it belongs to: 0 before the first. */
  readonly generation: number
  readonly type: string
  /** Version of the type's data: 1, 2, 3 … */
  readonly version: number
  readonly data: EventData
  /** Payload that stays bytes end to end: terminal output and snapshots. */
  readonly bytes?: Uint8Array
  /** Who did it, where somebody did. */
  readonly actor?: Actor
  /** The command that it follows from directly. All events of one command are appended together. */
  readonly cause?: CommandId
  /** Its number in the log that it was copied from, where it was: a sandbox's. Never shrinks within a session. */
  readonly origin?: number
}

/** A stored event. */
export interface EventRecord extends NewEvent {
  readonly sessionId: SessionId
  /** 1, 2, 3 … without a gap within its session. It is the cursor: "after seq". */
  readonly seq: number
}

/** The envelope of a new event, without the payload bytes: what every log checks before it stores. */
export const NewEventEnvelope = Schema.Struct({
  at: Schema.Number.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 8_640_000_000_000_000 })),
  generation: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  type: EventType,
  version: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  data: Schema.Record(Schema.String, Schema.Unknown),
  bytes: Schema.optionalKey(Schema.Uint8Array),
  actor: Schema.optionalKey(Actor),
  cause: Schema.optionalKey(CommandId),
  origin: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)))
})

/** A record in JSON: for export, import and wires. Payload bytes are base64. */
export const EventRecordJson = Schema.Struct({
  sessionId: SessionId,
  seq: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  ...NewEventEnvelope.fields,
  bytes: Schema.optionalKey(Schema.Uint8ArrayFromBase64)
})

const encodeJson = Schema.encodeUnknownSync(EventRecordJson)
const decodeJson = Schema.decodeUnknownResult(EventRecordJson)
const encoded = new WeakMap<EventRecord, string>()

/** One line of JSON for a record. A record is encoded once, however many readers it goes to. */
export const encodeRecord = (record: EventRecord): string => {
  let text = encoded.get(record)
  if (text === undefined) {
    text = JSON.stringify(encodeJson(record))
    encoded.set(record, text)
  }
  return text
}

/** Reads what {@link encodeRecord} wrote; a failure names the field and what was expected. */
export const decodeRecord = (json: unknown) => decodeJson(json)

const weighValue = (value: unknown): number => {
  if (typeof value === "string") return value.length + 2
  if (typeof value !== "object" || value === null) return 8
  let weight = 2
  if (Array.isArray(value)) for (const each of value) weight += weighValue(each) + 1
  // Without an array of its entries: it is asked twice for each event.
  else for (const key in value) weight += key.length + 4 + weighValue((value as EventData)[key])
  return weight
}

/** Bytes that a record weighs in a bounded buffer: its payload, about its JSON, and 160 for the envelope. */
export const weigh = (event: NewEvent): number => 160 + (event.bytes?.byteLength ?? 0) + weighValue(event.data)
