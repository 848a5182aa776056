/** What the parts of a session share about its thread, and how they fail. */
import { type BackendCommand, type BackendEvent, BackendLost, BackendRefused, type Performed } from "@holdfast/core"
import { Effect } from "effect"
import type { CodexError, CodexSilent } from "./CodexClient.ts"
import type { CodexNormaliser } from "./CodexNormaliser.ts"
import type { CodexServer } from "./CodexServer.ts"
import type { EventWatch } from "./EventWatch.ts"
import type { SubAgents } from "./SubAgents.ts"

/** A thread that a session has open. */
export interface OpenThread {
  /** The backend's name. */
  readonly backend: string
  readonly server: CodexServer
  readonly threadId: string
  readonly normaliser: CodexNormaliser
  readonly watch: EventWatch
  readonly subAgents: SubAgents
  readonly tell: (events: ReadonlyArray<BackendEvent>) => void
  /** Runs something beside, for as long as the session is open. */
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Whether its server can resume it by its id. */
  readonly isIdentified: () => boolean
  /** Loads the thread again where it was archived meanwhile. */
  readonly load: Effect.Effect<void, CodexError | CodexSilent>
}

/** What performing a command gives. */
export type Performing = Effect.Effect<Performed, BackendRefused | BackendLost>

/** Nothing to say about a command that was performed. */
export const done: Performed = {}

/** Refuses a command. */
export const refuse = (
  { backend }: Pick<OpenThread, "backend">,
  command: Pick<BackendCommand, "type">,
  reason: string,
  retryable = false
): Effect.Effect<never, BackendRefused> =>
  Effect.fail(new BackendRefused({ backend, command: command.type, reason, retryable }))

/** An error of the server refuses a command; silence, and any loss, means that the backend is lost. */
export const failing =
  (thread: Pick<OpenThread, "backend">, command: Pick<BackendCommand, "type">, retryable = false) =>
  (error: CodexError | CodexSilent | BackendLost): Effect.Effect<never, BackendRefused | BackendLost> => {
    if (error._tag === "CodexError") {
      // Somebody else had it unloaded, archived or deleted: opening it again helps, or says why not.
      if (error.detail.startsWith("thread not found")) {
        const reason = `Codex does not have the thread open any more: ${error.detail}`
        return Effect.fail(new BackendLost({ backend: thread.backend, reason, retryable: true, cause: error }))
      }
      return refuse(thread, command, error.detail, retryable)
    }
    return Effect.fail(error._tag === "BackendLost" ? error : lostBySilence(thread, error))
  }

/** The loss that silence stands for: opening the thread again tells what became of what was asked. */
export const lostBySilence = ({ backend }: Pick<OpenThread, "backend">, error: CodexSilent): BackendLost =>
  new BackendLost({ backend, reason: error.message, retryable: true, cause: error })
