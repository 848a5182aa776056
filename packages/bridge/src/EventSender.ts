/** Sends the log over one connection: from memory while the other side keeps up, from the file where it fell behind. */
import { bridgeBounds, encodeEvents } from "@holdfast/core/cloud"
import type { BridgeLog, LoggedEvent } from "./BridgeLog.ts"

/** Weight of one batch: 256 KiB, a page of the host's log. A single larger event is a batch of its own. */
const batchWeight = 256 * 1024

/** Events of one batch that are sent without a look into the file. */
const directEvents = 1_000

/** Bytes that are handed over at once before others get their turn: 1 MiB, two milliseconds of encoding. */
const strideBytes = 1024 * 1024

/** Bytes that the connection has not given to the system yet; past it, sending waits, since they would wait in memory. */
const maxBufferedBytes = 1024 * 1024

/** A connection to send over. */
export interface FrameSink {
  /** `onSent` is called when the frame was given to the system. */
  readonly send: (frame: Uint8Array, onSent: () => void) => void
  readonly bufferedBytes: () => number
}

/** The sender of one connection. */
export interface EventSender {
  /** Events that were stored just now. */
  readonly offer: (generation: number, first: number, events: ReadonlyArray<LoggedEvent>) => void
  readonly acknowledged: (through: number) => void
  /** Whether everything that is in the log was sent. */
  readonly isCaughtUp: () => boolean
  readonly stop: () => void
}

/** Makes a sender that begins after `after`, and sends what waits. */
export const makeEventSender = (log: BridgeLog, sink: FrameSink, after: number): EventSender => {
  let sent = after
  let inFlight = 0
  /** Frames that are not acknowledged, oldest first. */
  const flying: Array<{ readonly through: number; readonly bytes: number }> = []
  let turn: NodeJS.Immediate | undefined
  let isStopped = false

  const mayGoOn = () =>
    !isStopped && inFlight < bridgeBounds.unacknowledgedBytes && sink.bufferedBytes() < maxBufferedBytes

  const send = (generation: number, first: number, events: ReadonlyArray<LoggedEvent>): number => {
    const frame = encodeEvents({ generation, first, events })
    sent = first + events.length - 1
    inFlight += frame.byteLength
    flying.push({ through: sent, bytes: frame.byteLength })
    sink.send(frame, pump)
    return frame.byteLength
  }

  const pump = () => {
    if (turn !== undefined) return
    let budget = strideBytes
    while (sent < log.last() && mayGoOn()) {
      if (budget <= 0) {
        turn = setImmediate(() => {
          turn = undefined
          pump()
        })
        return
      }
      const batch = log.read(sent, batchWeight)
      // What is missing in front was acknowledged meanwhile: by whoever has it.
      if (batch === undefined) return
      budget -= send(batch.generation, batch.first, batch.events)
    }
  }

  pump()
  return {
    offer: (generation, first, events) => {
      if (sent !== first - 1 || !mayGoOn() || events.length > directEvents || weightOf(events) > batchWeight) pump()
      else send(generation, first, events)
    },
    acknowledged: (through) => {
      let gone = 0
      for (; gone < flying.length && flying[gone]!.through <= through; gone++) inFlight -= flying[gone]!.bytes
      if (gone > 0) flying.splice(0, gone)
      sent = Math.max(sent, through)
      pump()
    },
    isCaughtUp: () => sent >= log.last(),
    stop: () => {
      isStopped = true
      clearImmediate(turn)
    }
  }
}

/** About what they weigh: only what has a payload can be large without many of them. */
const weightOf = (events: ReadonlyArray<LoggedEvent>): number => {
  let weight = 0
  for (const event of events) {
    const { bytes, type } = event as { readonly bytes?: Uint8Array; readonly type: string }
    weight += bytes === undefined ? (type === "item.delta" ? 256 : jsonWeight(event)) : 64 + bytes.byteLength
  }
  return weight
}

const jsonWeight = (event: LoggedEvent): number => JSON.stringify(event).length
