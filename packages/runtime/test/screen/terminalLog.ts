import {
  type EventLogService,
  type EventRecord,
  makeMemory,
  makeSessionId,
  type NewEvent,
  noCapabilities,
  type SessionId
} from "@holdfast/core"
import { Effect } from "effect"

/** A session in a log, for tests that write its terminal by hand. */
export interface TerminalLog {
  readonly log: EventLogService
  readonly sessionId: SessionId
  /** Appends events and gives the seq of the last. */
  readonly append: (...events: ReadonlyArray<NewEvent>) => Promise<number>
  /** Appends output after what was written so far. */
  readonly write: (...parts: ReadonlyArray<string | Uint8Array>) => Promise<number>
  readonly offset: () => number
}

/** An event of generation 1 at a fixed time. */
export const event = (type: string, data: EventRecord["data"] = {}, bytes?: Uint8Array, generation = 1): NewEvent => ({
  at: 1_700_000_000_000,
  generation,
  type,
  version: 1,
  data,
  ...(bytes === undefined ? {} : { bytes })
})

/** A session with an opened terminal of a size. */
export const makeTerminalLog = async (cols = 20, rows = 4, log = makeMemory()): Promise<TerminalLog> => {
  const sessionId = makeSessionId()
  let head = 0
  let offset = 0
  const append: TerminalLog["append"] = async (...events) => {
    const { lastSeq } = await Effect.runPromise(log.append(sessionId, head, events))
    head = lastSeq
    return head
  }
  const write: TerminalLog["write"] = (...parts) =>
    append(
      ...parts.map((part) => {
        const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part
        const output = event("terminal.output", { offset }, bytes)
        offset += bytes.length
        return output
      })
    )
  await append(
    event("session.created", { backend: "terminal", spec: {} }, undefined, 0),
    event("backend.opened", { capabilities: { ...noCapabilities, terminal: true } }),
    event("terminal.resized", { cols, rows })
  )
  return { log, sessionId, append, write, offset: () => offset }
}
