/**
 * What every log checks before it stores, so that all of them take and refuse the same: envelope, known types against
 * their schema, sizes, and that a session begins with its `session.created`.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { type AppendOptions, EventInvalid, maxAppendEvents, maxEventBytes } from "./EventLog.ts"
import { type EventData, type EventRecord, type NewEvent, NewEventEnvelope } from "./EventRecord.ts"
import { isUuidV7, type SessionId } from "./Ids.ts"
import { eventSchemas, invalidBecause, isKnownType } from "./SessionEvent.ts"

/** An event that a log may store: nothing in it can be changed by its writer any more. */
export interface CheckedEvent {
  /** The event as it was given, with its payload frozen or copied. Its `data` is still the writer's: store {@link json}. */
  readonly event: NewEvent
  /** The payload is a copy, which nobody else has: it may be given away. */
  readonly isCopied: boolean
  /** The event's data as JSON text: this is what is stored, and what every reader gets parsed. */
  readonly json: string
  /** Bytes of the JSON text, at most three of its UTF-16 units too high, and of the payload. */
  readonly size: number
}

const isEnvelope = Schema.is(NewEventEnvelope)
const explainEnvelope = Schema.decodeUnknownResult(Schema.toType(NewEventEnvelope))
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Checks an append and takes its events out of their writer's hands: payloads are copied unless they are frozen, data becomes JSON text. What
 * JSON has no word for is dropped (`undefined`) or refused (cycles, bigint).
 */
export const checkNewEvents = (
  sessionId: string,
  expectedSeq: number,
  events: ReadonlyArray<NewEvent>,
  options?: AppendOptions
): Result.Result<ReadonlyArray<CheckedEvent>, EventInvalid> => {
  const refuse = (field: string, expected: string) => Result.fail(new EventInvalid({ sessionId, field, expected }))
  if (!isUuidV7(sessionId)) return refuse("sessionId", "a UUID version 7 in lower case")
  if (!Number.isSafeInteger(expectedSeq) || expectedSeq < 0) {
    return refuse("expectedSeq", "the seq of the session's last event, or 0 for a new session")
  }
  if (events.length === 0 || events.length > maxAppendEvents) return refuse("events", `1 to ${maxAppendEvents} events`)
  if (expectedSeq === 0 && events[0]!.type !== "session.created") {
    return refuse("events[0].type", "session.created as the first event of a session")
  }
  const checked: Array<CheckedEvent> = []
  for (let index = 0; index < events.length; index++) {
    const one = checkEvent(events[index]!, options?.frozenPayloads === true)
    if ("expected" in one) return refuse(`events[${index}]${one.field}`, one.expected)
    checked.push(one)
  }
  return Result.succeed(checked)
}

interface Refusal {
  readonly field: string
  readonly expected: string
}

/** Says yes to what nearly all events look like, twenty times faster than the schema, which decides about the others. */
const isPlainEnvelope = (event: NewEvent): boolean =>
  isKnownType(event.type) &&
  Number.isSafeInteger(event.at) &&
  event.at >= 0 &&
  event.at <= 8_640_000_000_000_000 &&
  Number.isSafeInteger(event.generation) &&
  event.generation >= 0 &&
  Number.isSafeInteger(event.version) &&
  event.version >= 1 &&
  typeof event.data === "object" &&
  event.data !== null &&
  !Array.isArray(event.data) &&
  (event.bytes instanceof Uint8Array || !("bytes" in event)) &&
  !("actor" in event) &&
  !("cause" in event) &&
  (event.origin === undefined || (Number.isSafeInteger(event.origin) && event.origin >= 1))

const checkEvent = (event: NewEvent, isFrozen: boolean): CheckedEvent | Refusal => {
  if (!isPlainEnvelope(event) && !isEnvelope(event)) return explain(explainEnvelope(event), "")
  if (event.actor?.isWellFormed() === false) return { field: ".actor", expected: "well-formed Unicode text" }
  if (invalidBecause(event) !== undefined) return explainData(event)
  const json = toJson(event.data)
  if (json === undefined) return { field: ".data", expected: "plain JSON, without cycles or bigint" }
  const payload = event.bytes?.byteLength ?? 0
  // A UTF-16 unit is at most three bytes of UTF-8: only what comes near the limit is counted exactly.
  let size = json.length + payload
  if (json.length * 3 + payload > maxEventBytes) size = new TextEncoder().encode(json).byteLength + payload
  if (size > maxEventBytes) {
    return { field: payload * 2 > size ? ".bytes" : ".data", expected: `at most ${maxEventBytes} bytes, not ${size}` }
  }
  const { bytes } = event
  if (bytes === undefined) return { event, json, size, isCopied: false }
  // A view of a larger buffer is copied in any case: it would keep the rest of it alive.
  const isCopied = !isFrozen || bytes.byteLength !== bytes.buffer.byteLength
  return { event: isCopied ? { ...event, bytes: new Uint8Array(bytes) } : event, json, size, isCopied }
}

const toJson = (data: EventData): string | undefined => {
  try {
    const json: string | undefined = JSON.stringify(data)
    return json?.startsWith("{") === true ? json : undefined
  } catch {
    // Cycles, bigint and endless depth all mean the same to the writer: this is not JSON.
    return undefined
  }
}

const explainData = (event: NewEvent): Refusal => {
  const schema: Schema.Codec<unknown> | undefined = isKnownType(event.type) ? eventSchemas[event.type] : undefined
  return schema === undefined
    ? { field: ".data", expected: `the data of ${event.type}` }
    : explain(Schema.decodeUnknownResult(Schema.toType(schema))(event.data), ".data")
}

const explain = (checked: Result.Result<unknown, Schema.SchemaError>, prefix: string): Refusal => {
  const issue = Result.isFailure(checked) ? issuesOf(checked.failure.issue).issues[0] : undefined
  let field = prefix
  for (const step of issue?.path ?? []) {
    const key = typeof step === "object" ? step.key : step
    field += typeof key === "number" ? `[${key}]` : `.${String(key)}`
  }
  const message = issue?.message ?? "Expected another shape"
  return { field, expected: message === "Missing key" ? "a value, not nothing" : message.replace(/^Expected /, "") }
}

/** Makes the record of a checked event. Its data is parsed from what is stored, so that all readers see the same. */
export const recordOf = (sessionId: SessionId, seq: number, { event, json }: CheckedEvent): EventRecord => {
  const { actor, at, bytes, cause, generation, origin, type, version } = event
  const record: { -readonly [K in keyof EventRecord]: EventRecord[K] } = {
    sessionId,
    seq,
    at,
    generation,
    type,
    version,
    data: JSON.parse(json) as EventData
  }
  if (bytes !== undefined) record.bytes = bytes
  if (actor !== undefined) record.actor = actor
  if (cause !== undefined) record.cause = cause
  if (origin !== undefined) record.origin = origin
  return record
}
