/**
 * The binary frames of the live protocol: what a subscription carries, and keystrokes. A frame is a head that is one
 * subscription's own and a body that all subscriptions at the same cursor share, so that a server encodes a page once.
 *
 * ```text
 * server → client   u8 kind · u32 subscription · u32 length of the JSON · JSON (UTF-8) · payloads, one after the other
 * client → server   u8 16 · 16 bytes session id · 16 bytes command id · the bytes that were typed
 * server → client   u8 17 · 16 bytes command id          (they are written)
 * ```
 *
 * Numbers are big-endian, ids are the bytes of their UUID. In the JSON of a page an event that has a payload says its
 * length as `bytes`; payloads follow in the order of `covering`, then `events`.
 */
import * as Schema from "effect/Schema"
import type { ExactPage, Followed, GapReason } from "../EventLog.ts"
import { type EventRecord, EventType } from "../EventRecord.ts"
import { Actor, CommandId, type SessionId } from "../Ids.ts"
import { TerminalDimension } from "../SessionEvent.ts"

/** First byte of a frame. A receiver closes on a kind that it does not know ({@link CloseCode.malformed}). */
export const FrameKind = {
  /** Events, a gap, or that there are no more: {@link Followed}. */
  page: 1,
  /** Events from before the subscription began: what a client shows until somebody scrolls further back. */
  history: 2,
  /** A terminal's screen: what it shows begins here, whatever it showed before. */
  screen: 3,
  /** From the client: what somebody typed. */
  keystrokes: 16,
  /** The answer: they reached the terminal. */
  typed: 17
} as const

/** Bytes of the head of a server's frame. */
export const frameHeadBytes = 5

/** Bytes before what was typed in a frame of keystrokes. */
export const keystrokesHeadBytes = 33

/** Bytes before a {@link FrameBody} in its memory: room for the head of a frame and, before it, that of a WebSocket's. */
export const frameRoomBytes = 16

declare const hasRoom: unique symbol

/**
 * A body that was encoded here. The {@link frameRoomBytes} before it in its buffer are nobody's: whoever sends it first may write its
 * heads there, and then has the frame in one piece, for all who send it with the same heads. What else is in the buffer may be other
 * bodies: it is neither sent nor transferred as a whole.
 */
export type FrameBody = Uint8Array<ArrayBuffer> & { readonly [hasRoom]: true }

const EventFrame = Schema.Struct({
  seq: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  at: Schema.Number,
  generation: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  type: EventType,
  version: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  data: Schema.Record(Schema.String, Schema.Unknown),
  bytes: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  actor: Schema.optionalKey(Actor),
  cause: Schema.optionalKey(CommandId),
  origin: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)))
})

const seq = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const events = Schema.Array(EventFrame)

const PageFrame = Schema.Union([
  Schema.Struct({ answer: Schema.Literal("exact"), events, cursor: seq, head: seq }),
  Schema.Struct({
    answer: Schema.Literal("snapshot"),
    wholeAt: seq,
    covering: events,
    events,
    cursor: seq,
    head: seq
  }),
  Schema.Struct({
    answer: Schema.Literal("gap"),
    reason: Schema.Literals(["ahead", "corrupt", "missing", "removed"] satisfies ReadonlyArray<GapReason>),
    from: seq,
    to: seq,
    detail: Schema.String,
    cursor: seq,
    head: seq
  }),
  Schema.Struct({ answer: Schema.Literal("caught-up"), cursor: seq })
])

/** A screen: its payload is text for a terminal emulator, after which it shows what the session's terminal shows. */
export const ScreenHead = Schema.Struct({
  /** The last event whose output it shows. */
  seq,
  /** Bytes of output until then: where the next output begins. */
  offset: Schema.Number,
  cols: TerminalDimension,
  rows: TerminalDimension,
  title: Schema.NullOr(Schema.String),
  /** Why it is sent: it is the first, or the client was too far behind to be given all output. */
  why: Schema.Literals(["opened", "resync"])
})
export type ScreenHead = typeof ScreenHead.Type

/** Events from before the subscription's cursor, without terminal output. */
export interface HistoryPage {
  /** The events after this seq, up to the subscription's first cursor, as far as they are still there. */
  readonly after: number
  readonly events: ReadonlyArray<EventRecord>
}

/** What a server's frame says. */
export type ServerFrame =
  | { readonly kind: "page"; readonly subscription: number; readonly page: Followed; readonly bytes: number }
  | { readonly kind: "history"; readonly subscription: number; readonly page: HistoryPage; readonly bytes: number }
  | {
      readonly kind: "screen"
      readonly subscription: number
      readonly screen: ScreenHead
      readonly ansi: Uint8Array
      readonly bytes: number
    }
  | { readonly kind: "typed"; readonly commandId: CommandId; readonly bytes: number }

/** A frame that is not what the protocol says. */
export class FrameInvalid extends Schema.TaggedError<FrameInvalid>("@holdfast/core/FrameInvalid")("FrameInvalid", {
  field: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.field} of a frame is not valid: expected ${this.expected}`
  }
}

const utf8 = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

const withoutBytes = ({ bytes, sessionId: _sessionId, ...rest }: EventRecord) =>
  bytes === undefined ? rest : { ...rest, bytes: bytes.byteLength }

const body = (json: unknown, payloads: ReadonlyArray<Uint8Array>): FrameBody => {
  const text = JSON.stringify(json)
  const payloadBytes = payloads.reduce((sum, payload) => sum + payload.byteLength, 0)
  const begin = frameRoomBytes + 4
  // Nearly always all of it is ASCII, and is written where it belongs: half the cost of a page.
  let length = text.length
  let bytes = new Uint8Array(begin + length + payloadBytes)
  if (utf8.encodeInto(text, bytes.subarray(begin, begin + length)).read < length) {
    const head = utf8.encode(text)
    length = head.byteLength
    bytes = new Uint8Array(begin + length + payloadBytes)
    bytes.set(head, begin)
  }
  new DataView(bytes.buffer).setUint32(frameRoomBytes, length)
  let at = begin + length
  for (const payload of payloads) {
    bytes.set(payload, at)
    at += payload.byteLength
  }
  return bytes.subarray(frameRoomBytes) as FrameBody
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Most bytes of a payload that count as an echo: 1 KiB, a redrawn line or two. */
const echoBytes = 1024

/** Most digits of a count: those of 2^53. */
const countDigits = 16

/** The text of an echo's page between its numbers, which are in the order of {@link echoBody}. */
const echoTexts = [
  '{"answer":"exact","events":[{"seq":',
  ',"at":',
  ',"generation":',
  ',"type":"terminal.output","version":',
  ',"data":{"offset":',
  '},"bytes":',
  '}],"cursor":',
  ',"head":',
  "}"
].map((text) => utf8.encode(text))

/** Bytes that the page of an echo takes at most, without its payload. */
const echoRoom = frameRoomBytes + 4 + echoTexts.reduce((sum, text) => sum + text.byteLength + countDigits, -countDigits)

/**
 * Bytes of the memory that the bodies of echoes are cut from: 4 KiB, some twenty of them. To get memory for each takes as long as to
 * write it; more at a time would be kept by whoever keeps one of them.
 */
const slabBytes = 4 * 1024
let slab = new Uint8Array(0)
let slabAt = 0

const writeCount = (at: number, count: number): number => {
  let end = at + 1
  for (let rest = count; rest >= 10; rest = Math.floor(rest / 10)) end++
  let rest = count
  for (let digit = end - 1; digit >= at; digit--) {
    const tenth = Math.floor(rest / 10)
    slab[digit] = 48 + (rest - tenth * 10)
    rest = tenth
  }
  return end
}

const writeText = (at: number, text: Uint8Array): number => {
  for (let index = 0; index < text.byteLength; index++) slab[at + index] = text[index]!
  return at + text.byteLength
}

/**
 * The body of a page with nothing in it but a little output; undefined of any other. It is what {@link body} makes of it, without the
 * general ways of writing JSON and text: whoever types waits for it, mostly with cold caches, where it is half the time.
 */
const echoBody = ({ cursor, events: records, head }: ExactPage): FrameBody | undefined => {
  const [record] = records
  if (record === undefined || records.length > 1 || record.type !== "terminal.output") return undefined
  const { actor, at, bytes: payload, cause, data, generation, origin, seq, version } = record
  if (payload === undefined || payload.byteLength > echoBytes) return undefined
  if (actor !== undefined || cause !== undefined || origin !== undefined) return undefined
  for (const key in data) if (key !== "offset") return undefined
  const { offset } = data
  // A damaged row may have anything in its place.
  if (!isCount(at) || !isCount(generation) || !isCount(version) || !isCount(offset)) return undefined
  if (slabAt + echoRoom + payload.byteLength > slab.byteLength) {
    slab = new Uint8Array(slabBytes)
    slabAt = 0
  }
  const begin = slabAt + frameRoomBytes
  let end = begin + 4
  end = writeCount(writeText(end, echoTexts[0]!), seq)
  end = writeCount(writeText(end, echoTexts[1]!), at)
  end = writeCount(writeText(end, echoTexts[2]!), generation)
  end = writeCount(writeText(end, echoTexts[3]!), version)
  end = writeCount(writeText(end, echoTexts[4]!), offset)
  end = writeCount(writeText(end, echoTexts[5]!), payload.byteLength)
  end = writeCount(writeText(end, echoTexts[6]!), cursor)
  end = writeCount(writeText(end, echoTexts[7]!), head)
  end = writeText(end, echoTexts[8]!)
  // Less than 1 KiB: the upper half of its length is zero.
  const length = end - begin - 4
  slab[begin + 2] = length >>> 8
  slab[begin + 3] = length
  slabAt = writeText(end, payload)
  return slab.subarray(begin, slabAt) as FrameBody
}

const payloadsOf = (records: ReadonlyArray<EventRecord>): Array<Uint8Array> => {
  const payloads: Array<Uint8Array> = []
  for (const { bytes } of records) if (bytes !== undefined) payloads.push(bytes)
  return payloads
}

/** The body of a page: to be sent behind the head of each subscription that is at its cursor. */
export const encodePage = (page: Followed): FrameBody => {
  switch (page.answer) {
    case "exact":
      return echoBody(page) ?? body({ ...page, events: page.events.map(withoutBytes) }, payloadsOf(page.events))
    case "snapshot":
      return body(
        { ...page, covering: page.covering.map(withoutBytes), events: page.events.map(withoutBytes) },
        payloadsOf([...page.covering, ...page.events])
      )
    default:
      return body(page, [])
  }
}

/** The body of a history page. */
export const encodeHistory = ({ after, events: records }: HistoryPage): FrameBody =>
  body({ after, events: records.map(withoutBytes) }, payloadsOf(records))

/** The body of a screen. */
export const encodeScreen = (screen: ScreenHead, ansi: Uint8Array): FrameBody => body(screen, [ansi])

/** Writes the head of a server's frame at the start of `into`, which has room for {@link frameHeadBytes}. */
export const writeFrameHead = (
  into: Uint8Array,
  at: number,
  kind: (typeof FrameKind)["page" | "history" | "screen"],
  subscription: number
): void => {
  into[at] = kind
  into[at + 1] = subscription >>> 24
  into[at + 2] = subscription >>> 16
  into[at + 3] = subscription >>> 8
  into[at + 4] = subscription
}

/** A whole server's frame, for who sends it once. */
export const encodeFrame = (
  kind: (typeof FrameKind)["page" | "history" | "screen"],
  subscription: number,
  frameBody: Uint8Array
): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(frameHeadBytes + frameBody.byteLength)
  writeFrameHead(frame, 0, kind, subscription)
  frame.set(frameBody, frameHeadBytes)
  return frame
}

/** The value of a digit in lower case, as ids have them. */
const hexValue = (code: number): number => (code < 58 ? code - 48 : code - 87)

const writeUuid = (into: Uint8Array, at: number, uuid: string): void => {
  let from = 0
  for (let to = at; to < at + 16; to++) {
    if (uuid.charCodeAt(from) === 45) from++
    into[to] = (hexValue(uuid.charCodeAt(from)) << 4) | hexValue(uuid.charCodeAt(from + 1))
    from += 2
  }
}

/** The code of a digit of 4 bits. */
const hexCode = (digit: number): number => digit + (digit < 10 ? 48 : 87)

/** The characters of the id that is being read: made at once, it is one piece of memory and not twenty. */
const uuidCodes: Array<number> = Array.from({ length: 36 }, () => 45)

/** The id of 16 bytes, where they are one: in a keystroke's way a schema costs more than all the rest of its frame. */
const readUuidV7 = (from: Uint8Array, at: number): string | undefined => {
  if ((from[at + 6]! & 0xf0) !== 0x70 || (from[at + 8]! & 0xc0) !== 0x80) return undefined
  let to = 0
  for (let index = 0; index < 16; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) to++
    const byte = from[at + index]!
    uuidCodes[to++] = hexCode(byte >>> 4)
    uuidCodes[to++] = hexCode(byte & 15)
  }
  return String.fromCharCode(...uuidCodes)
}

/** The session that was last typed into, with the bytes of its id: mostly the next keystroke is for it too. */
let typedInto: { readonly bytes: Uint8Array; readonly sessionId: SessionId } | undefined

const readTypedInto = (frame: Uint8Array): SessionId | undefined => {
  if (typedInto !== undefined) {
    let same = 0
    while (same < 16 && frame[1 + same] === typedInto.bytes[same]) same++
    if (same === 16) return typedInto.sessionId
  }
  const sessionId = readUuidV7(frame, 1) as SessionId | undefined
  if (sessionId !== undefined) typedInto = { bytes: new Uint8Array(frame.subarray(1, 17)), sessionId }
  return sessionId
}

/** The frame of what somebody typed. */
export const encodeKeystrokes = (
  sessionId: SessionId,
  commandId: CommandId,
  typed: Uint8Array
): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(keystrokesHeadBytes + typed.byteLength)
  frame[0] = FrameKind.keystrokes
  writeUuid(frame, 1, sessionId)
  writeUuid(frame, 17, commandId)
  frame.set(typed, keystrokesHeadBytes)
  return frame
}

/** Bytes of the frame that answers keystrokes. */
export const typedBytes = 17

/** The frame that answers keystrokes. */
export const encodeTyped = (commandId: CommandId): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(typedBytes)
  frame[0] = FrameKind.typed
  writeUuid(frame, 1, commandId)
  return frame
}

/** Writes the frame that answers keystrokes, of which it needs the head, without reading its id. */
export const writeTyped = (into: Uint8Array, at: number, keystrokes: Uint8Array): void => {
  into[at] = FrameKind.typed
  for (let index = 1; index < typedBytes; index++) into[at + index] = keystrokes[16 + index]!
}

/** What somebody typed. */
export interface Keystrokes {
  readonly sessionId: SessionId
  readonly commandId: CommandId
  /** A view into the frame. */
  readonly typed: Uint8Array
}

/** Reads a client's frame. Throws {@link FrameInvalid}. */
export const decodeKeystrokes = (frame: Uint8Array): Keystrokes => {
  if (frame[0] !== FrameKind.keystrokes) {
    throw new FrameInvalid({ field: "kind", expected: `${FrameKind.keystrokes}, keystrokes` })
  }
  if (frame.byteLength < keystrokesHeadBytes) {
    throw new FrameInvalid({ field: "length", expected: `at least ${keystrokesHeadBytes} bytes` })
  }
  const sessionId = readTypedInto(frame)
  const commandId = readUuidV7(frame, 17) as CommandId | undefined
  if (sessionId === undefined) throw new FrameInvalid({ field: "sessionId", expected: "a UUID version 7" })
  if (commandId === undefined) throw new FrameInvalid({ field: "commandId", expected: "a UUID version 7" })
  return { sessionId, commandId, typed: frame.subarray(keystrokesHeadBytes) }
}

const decodePage = Schema.decodeUnknownSync(PageFrame)
const decodeHistory = Schema.decodeUnknownSync(Schema.Struct({ after: seq, events }))
const decodeScreen = Schema.decodeUnknownSync(ScreenHead)

const checked = <A>(decode: (json: unknown) => A, json: unknown): A => {
  try {
    return decode(json)
  } catch (error) {
    throw new FrameInvalid({ field: "json", expected: `what the protocol says of it (${String(error)})` })
  }
}

/**
 * Reads a server's frame. Payloads are views into it. `sessionOf` tells which session a subscription is of; undefined
 * where there is none of that number (any more), and then the frame says nothing. Throws {@link FrameInvalid}.
 */
export const decodeFrame = (
  frame: Uint8Array,
  sessionOf: (subscription: number) => SessionId | undefined
): ServerFrame | undefined => {
  const bytes = frame.byteLength
  const kind = frame[0]
  const view = new DataView(frame.buffer, frame.byteOffset, bytes)
  if (kind === FrameKind.typed) {
    const commandId = bytes === 17 ? (readUuidV7(frame, 1) as CommandId | undefined) : undefined
    if (commandId === undefined) throw new FrameInvalid({ field: "commandId", expected: "the 16 bytes of an id" })
    return { kind: "typed", commandId, bytes }
  }
  if (kind !== FrameKind.page && kind !== FrameKind.history && kind !== FrameKind.screen) {
    throw new FrameInvalid({ field: "kind", expected: "a kind of this protocol's version" })
  }
  if (bytes < frameHeadBytes + 4) throw new FrameInvalid({ field: "length", expected: "a whole head" })
  const subscription = view.getUint32(1)
  const jsonEnd = frameHeadBytes + 4 + view.getUint32(frameHeadBytes)
  if (jsonEnd > bytes) throw new FrameInvalid({ field: "length", expected: `at least ${jsonEnd} bytes` })
  const sessionId = sessionOf(subscription)
  if (sessionId === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(frame.subarray(frameHeadBytes + 4, jsonEnd)))
  } catch (error) {
    throw new FrameInvalid({ field: "json", expected: `JSON (${String(error)})` })
  }
  let at = jsonEnd
  const take = (length: number): Uint8Array => {
    if (at + length > bytes) throw new FrameInvalid({ field: "payload", expected: `${length} bytes at ${at}` })
    at += length
    return frame.subarray(at - length, at)
  }
  const recordsOf = (list: ReadonlyArray<typeof EventFrame.Type>): ReadonlyArray<EventRecord> =>
    list.map(({ bytes: length, ...rest }) =>
      length === undefined ? { sessionId, ...rest } : { sessionId, ...rest, bytes: take(length) }
    )
  switch (kind) {
    case FrameKind.page: {
      const page = checked(decodePage, json)
      if (page.answer === "exact") {
        return { kind: "page", subscription, bytes, page: { ...page, events: recordsOf(page.events) } }
      }
      if (page.answer === "snapshot") {
        const covering = recordsOf(page.covering)
        return { kind: "page", subscription, bytes, page: { ...page, covering, events: recordsOf(page.events) } }
      }
      return { kind: "page", subscription, bytes, page }
    }
    case FrameKind.history: {
      const history = checked(decodeHistory, json)
      return { kind: "history", subscription, bytes, page: { ...history, events: recordsOf(history.events) } }
    }
    case FrameKind.screen:
      return { kind: "screen", subscription, bytes, screen: checked(decodeScreen, json), ansi: frame.subarray(at) }
  }
}
