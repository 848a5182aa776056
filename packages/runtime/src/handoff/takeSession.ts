/** The new backend's half of a handoff, and the one append that makes the session its own. */
import {
  type Backend,
  checkCommand,
  type Command,
  type CommandRejected,
  type EventLogService,
  type Observed,
  type PackedSession,
  type Receipt,
  type SessionState,
  type SpecInvalid,
  type UnpackedSession,
  workspaceFile
} from "@holdfast/core"
import { type Cause, Effect, Exit, Option, Scope } from "effect"
import { join } from "node:path"
import type { CommandError } from "../SessionOwner.ts"
import type { WorkspacePacker } from "./HandoffOptions.ts"
import { type Bundle, isElsewhere, rejectBy, rejectMove } from "./packSession.ts"
import type { PreparedGeneration } from "./PreparedGeneration.ts"
import type { SessionHold } from "./SessionHold.ts"
import { makeTargetFolder, rootOf } from "./TargetFolder.ts"

/** What is taken up, and by whom. */
export interface Taking {
  readonly log: EventLogService
  readonly hold: SessionHold
  readonly workspaces: WorkspacePacker
  readonly backend: Backend
  readonly spec: unknown
  readonly restart: boolean
  readonly bundle: Bundle
  /** The state that was packed. */
  readonly before: SessionState
  /** The folder of this machine that it works in until now. */
  readonly workspace: string | null
  readonly envelope: Pick<Command, "sessionId" | "commandId" | "actor" | "at">
  /** Fails once the session is not where it was packed any more: it was closed, or lost. */
  readonly untilGone: Effect.Effect<never, CommandRejected>
  /** Told what happens while it is opened in the new place. */
  readonly onTold: (event: Observed) => Effect.Effect<void>
}

/**
 * Takes it up, opens it and records that. Gives the receipt, and where what had been in the new folder is kept. Whatever fails before
 * the record leaves nothing behind. Where it cannot be told whether it is recorded, what was taken up stays: it may be needed.
 */
export const takeSession = Effect.fnUntraced(function* (
  taking: Taking
): Effect.fn.Return<{ readonly receipt: Receipt; readonly aside?: string }, CommandError | SpecInvalid> {
  const made = yield* Scope.make()
  return yield* Effect.uninterruptibleMask((interruptible) =>
    Effect.gen(function* () {
      const opening = Effect.raceFirst(Scope.provide(unpack(taking), made), taking.untilGone)
      const ready = yield* interruptible(opening).pipe(
        Effect.onError((cause) => Scope.close(made, Exit.failCause(cause)))
      )
      const { isKnown, outcome } = yield* record(taking, ready)
      const stays = Exit.isSuccess(outcome) || !isKnown
      yield* Scope.close(made, stays ? Exit.void : Exit.asVoid(outcome))
      return { receipt: yield* outcome, ...(ready.aside === undefined ? {} : { aside: ready.aside }) }
    })
  )
})

/** What `session.moved` will say, and where it is open. */
interface Ready {
  readonly data: Omit<Command<"session.move">["data"], "generation" | "lastTurnId">
  readonly prepared: PreparedGeneration
  readonly aside?: string
}

const unpack = Effect.fnUntraced(function* (
  taking: Taking
): Effect.fn.Return<Ready, CommandRejected | SpecInvalid, Scope.Scope> {
  const { backend, bundle, workspace } = taking
  const isThere = isElsewhere(backend)
  const folder = isThere ? undefined : yield* makeTargetFolder(backend.name, taking.spec, workspace)
  const checked = yield* backend.check(taking.spec)
  const aside = folder === undefined ? undefined : yield* unpackWorkspace(taking, folder)
  const unpacked = yield* unpackHistory(taking, checked.spec)
  const spec = unpacked.spec ?? checked.spec
  const { before, hold, onTold } = taking
  const prepared = yield* hold
    .prepare({
      backend,
      state: { ...before, backend: backend.name, spec, nativeId: unpacked.nativeId ?? null, sandbox: null },
      secrets: checked.secrets,
      bundle: isThere ? bundle.folder : undefined,
      onTold
    })
    .pipe(
      Effect.mapError((error) =>
        error._tag === "SpecInvalid" ? error : rejectBy(before.sessionId, "it could not be opened there")(error)
      )
    )
  const { packed } = bundle
  const left =
    workspace === null || packed.workspace === undefined
      ? {}
      : { left: { workspace, fingerprint: packed.workspace.fingerprint } }
  return {
    data: {
      backend: backend.name,
      spec,
      ...(checked.workspace === undefined ? {} : { workspace: checked.workspace }),
      ...(unpacked.nativeId === undefined ? {} : { nativeId: unpacked.nativeId }),
      ...left
    },
    prepared,
    ...(aside === undefined ? {} : { aside })
  }
})

/** Brings the workspace to a folder of this machine, unless the session works there already. */
const unpackWorkspace = Effect.fnUntraced(function* (
  { backend, before, bundle, workspaces }: Taking,
  folder: string
): Effect.fn.Return<string | undefined, CommandRejected | SpecInvalid, Scope.Scope> {
  const packed = bundle.packed.workspace
  if (packed === undefined) return undefined
  const root = yield* rootOf(backend.name, folder, packed.prefix)
  const known = before.left?.workspace === folder ? before.left.fingerprint : undefined
  const { aside } = yield* workspaces
    .unpack(join(bundle.folder, workspaceFile), root, { packed, known })
    .pipe(Effect.mapError(rejectBy(before.sessionId, "its workspace could not be brought there")))
  return aside
})

const unpackHistory = Effect.fnUntraced(function* (
  { backend, before, bundle, restart }: Taking,
  spec: unknown
): Effect.fn.Return<UnpackedSession, CommandRejected | SpecInvalid, Scope.Scope> {
  const { sessionId } = before
  const { kind, workspace } = bundle.packed
  const withoutHistory: PackedSession = workspace === undefined ? {} : { workspace }
  const packed = restart || kind === undefined ? withoutHistory : bundle.packed
  // Without a history there is nothing to do but for a backend that brings the workspace as well.
  if (packed.kind === undefined && !isElsewhere(backend)) return {}
  if (backend.unpack === undefined) {
    const detail = `the ${backend.name} backend takes up no history of ${packed.kind ?? "others"}: ask for a new start (restart)`
    return yield* rejectMove(sessionId)("unsupported", detail)
  }
  return yield* backend
    .unpack({ sessionId, generation: before.generation + 1, spec, folder: bundle.folder, packed })
    .pipe(
      Effect.mapError((error) =>
        error._tag === "SpecInvalid" ? error : rejectBy(sessionId, "it could not be taken up")(error)
      )
    )
})

/** What became of the record, and whether that can be told. */
interface Recorded {
  readonly outcome: Exit.Exit<Receipt, CommandError>
  readonly isKnown: boolean
}

/** The fence. */
const record = Effect.fnUntraced(function* (
  { before, envelope, hold, log }: Taking,
  { data, prepared }: Ready
): Effect.fn.Return<Recorded> {
  const { generation, lastTurnId } = before
  const checked = checkCommand({ type: "session.move", data: { ...data, generation, lastTurnId } })
  if (!("body" in checked)) {
    const rejected = rejectMove(before.sessionId)("invalid", `expected ${checked.expected}`, checked.field)
    return { outcome: Exit.fail(rejected), isKnown: true }
  }
  const command = { ...checked.body, ...envelope } as Command<"session.move">
  const outcome = yield* Effect.exit(hold.move(command, prepared))
  if (Exit.isSuccess(outcome) || !isUnavailable(outcome.cause)) return { outcome, isKnown: true }
  // It may be stored all the same.
  const stored = yield* Effect.exit(log.receipt(envelope.sessionId, envelope.commandId))
  if (Exit.isFailure(stored)) return { outcome, isKnown: false }
  return { outcome: Option.isSome(stored.value) ? Exit.succeed(stored.value.value) : outcome, isKnown: true }
})

const isUnavailable = (cause: Cause.Cause<CommandError>): boolean => {
  const reason = cause.reasons.find((one) => one._tag === "Fail")
  return reason === undefined || reason.error._tag === "LogUnavailable"
}
