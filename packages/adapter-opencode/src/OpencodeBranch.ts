/** Branches of a session: the server copies what is before a message, so the message after the last turn has to be found. */
import type { TurnId } from "@holdfast/core"
import { Effect, Schema } from "effect"
import type { OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import { messageIdOf } from "./OpencodeNormaliser.ts"
import { headsOf, type MessageHead, readMessages } from "./OpencodeSnapshot.ts"

const Branch = Schema.Struct({ id: Schema.String })

/** What to branch. */
export interface BranchRequest {
  readonly sessionId: string
  /** The last turn of the branch; otherwise all turns that have ended. */
  readonly throughTurn: TurnId | undefined
  readonly activeTurn: TurnId | undefined
}

/** The first message after a turn; `"none"` where it is the last, undefined where there is no such turn. */
export const firstAfter = (heads: ReadonlyArray<MessageHead["info"]>, turnId: TurnId): string | undefined => {
  const at = heads.findIndex(({ id }) => id === messageIdOf(turnId))
  if (at === -1) return undefined
  // A message that came while its turn was in the middle of a step went into that turn.
  const next = heads.findIndex(
    ({ role }, index) => index > at && role === "user" && heads[index - 1]?.finish !== "tool-calls"
  )
  return heads[next]?.id ?? "none"
}

/** Makes a branch and gives its id; undefined where the session has no such turn. */
export const branchSession = Effect.fnUntraced(function* (
  client: OpencodeClient,
  { activeTurn, sessionId, throughTurn }: BranchRequest
): Effect.fn.Return<string | undefined, OpencodeError> {
  let before: string | undefined
  if (throughTurn === undefined) before = activeTurn === undefined ? "none" : messageIdOf(activeTurn)
  else {
    const first = messageIdOf(throughTurn)
    before = firstAfter(headsOf(yield* readMessages(client, sessionId, (id) => id <= first)), throughTurn)
  }
  // The server branches at what it does not know, too, and says that all is well.
  if (before === undefined) return undefined
  const body = before === "none" ? {} : { messageID: before }
  return (yield* client.send("POST", `/session/${sessionId}/fork`, Branch, { body })).id
})
