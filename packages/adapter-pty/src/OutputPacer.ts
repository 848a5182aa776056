/** When output is handed over: the first bytes of a burst and an answer to input at once, so that typing feels no timer; then joined. */
import { type BackendEvent, maxOutputBytes } from "@holdfast/core"
import { makeReportReader } from "./TerminalReports.ts"
import { makeReportWindow, reportWindowMs } from "./ReportWindow.ts"

/**
 * Milliseconds for which output is joined after some was handed over. Four keep a 60 Hz redraw within its frame and make a
 * flood's 4 KiB reads into events of up to {@link maxOutputBytes}.
 */
const joinMs = 4

/**
 * Milliseconds of quiet after which the block that output is joined in is given back: an idle terminal holds nothing. Within a
 * stream of small bursts it is kept, because 64 KiB for each of them would have the whole heap collected several times a second.
 */
const keepMs = 1_000

/** Takes chunks as they are read, and pushes them joined, each followed by what it reported. */
export interface OutputPacer {
  /** Keeps nothing of the chunk, which the next read may overwrite. */
  readonly write: (chunk: Buffer) => void
  /** Input was written: what is read next answers it, and is handed over at once with what is held. */
  readonly answerInput: () => void
  /** Pushes all that is held, and stops the timers. */
  readonly end: () => void
}

/** Makes a pacer. It holds at most {@link maxOutputBytes} and one chunk, and one window of reports. */
export const makeOutputPacer = (push: (events: ReadonlyArray<BackendEvent>) => void): OutputPacer => {
  const reader = makeReportReader()
  const reports = makeReportWindow()
  // Joined where it arrives: a chunk is the reader's again afterwards.
  let block = new Uint8Array(0)
  let heldBytes = 0
  let lastOutput = Number.NEGATIVE_INFINITY
  let lastReports = Number.NEGATIVE_INFINITY
  /** Whether input was written since output was handed over for it: once for all that was written between two reads. */
  let isAnswer = false
  let outputTimer: NodeJS.Timeout | undefined
  let keepTimer: NodeJS.Timeout | undefined
  let reportTimer: NodeJS.Timeout | undefined

  const hold = (chunk: Uint8Array) => {
    if (block.byteLength === 0) {
      block = new Uint8Array(maxOutputBytes)
      keepTimer ??= setTimeout(giveBack, keepMs)
    }
    block.set(chunk, heldBytes)
    heldBytes += chunk.byteLength
  }

  const takeHeld = (): Uint8Array => {
    const isWhole = heldBytes === block.byteLength
    const bytes = isWhole ? block : block.slice(0, heldBytes)
    if (isWhole) block = new Uint8Array(0)
    heldBytes = 0
    return bytes
  }

  const giveBack = () => {
    const left = lastOutput + keepMs - performance.now()
    const isInUse = left > 0 || heldBytes > 0
    keepTimer = isInUse ? setTimeout(giveBack, Math.max(left, joinMs)) : undefined
    if (!isInUse) block = new Uint8Array(0)
  }

  const flush = (areReportsDue: boolean, now: number, first?: Uint8Array) => {
    const events: Array<BackendEvent> = []
    const bytes = first ?? (heldBytes > 0 ? takeHeld() : undefined)
    if (bytes !== undefined) {
      events.push({ type: "terminal.output", bytes })
      lastOutput = now
      clearTimeout(outputTimer)
      outputTimer = undefined
    }
    if (areReportsDue && !reports.isEmpty()) {
      lastReports = now
      events.push(...reports.take())
    }
    if (events.length > 0) push(events)
    if (!reports.isEmpty()) {
      reportTimer ??= setTimeout(
        () => {
          reportTimer = undefined
          flush(true, performance.now())
        },
        Math.max(1, lastReports + reportWindowMs - now)
      )
    }
  }

  const flushAt = (now: number, first?: Uint8Array) => flush(now - lastReports >= reportWindowMs, now, first)

  return {
    write: (chunk) => {
      for (const report of reader.read(chunk)) reports.add(report)
      const now = performance.now()
      const atOnce = isAnswer || now - lastOutput >= joinMs
      if (heldBytes === 0 && atOnce) {
        isAnswer = false
        return flushAt(now, new Uint8Array(chunk))
      }
      for (let at = 0; at < chunk.byteLength;) {
        const room = maxOutputBytes - heldBytes
        hold(chunk.subarray(at, at + room))
        at += room
        if (heldBytes === maxOutputBytes) flushAt(now)
      }
      if (heldBytes === 0) return
      if (isAnswer) {
        isAnswer = false
        return flushAt(now)
      }
      outputTimer ??= setTimeout(() => flushAt(performance.now()), joinMs)
    },
    answerInput: () => {
      isAnswer = true
    },
    end: () => {
      flush(true, performance.now())
      clearTimeout(keepTimer)
      clearTimeout(reportTimer)
    }
  }
}
