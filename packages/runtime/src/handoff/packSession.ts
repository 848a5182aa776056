/** The old backend's half of a handoff: what goes along is put into a bundle. */
import {
  type Backend,
  type BackendLost,
  type BackendRefused,
  CommandRejected,
  type PackedSession,
  type RejectionReason,
  type SessionId,
  workspaceFile
} from "@holdfast/core"
import { Effect, type Scope } from "effect"
import { join } from "node:path"
import type { SessionOwner } from "../SessionOwner.ts"
import type { Bundles } from "./Bundles.ts"
import type { WorkspacePacker } from "./HandoffOptions.ts"
import type { SessionHold } from "./SessionHold.ts"

/** A bundle with what is in it. */
export interface Bundle {
  readonly folder: string
  readonly packed: PackedSession
}

/** What is packed. */
export interface Packing {
  readonly owner: SessionOwner
  readonly hold: SessionHold
  readonly bundles: Bundles
  readonly workspaces: WorkspacePacker
  /** The folder that the session works in, where that is on this machine and has to go along. */
  readonly workspace: string | undefined
  readonly restart: boolean
}

/** Rejections of a move. */
export const rejectMove = (sessionId: SessionId) => (reason: RejectionReason, detail: string, field?: string) =>
  new CommandRejected({
    sessionId,
    command: "session.move",
    reason,
    detail,
    ...(field === undefined ? {} : { field })
  })

/** A failure on the way as a rejection: nothing has happened, and the same may go well another time. */
export const rejectBy =
  (sessionId: SessionId, what: string) =>
  (error: Error | BackendRefused | BackendLost): CommandRejected => {
    const refusesForGood = "_tag" in error && !error.retryable
    const why = "_tag" in error ? error.reason : error.message
    return rejectMove(sessionId)(refusesForGood ? "unsupported" : "busy", `${what}: ${why}`)
  }

/** Whether sessions of a backend work elsewhere, and so bring their own workspaces. */
export const isElsewhere = (backend: Backend): boolean => backend.places !== undefined

/** Packs a session that is held. The bundle is removed at the end of the scope. */
export const packSession = Effect.fnUntraced(function* (
  packing: Packing
): Effect.fn.Return<Bundle, CommandRejected, Scope.Scope> {
  const { bundles, owner, restart, workspace, workspaces } = packing
  const { sessionId } = owner.state()
  const no = rejectMove(sessionId)
  const folder = yield* Effect.mapError(bundles.make(sessionId), rejectBy(sessionId, "it could not be packed"))
  const remembered = yield* packHistory(packing, folder)
  if (remembered.kind === undefined && !restart) {
    const detail = "a program that runs in a terminal cannot be moved: ask for it to be started anew there (restart)"
    return yield* no("unsupported", detail)
  }
  const left =
    workspace === undefined
      ? {}
      : {
          workspace: yield* Effect.mapError(
            workspaces.pack(workspace, join(folder, workspaceFile)),
            rejectBy(sessionId, "its workspace could not be packed")
          )
        }
  const packed = { ...remembered, ...left }
  yield* Effect.mapError(bundles.seal(folder, packed), rejectBy(sessionId, "it could not be packed"))
  return { folder, packed }
})

const packHistory = ({ hold, owner, restart }: Packing, folder: string) =>
  Effect.gen(function* () {
    const { sessionId } = owner.state()
    const backend = owner.backend()
    if (restart && !isElsewhere(backend)) return {}
    const packed = yield* hold
      .pack({ folder, restart })
      .pipe(
        Effect.mapError((error) =>
          error._tag === "CommandRejected" ? error : rejectBy(sessionId, "it could not be packed")(error)
        )
      )
    if (packed !== undefined) return packed
    if (!isElsewhere(backend)) return {}
    return yield* rejectMove(sessionId)("unsupported", `the ${backend.name} backend does not let sessions go`)
  })
