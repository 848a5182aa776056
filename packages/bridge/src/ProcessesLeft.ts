/**
 * What a generation of the inner backend started, noted so that the next bridge can end it: a bridge that is killed leaves its
 * terminals' programs behind.
 */
import type { SessionId } from "@holdfast/core"
import { processMarker, terminateTree } from "@holdfast/process"
import { Effect } from "effect"
import type { BridgeDatabase } from "./BridgeDatabase.ts"
import type { LoggedEvent } from "./BridgeLog.ts"
import type { CommandLedger } from "./CommandLedger.ts"
import type { Storing } from "./Storing.ts"

/** Milliseconds that what is left has to end by itself: nobody waits for its work any more. */
const graceMs = 500

/** The notes. */
export interface ProcessesLeft {
  /** Notes the processes that these events tell of; before the events themselves are stored. */
  readonly remember: (generation: number, events: ReadonlyArray<LoggedEvent>) => Effect.Effect<void>
  /** The generation has ended and nothing of it is left. */
  readonly over: Effect.Effect<void>
}

interface Left {
  readonly marker: string
  readonly pid: number
  readonly startTime: string
  readonly host: string
}

type Row = { readonly marker: string; readonly pid: number; readonly start_time: string; readonly host: string }

/** Opens the notes in the bridge's file. */
export const makeProcessesLeft = (
  { db, transact }: BridgeDatabase,
  sessionId: SessionId,
  storing: Storing,
  ledger: CommandLedger
): ProcessesLeft => {
  const insert = db.prepare("INSERT OR REPLACE INTO processes (marker, pid, start_time, host) VALUES (?, ?, ?, ?)")
  const clear = db.prepare("DELETE FROM processes")
  return {
    remember: (generation, events) => {
      const found = events.flatMap((event): ReadonlyArray<Left> => {
        if (event.type !== "process.spawned") return []
        const { host, marker, pid, startTime } = event.data
        return [{ marker: marker ?? processMarker(sessionId, generation), pid, startTime, host }]
      })
      if (found.length === 0) return Effect.void
      return storing.store(() =>
        transact(() => found.forEach(({ host, marker, pid, startTime }) => insert.run(marker, pid, startTime, host)))
      )
    },
    over: storing.store(() => {
      transact(() => clear.run())
      ledger.setOpenGeneration(null)
    })
  }
}

/** Ends what a dead bridge has left of a generation. What cannot be ended is said. */
export const endProcessesLeft = Effect.fnUntraced(function* (
  { db }: BridgeDatabase,
  sessionId: SessionId,
  generation: number
) {
  const rows = db.prepare("SELECT marker, pid, start_time, host FROM processes").all() as unknown as ReadonlyArray<Row>
  const targets = [
    { marker: processMarker(sessionId, generation) },
    ...rows.map(({ host, marker, pid, start_time }) => ({ marker, root: { pid, startTime: start_time, host } }))
  ]
  yield* Effect.forEach(
    targets,
    (target) =>
      terminateTree(target, { graceMs }).pipe(
        Effect.asVoid,
        Effect.catch((error) => Effect.logError(error.message))
      ),
    { concurrency: "unbounded" }
  )
})
