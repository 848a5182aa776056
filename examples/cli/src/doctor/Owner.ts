/** Who owns the log, whether it can be reached, and what a dead one left running. */
import type { LogUnavailable, SessionNotFound } from "@holdfast/core"
import { isAlive, processMarker, tree } from "@holdfast/process"
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import { endedLifecycles } from "../owner/AttachedStream.ts"
import { connectOwner } from "../owner/OwnerClient.ts"
import { count } from "../output/Text.ts"
import type { Reader } from "../store/Reader.ts"
import { ownerPlace } from "../store/StorePath.ts"
import type { Finding } from "./Machine.ts"

const ownerLives = Effect.fnUntraced(function* (log: Reader) {
  const owner = yield* log.owner
  if (owner === undefined || owner.released) return undefined
  // Where processes cannot be looked at, an owner that has not released the log counts as alive.
  return (yield* Effect.orElseSucceed(isAlive(owner), () => true)) ? owner : undefined
})

/** Who owns the log. */
export const examineOwner = (store: string, log: Reader): Effect.Effect<Finding, LogUnavailable> =>
  Effect.gen(function* () {
    const owner = yield* ownerLives(log)
    if (owner === undefined) {
      return { check: "owner", status: "ok", detail: "no process owns the log; one starts when it is needed" } as const
    }
    const reached = yield* Effect.result(
      Effect.flatMap(connectOwner(store), (client) => client?.Hello() ?? Effect.undefined)
    )
    if (reached._tag === "Failure")
      return { check: "owner", status: "problem", detail: reached.failure.message } as const
    if (reached.success !== undefined) {
      return { check: "owner", status: "ok", detail: `process ${owner.pid} owns the log and answers` } as const
    }
    return {
      check: "owner",
      status: "warning",
      detail: `process ${owner.pid} owns the log and does not listen at ${ownerPlace(store).socket}`,
      fix: "If it is another program, change sessions there; list, follow, screen and replay work here. If not, end it."
    } as const
  }).pipe(Effect.scoped)

/** What a dead owner left: sessions that are live by the log alone, and processes that still run. */
export const examineOrphans = (log: Reader): Effect.Effect<Finding, LogUnavailable | SessionNotFound> =>
  Effect.gen(function* () {
    if ((yield* ownerLives(log)) !== undefined) {
      return { check: "orphans", status: "ok", detail: "sessions that are live have their owner" } as const
    }
    const reader = makeSessionReader(log)
    let sessions = 0
    let waiting = 0
    const pids: Array<number> = []
    let cursor: string | undefined
    do {
      const page = yield* log.sessions({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
      for (const { lifecycle, sessionId } of page.sessions) {
        if (endedLifecycles.has(lifecycle)) continue
        const { capabilities, generation, processes } = yield* reader.state(sessionId)
        if (capabilities?.reattach === true) {
          waiting++
          continue
        }
        sessions++
        const left = tree({ root: processes.at(-1), marker: processMarker(sessionId, generation) })
        for (const { pid } of yield* Effect.orElseSucceed(left, () => [])) pids.push(pid)
      }
      cursor = page.next
    } while (cursor !== undefined)
    if (sessions === 0) {
      const detail =
        waiting === 0
          ? "nothing was left behind"
          : `${count(waiting, "session")} ${waiting === 1 ? "goes on in its sandbox" : "go on in their sandboxes"}; the next owner takes up what happens there`
      return { check: "orphans", status: "ok", detail } as const
    }
    return {
      check: "orphans",
      status: "warning",
      detail: `${count(sessions, "session")} lost ${sessions === 1 ? "its" : "their"} owner${pids.length === 0 ? "" : `; processes ${pids.join(", ")} still run`}`,
      fix: "The next owner ends them: holdfast vacuum starts one, as does run."
    } as const
  })
