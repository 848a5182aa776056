/** What a server would answer about a session at any moment of a recorded stream: the fold of its events. */
import type { OpencodeEvent, OpencodeSnapshot } from "../src/OpencodeNormaliser.ts"

interface Stored {
  info: { readonly id: string }
  readonly parts: Map<string, { readonly id: string }>
}

/** A server that has said nothing yet. */
export const makeServerFold = (sessionId: string) => {
  const sessions = new Map<string, { readonly id: string; readonly parentID?: string }>()
  const messages = new Map<string, Map<string, Stored>>()
  const status = new Map<string, unknown>()
  const permissions = new Map<string, unknown>()
  const questions = new Map<string, unknown>()

  const messagesOf = (id: string): Map<string, Stored> => {
    const known = messages.get(id) ?? new Map<string, Stored>()
    messages.set(id, known)
    return known
  }

  return {
    take: ({ properties, type }: OpencodeEvent): void => {
      const { id, info, messageID, part, partID, requestID, sessionID, status: now } = Object(properties)
      switch (type) {
        case "session.created":
        case "session.updated":
          if (typeof info?.id === "string") sessions.set(info.id, info)
          return
        case "session.status":
          if (now?.type === "idle") status.delete(sessionID)
          else status.set(sessionID, now)
          return
        case "session.idle":
          status.delete(sessionID)
          return
        case "message.updated": {
          if (typeof info?.id !== "string") return
          const known = messagesOf(sessionID).get(info.id)
          if (known === undefined) messagesOf(sessionID).set(info.id, { info, parts: new Map() })
          else known.info = info
          return
        }
        case "message.removed":
          messagesOf(sessionID).delete(messageID)
          return
        case "message.part.updated":
          // Texts are stored empty until they end, and told like that.
          if (typeof part?.id === "string") messagesOf(part.sessionID).get(part.messageID)?.parts.set(part.id, part)
          return
        case "message.part.removed":
          messagesOf(sessionID).get(messageID)?.parts.delete(partID)
          return
        case "permission.asked":
          permissions.set(id, properties)
          return
        case "permission.replied":
          permissions.delete(requestID)
          return
        case "question.asked":
          questions.set(id, properties)
          return
        case "question.replied":
        case "question.rejected":
          questions.delete(requestID)
      }
    },
    /** The answers to what a session reads, as they are now. They share nothing with what follows. */
    snapshot: (): OpencodeSnapshot =>
      structuredClone({
        status: Object.fromEntries(status),
        permissions: [...permissions.values()],
        questions: [...questions.values()],
        messages: Object.fromEntries(
          [...messages].map(([id, stored]) => [
            id,
            [...stored.values()].map(({ info, parts }) => ({ info, parts: [...parts.values()] }))
          ])
        ),
        ...(sessions.has(sessionId) ? { session: sessions.get(sessionId) } : {}),
        children: [...sessions.values()].filter(({ parentID }) => parentID === sessionId)
      })
  }
}
