/** Keeps a session as it is between two turns, so that it can be packed and moved. One at a time. */
import {
  type BackendLost,
  type BackendRefused,
  type Command,
  CommandRejected,
  type CommandType,
  type PackedSession,
  type PackRequest,
  type Receipt,
  type SessionId,
  type SpecInvalid
} from "@holdfast/core"
import { Effect, type Scope } from "effect"
import type { Preparing } from "../GenerationSlot.ts"
import type { CommandError } from "../SessionOwner.ts"
import type { PreparedGeneration } from "./PreparedGeneration.ts"

/** A session that is about to be moved. */
export interface SessionHold {
  /** From now on commands that change what is packed are rejected as `busy`. Prompts are still queued. */
  readonly seal: Effect.Effect<void>
  /** Packs it; undefined where its backend packs nothing. */
  readonly pack: (
    request: PackRequest
  ) => Effect.Effect<PackedSession | undefined, BackendRefused | BackendLost | CommandRejected>
  /** Opens it in the new place, beside the old one; the scope's end gives that up unless the session was moved. */
  readonly prepare: (
    preparing: Omit<Preparing, "timeoutMs">
  ) => Effect.Effect<PreparedGeneration, BackendLost | SpecInvalid, Scope.Scope>
  /** Moves it to where it was opened. */
  readonly move: (
    command: Command<"session.move">,
    prepared: PreparedGeneration
  ) => Effect.Effect<Receipt, CommandError>
}

/** Commands that would change what is being packed, or are asked of whom it is taken from. */
const notWhileSealed: ReadonlySet<string> = new Set<CommandType>([
  "session.open",
  "session.fork",
  "session.suspend",
  "context.compact",
  "history.revert",
  "history.restore",
  "item.stop",
  "backend.configure"
])

/** What a session's owner lends. */
export interface SessionHoldsParts extends Pick<SessionHold, "pack" | "prepare"> {
  readonly sessionId: SessionId
  /** Submits the move, with what is to follow it in the same append. */
  readonly move: (command: Command, told: PreparedGeneration["told"]) => Effect.Effect<Receipt, CommandError>
  /** Told when the hold is over: what waited goes on. */
  readonly letGo: () => void
}

/** The hold that a session's owner gives, and what follows from it. */
export interface SessionHolds {
  /** Rejected as `busy` where somebody holds it already. It lasts as long as the scope. */
  readonly hold: Effect.Effect<SessionHold, CommandRejected, Scope.Scope>
  /** No prompt may begin a turn. */
  readonly isHeld: () => boolean
  readonly refuses: (command: string) => boolean
  /** Where the move that is under way has opened it. */
  readonly prepared: () => PreparedGeneration | undefined
}

/** Makes the holds of one session. */
export const makeSessionHolds = ({ letGo, move, pack, prepare, sessionId }: SessionHoldsParts): SessionHolds => {
  let held: "prompts" | "all" | undefined
  let prepared: PreparedGeneration | undefined

  const hold: SessionHold = {
    seal: Effect.sync(() => {
      held = "all"
    }),
    pack,
    prepare,
    move: (command, opened) =>
      Effect.suspend(() => {
        prepared = opened
        return move(command, opened.told)
      })
  }
  return {
    hold: Effect.acquireRelease(
      Effect.suspend(() => {
        if (held !== undefined) {
          const detail = "the session is being moved to another backend already"
          return Effect.fail(new CommandRejected({ sessionId, command: "session.move", reason: "busy", detail }))
        }
        held = "prompts"
        return Effect.succeed(hold)
      }),
      () =>
        Effect.sync(() => {
          held = undefined
          prepared = undefined
          letGo()
        })
    ),
    isHeld: () => held !== undefined,
    refuses: (command) => held === "all" && notWhileSealed.has(command),
    prepared: () => prepared
  }
}
