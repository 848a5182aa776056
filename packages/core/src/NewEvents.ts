/**
 * What every log checks before it stores, so that all of them take and refuse the same: envelope, known types against
 * their schema, sizes, and that a session begins with its `session.created`.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { maxOutputBytes } from "./BackendOutbox.ts"
import { type AppendOptions, EventInvalid, maxAppendEvents, maxEventBytes } from "./EventLog.ts"
import { type EventData, type EventRecord, type NewEvent, NewEventEnvelope, weigh } from "./EventRecord.ts"
import { isUuidV7, type SessionId } from "./Ids.ts"
import { copyPlainJson } from "./PlainJson.ts"
import { currentVersion, eventSchemas, invalidBecause, isKnownType } from "./SessionEvent.ts"

/** An event that a log may store: nothing in it can be changed by its writer any more. */
export class CheckedEvent {
  /** The event as it was given, with its payload frozen or copied. Its `data` is still the writer's: take {@link data}. */
  readonly event: NewEvent
  /** The payload is a copy, which nobody else has: it may be given away. */
  readonly isCopied: boolean
  #data: EventData | undefined
  #json: string | undefined

  /** Of its data as a copy that is plain JSON, as JSON text, or as both. */
  constructor(event: NewEvent, isCopied: boolean, data: EventData | undefined, json: string | undefined) {
    this.event = event
    this.isCopied = isCopied
    this.#data = data
    this.#json = json
  }

  /** What every reader gets as the event's data: what {@link json} is read as. */
  get data(): EventData {
    return (this.#data ??= JSON.parse(this.json) as EventData)
  }

  /** The event's data as JSON text: this is what is stored. A log in memory need not ask for it. */
  get json(): string {
    return (this.#json ??= JSON.stringify(this.#data))
  }

  /** UTF-16 units of {@link json} and bytes of the payload. */
  get size(): number {
    return this.json.length + (this.event.bytes?.byteLength ?? 0)
  }
}

const isEnvelope = Schema.is(NewEventEnvelope)
const explainEnvelope = Schema.decodeUnknownResult(Schema.toType(NewEventEnvelope))
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Checks an append and takes its events out of their writer's hands: data is copied, payloads unless they are frozen. What
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
    let one: CheckedEvent | Refusal
    try {
      one = checkEvent(events[index]!, options?.frozenPayloads === true)
    } catch {
      // A getter, or a proxy: nothing else in it is the writer's code.
      one = { field: ".data", expected: "data that does not throw when it is looked at" }
    }
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

/**
 * Where the payload begins, of terminal output that is not the first and whose data says nothing else; undefined of anything else. An
 * echo waits for this, mostly with cold caches, and then each step that it is spared is some ten microseconds.
 */
const plainOffset = ({ bytes, data, type, version }: NewEvent): number | undefined => {
  if (type !== "terminal.output" || version !== currentVersion || bytes === undefined) return undefined
  if (bytes.byteLength > maxOutputBytes || Object.getPrototypeOf(data) !== Object.prototype) return undefined
  for (const key in data) if (key !== "offset") return undefined
  const { offset } = data
  return typeof offset === "number" && Number.isSafeInteger(offset) && offset > 0 ? offset : undefined
}

const checkEvent = (event: NewEvent, isFrozen: boolean): CheckedEvent | Refusal => {
  const isPlain = isPlainEnvelope(event)
  const offset = isPlain ? plainOffset(event) : undefined
  if (offset !== undefined) return checkedEvent(event, isFrozen, { offset }, `{"offset":${offset}}`)
  if (!isPlain && !isEnvelope(event)) return explain(explainEnvelope(event), "")
  if (event.actor?.isWellFormed() === false) return { field: ".actor", expected: "well-formed Unicode text" }
  if (invalidBecause(event) !== undefined) return explainData(event)
  const data = copyPlainJson(event.data) as EventData | undefined
  let json: string | undefined
  // A unit of UTF-16 is at most six bytes of JSON, an escape: only what comes near the limit is counted.
  if (data === undefined || weigh(event) * 6 > maxEventBytes) {
    json = toJson(data ?? event.data)
    if (json === undefined) return { field: ".data", expected: "plain JSON, without cycles or bigint" }
    const payload = event.bytes?.byteLength ?? 0
    const size =
      payload + (json.length * 3 + payload > maxEventBytes ? new TextEncoder().encode(json).byteLength : json.length)
    if (size > maxEventBytes) {
      return { field: payload * 2 > size ? ".bytes" : ".data", expected: `at most ${maxEventBytes} bytes, not ${size}` }
    }
  }
  return checkedEvent(event, isFrozen, data, json)
}

const checkedEvent = (
  event: NewEvent,
  isFrozen: boolean,
  data: EventData | undefined,
  json: string | undefined
): CheckedEvent => {
  const { bytes } = event
  if (bytes === undefined) return new CheckedEvent(event, false, data, json)
  // A view of a larger buffer is copied in any case: it would keep the rest of it alive.
  const isCopied = !isFrozen || bytes.byteLength !== bytes.buffer.byteLength
  return new CheckedEvent(isCopied ? { ...event, bytes: new Uint8Array(bytes) } : event, isCopied, data, json)
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

/** Makes the record of a checked event. Its data means what is stored, so that all readers see the same. */
export const recordOf = (sessionId: SessionId, seq: number, { data, event }: CheckedEvent): EventRecord => {
  const { actor, at, bytes, cause, generation, origin, type, version } = event
  const record: { -readonly [K in keyof EventRecord]: EventRecord[K] } = {
    sessionId,
    seq,
    at,
    generation,
    type,
    version,
    data
  }
  if (bytes !== undefined) record.bytes = bytes
  if (actor !== undefined) record.actor = actor
  if (cause !== undefined) record.cause = cause
  if (origin !== undefined) record.origin = origin
  return record
}
