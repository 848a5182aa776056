/** Which prompts a server has, of those that were on their way when the connection to it was lost. */
import type { PromptId } from "@holdfast/core"
import { Effect, Schema } from "effect"
import type { OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import { isMessageOf } from "./OpencodeIds.ts"
import { headsOf, readMessages } from "./OpencodeSnapshot.ts"

/** A prompt that arrived. */
export interface ArrivedPrompt {
  readonly promptId: PromptId
  readonly messageId: string
}

/** A session's clock and ours may differ by this much: an hour. Older messages are not looked through. */
const clockSkewMs = 3_600_000

const isDated = Schema.is(Schema.Struct({ info: Schema.Struct({ time: Schema.Struct({ created: Schema.Finite }) }) }))

/** When a prompt was made: a UUID of version 7 begins with it. */
const madeAt = (promptId: PromptId): number => Number.parseInt(promptId.replaceAll("-", "").slice(0, 12), 16)

/**
 * Finds them. A message that was stored and never answered, in a session where nothing runs, is taken back: the model has
 * not seen it, and the prompt is sent again as one that never arrived.
 */
export const findArrived = Effect.fnUntraced(function* (
  client: OpencodeClient,
  sessionId: string,
  inDoubt: ReadonlyArray<PromptId>,
  isBusy: boolean
): Effect.fn.Return<ReadonlyArray<ArrivedPrompt>, OpencodeError> {
  if (inDoubt.length === 0) return []
  const since = Math.min(...inDoubt.map(madeAt)) - clockSkewMs
  const missing = new Set(inDoubt)
  const messages = yield* readMessages(client, sessionId, (messageId, message) => {
    for (const promptId of missing) if (isMessageOf(messageId, promptId)) missing.delete(promptId)
    return missing.size === 0 || (isDated(message) && message.info.time.created < since)
  })
  const heads = headsOf(messages)
  const answered = new Set(heads.map(({ parentID }) => parentID))
  const arrived: Array<ArrivedPrompt> = []
  for (const promptId of inDoubt) {
    const head = heads.find(({ id }) => isMessageOf(id, promptId))
    if (head === undefined) continue
    const isLast = heads.at(-1)?.id === head.id
    if (!isBusy && isLast && !answered.has(head.id)) {
      yield* client.send("DELETE", `/session/${sessionId}/message/${head.id}`, Schema.Unknown)
    } else arrived.push({ promptId, messageId: head.id })
  }
  return arrived
})
