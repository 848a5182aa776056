/** Where a thread is kept: among the others, or in the archive, where its server has it unloaded. */
import { type BackendCommand, note } from "@holdfast/core"
import { Effect } from "effect"
import type { CodexError, CodexSilent } from "./CodexClient.ts"
import type { CodexServer } from "./CodexServer.ts"
import { done, failing, type OpenThread, type Performing } from "./OpenThread.ts"
import { resumeThread } from "./ThreadOpening.ts"
import type { TurnControl } from "./TurnControl.ts"

/** The place of a thread that a session has open. */
export interface ThreadArchive {
  /** Loads the thread again where it was archived; does nothing otherwise. */
  readonly load: Effect.Effect<void, CodexError | CodexSilent>
  /** Archives it; what runs in it is ended by that. */
  readonly put: Effect.Effect<void, CodexError | CodexSilent>
  readonly isArchived: () => boolean
}

/** Starts outside the archive. */
export const makeThreadArchive = (
  server: CodexServer,
  threadId: string,
  overrides: Parameters<typeof resumeThread>[2]
): ThreadArchive => {
  let isArchived = false
  const become = (archived: boolean) =>
    Effect.sync(() => {
      isArchived = archived
    })
  return {
    load: Effect.suspend(() =>
      isArchived ? Effect.andThen(resumeThread(server, threadId, overrides), become(false)) : Effect.void
    ),
    put: Effect.suspend(() =>
      isArchived
        ? Effect.void
        : become(true).pipe(
            Effect.andThen(server.request("thread/archive", { threadId })),
            Effect.tapError(() => become(false)),
            Effect.asVoid
          )
    ),
    isArchived: () => isArchived
  }
}

/**
 * Archives, once no turn runs, or takes out of the archive. A thread without a turn is not on disk yet: there is nothing to
 * archive, and Codex would forget it.
 */
export const archive = (
  thread: OpenThread,
  turns: TurnControl,
  place: ThreadArchive,
  command: Extract<BackendCommand, { readonly type: "archive" }>
): Performing => {
  const failed = failing(thread, command)
  if (!command.archived) return place.load.pipe(Effect.catch(failed), Effect.as(done))
  if (!thread.isIdentified()) return Effect.succeed(done)
  const now = turns.between(command, place.put.pipe(Effect.catch(failed), Effect.as(done)))
  if (turns.current() === undefined) return now
  const later = thread.watch.during(
    (event) => (event.type === "turn.completed" ? true : undefined),
    (isOver) => Effect.andThen(isOver, now)
  )
  return Effect.sync(() => {
    thread.fork(
      later.pipe(
        Effect.catch((error) =>
          Effect.sync(() => thread.tell([note("warning", error.message, undefined, "archive_refused")]))
        ),
        Effect.asVoid
      )
    )
    return done
  })
}
