/** What every call takes. */
import type { CommandId } from "@holdfast/core"

/** How a call ends early. */
export interface CallOptions {
  /** Aborting rejects the call with the signal's reason. What was sent already may still be done. */
  readonly signal?: AbortSignal
}

/** How a command is sent. */
export interface SendOptions extends CallOptions {
  /** Made by the caller (`makeCommandId`), so that a repeat has no second effect; a new one unless given. */
  readonly commandId?: CommandId
}
