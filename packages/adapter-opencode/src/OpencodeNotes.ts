/** Notes for the log about what has no event of its own, and what is left out without one. */
import { type BackendEvent, boundRaw } from "@holdfast/core"

/** Notes of one kind in a generation: 20 show what it is, a stream of them would only fill the log. */
const maxNotes = 20

/** Kinds of notes that are counted; past it new kinds are left out. */
const maxKinds = 100

/** Events that say nothing here, and why. Events without a session are not listed: only the directory is their concern. */
export const silentEvents: ReadonlyMap<string, string> = new Map([
  ["session.diff", "its list is empty; the user message has the difference"],
  ["command.executed", "the messages that it made have said so"]
])

/** Parts that say nothing, and why. */
export const silentParts: ReadonlyMap<string, string> = new Map([
  ["snapshot", "the server's own mark for reverting"],
  ["agent", "how a prompt named an agent"],
  ["subtask", "how a prompt asked for a subagent: its tool call follows"],
  ["retry", "the session's status said it"]
])

/** Tells a note. `kind` groups notes that are counted together; the code where none is given. */
export type TellNote = (
  level: "info" | "warning" | "error",
  code: string,
  message: string,
  raw?: unknown,
  kind?: string
) => void

/** Makes the counter of one generation. */
export const makeOpencodeNotes = (emit: (event: BackendEvent) => void): TellNote => {
  const counts = new Map<string, number>()
  return (level, code, message, raw, kind = code) => {
    const count = counts.get(kind) ?? 0
    if (count >= maxNotes || (count === 0 && counts.size >= maxKinds)) return
    counts.set(kind, count + 1)
    emit({
      type: "backend.noted",
      data: { level, message, code, ...(raw === undefined ? {} : { raw: boundRaw(raw) }) }
    })
  }
}
