/**
 * The binary frames between a bridge and its control plane.
 *
 * ```text
 * bridge → control   u8 1 · u32 length of the JSON · JSON { generation, first, events } · payloads, one after the other
 * control → bridge   u8 16 · u48 number of the command · the bytes that were typed
 * bridge → control   u8 17 · u48 number of the command          (they are written)
 * ```
 *
 * Numbers are big-endian. In the JSON an event that has a payload says its length as `bytes`. `first` is the number of the
 * first event in the bridge's log; the others follow without a gap.
 */
import * as Schema from "effect/Schema"
import type { BackendEvent } from "../Backend.ts"
import { EventType } from "../EventRecord.ts"
import type { EventBody } from "../SessionEvent.ts"
import { FrameInvalid } from "../protocol/Frame.ts"

/** First byte of a frame. A receiver closes on a kind that it does not know ({@link BridgeCloseCode.malformed}). */
export const BridgeFrameKind = { events: 1, keystrokes: 16, typed: 17 } as const

const Batch = Schema.Struct({
  generation: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  first: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  events: Schema.Array(
    Schema.Struct({
      type: EventType,
      data: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
      bytes: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))
    })
  ).check(Schema.isMinLength(1), Schema.isMaxLength(10_000))
})

/** Events as they stand in a bridge's log. */
export interface EventBatch {
  /** The generation of the inner backend that told them: one of a batch. */
  readonly generation: number
  /** Number of the first. */
  readonly first: number
  /**
   * As the inner backend told them. `backend.lost` is the last one of a generation whose stream failed. Only the shape of the envelope is checked here; what the data of each type must be,
   * `accept` checks as for any backend.
   */
  readonly events: ReadonlyArray<BackendEvent | EventBody<"backend.lost">>
}

const utf8 = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })
const decodeBatch = Schema.decodeUnknownSync(Batch)

type Payload = { readonly bytes?: Uint8Array }

/** Encodes a batch. */
export const encodeEvents = ({ events, first, generation }: EventBatch): Uint8Array<ArrayBuffer> => {
  const payloads = events.flatMap((event) =>
    (event as Payload).bytes === undefined ? [] : [(event as Payload).bytes!]
  )
  const head = utf8.encode(
    JSON.stringify({
      generation,
      first,
      events: events.map((event) => {
        const { bytes, ...rest } = event as Payload
        return bytes === undefined ? rest : { ...rest, bytes: bytes.byteLength }
      })
    })
  )
  const frame = new Uint8Array(5 + head.byteLength + payloads.reduce((sum, one) => sum + one.byteLength, 0))
  frame[0] = BridgeFrameKind.events
  new DataView(frame.buffer).setUint32(1, head.byteLength)
  frame.set(head, 5)
  let at = 5 + head.byteLength
  for (const payload of payloads) {
    frame.set(payload, at)
    at += payload.byteLength
  }
  return frame
}

const invalid = (field: string, expected: string) => new FrameInvalid({ field, expected })

/** Reads a batch. Payloads are views into the frame. Throws {@link FrameInvalid}. */
export const decodeEvents = (frame: Uint8Array): EventBatch => {
  if (frame[0] !== BridgeFrameKind.events) throw invalid("kind", `${BridgeFrameKind.events}, events`)
  if (frame.byteLength < 5) throw invalid("length", "a whole head")
  const jsonEnd = 5 + new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(1)
  if (jsonEnd > frame.byteLength) throw invalid("length", `at least ${jsonEnd} bytes`)
  let batch: typeof Batch.Type
  try {
    batch = decodeBatch(JSON.parse(decoder.decode(frame.subarray(5, jsonEnd))))
  } catch (error) {
    throw invalid("json", `what the protocol says of it (${String(error)})`)
  }
  let at = jsonEnd
  const events = batch.events.map(({ bytes: length, ...rest }) => {
    if (length === undefined) return rest as BackendEvent
    if (at + length > frame.byteLength) throw invalid("payload", `${length} bytes at ${at}`)
    at += length
    return { ...rest, bytes: frame.subarray(at - length, at) } as unknown as BackendEvent
  })
  if (at !== frame.byteLength) throw invalid("payload", `nothing after byte ${at}`)
  return { generation: batch.generation, first: batch.first, events }
}

const numbered = (kind: number, id: number, rest: Uint8Array | undefined): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(7 + (rest?.byteLength ?? 0))
  const view = new DataView(frame.buffer)
  frame[0] = kind
  view.setUint16(1, Math.floor(id / 2 ** 32))
  view.setUint32(3, id >>> 0)
  if (rest !== undefined) frame.set(rest, 7)
  return frame
}

const numberOf = (kind: number, frame: Uint8Array): number => {
  if (frame[0] !== kind) throw invalid("kind", String(kind))
  if (frame.byteLength < 7) throw invalid("length", "at least 7 bytes")
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  return view.getUint16(1) * 2 ** 32 + view.getUint32(3)
}

/** The frame of what somebody typed. */
export const encodeBridgeKeystrokes = (id: number, typed: Uint8Array): Uint8Array<ArrayBuffer> =>
  numbered(BridgeFrameKind.keystrokes, id, typed)

/** Reads it. `typed` is a view into the frame. Throws {@link FrameInvalid}. */
export const decodeBridgeKeystrokes = (frame: Uint8Array): { readonly id: number; readonly typed: Uint8Array } => ({
  id: numberOf(BridgeFrameKind.keystrokes, frame),
  typed: frame.subarray(7)
})

/** The frame that answers keystrokes. */
export const encodeBridgeTyped = (id: number): Uint8Array<ArrayBuffer> => numbered(BridgeFrameKind.typed, id, undefined)

/** Reads it. Throws {@link FrameInvalid}. */
export const decodeBridgeTyped = (frame: Uint8Array): number => numberOf(BridgeFrameKind.typed, frame)
