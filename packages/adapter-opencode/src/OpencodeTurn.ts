/** A turn of an Opencode session: which messages belong to it, and how it ended. */
import type { PromptId, ReportedError, TurnId, TurnOutcome } from "@holdfast/core"
import { isAbort, reportError } from "./OpencodeErrors.ts"
import type { NamedError, Part } from "./OpencodeWire.ts"

/** An assistant's message: one model call. */
export interface AssistantMessage {
  readonly id: string
  /** The user message that it answers. */
  parentId: string | undefined
  /** The server told its beginning, not only one of its parts. */
  begun: boolean
  /** It is complete, or failed. */
  settled: boolean
  /** When it was complete, in the server's milliseconds since 1970. */
  completedAt: number | undefined
  finish: string | undefined
  error: NamedError | undefined
  structured: boolean
  /** Made by the model; a command that a user ran has none. */
  hasStep: boolean
  hasTool: boolean
  /** It is a summary, in place of what came before. */
  compaction: boolean
  /** The text of a summary. */
  summary: string
}

/** A model call of which nothing is known yet. */
export const newMessage = (id: string): AssistantMessage => ({
  id,
  parentId: undefined,
  begun: false,
  settled: false,
  completedAt: undefined,
  finish: undefined,
  error: undefined,
  structured: false,
  hasStep: false,
  hasTool: false,
  compaction: false,
  summary: ""
})

/** A user's message. */
export interface UserMessage {
  readonly id: string
  /** Ours, and of which prompt. */
  readonly promptId: PromptId | undefined
  /** It was first seen in a snapshot: whether the server was idle before it is not known. */
  readonly mayFollowIdle: boolean
  /** In the server's milliseconds since 1970, where it was told. */
  createdAt: number | undefined
  inTurn: boolean
  /** It asks for a summary; `automatic` where the server asks itself, because the context is full. */
  compaction: { readonly automatic: boolean } | undefined
  /** Somebody wrote it: it has a part that is not synthetic. */
  written: boolean
  /** Parts that are told when its turn is known. */
  parts: Array<Part>
}

/** A running turn. */
export interface Turn {
  readonly turnId: TurnId
  /** The user messages that it answers. The first began it, others came in while it ran. */
  readonly users: Map<string, UserMessage>
  /** It was begun for a summary alone. */
  readonly first: UserMessage
  last: AssistantMessage | undefined
  /** The server said so since it was last busy. */
  idle: boolean
  /** What the server reported as errors of the session. */
  readonly errors: Array<NamedError>
  /** Model calls by session. */
  readonly steps: Map<string, number>
  /** A request was turned down. */
  refused: boolean
  /** Why it was made to end. */
  failure: ReportedError | undefined
  /** The last retry that was told. */
  retry: string
  /** Model calls whose usage was told, by part. */
  readonly counted: Set<string>
}

/** Most errors of a turn that are kept: the server reports one or two. */
const maxErrors = 16

/** Keeps an error of the session for the turn's end. */
export const addError = (turn: Turn, error: NamedError): void => {
  if (turn.errors.length < maxErrors) turn.errors.push(error)
}

/**
 * Whether the server goes on to another model call after the turn's last one by itself: then a user message that has come
 * in is part of it. Otherwise the turn is over and the message begins the next, with no idle in between. Where an idle may
 * have been missed, only what came before the last call was complete can have come in.
 */
export const goesOn = (turn: Turn, next: UserMessage): boolean => {
  const { first, last } = turn
  if (next.compaction === undefined ? isOfServer(next) : next.compaction.automatic) return true
  if (last === undefined || !last.settled) return true
  if (last.compaction) return first.compaction === undefined || first.compaction.automatic
  if (last.error !== undefined || (last.finish !== "tool-calls" && last.finish !== "unknown")) return false
  return !next.mayFollowIdle || !cameAfter(next.createdAt, last.completedAt)
}

/** Whether nobody wrote it: the server tells its model to go on, say after a summary. */
const isOfServer = ({ promptId, written }: UserMessage): boolean => !written && promptId === undefined

/** Whether a user message came after a model call was complete, as far as is known. */
export const cameAfter = (createdAt: number | undefined, completedAt: number | undefined): boolean =>
  createdAt !== undefined && completedAt !== undefined && createdAt > completedAt

/** How a turn ended. */
export interface TurnEnd {
  readonly outcome: TurnOutcome
  readonly reason?: string
  readonly error?: ReportedError
}

/** By what its last message and the server's errors say. */
export const endOf = (turn: Turn): TurnEnd => {
  const { errors, failure, last } = turn
  if (failure !== undefined) return { outcome: "failed", reason: failure.message, error: failure }
  const error = last === undefined ? (errors.find((each) => !isAbort(each)) ?? errors[0]) : last.error
  if (error !== undefined) {
    if (isAbort(error)) return { outcome: "interrupted", reason: "it was aborted" }
    const reported = reportError(error)
    return { outcome: "failed", reason: reported.message, error: reported }
  }
  if (last === undefined) return { outcome: "interrupted", reason: "it ended without an answer" }
  if (!last.settled) return { outcome: "interrupted", reason: "it was cut off" }
  switch (last.finish) {
    case "stop":
      return { outcome: "completed" }
    case undefined:
      // An abort while the server waited to try again leaves no other trace.
      return last.hasTool && !last.hasStep
        ? { outcome: "completed" }
        : { outcome: "interrupted", reason: "it was aborted" }
    case "unknown":
      // After a stream without an end the server calls the model again, for ever: it was stopped.
      return { outcome: "interrupted", reason: "it was stopped" }
    case "tool-calls":
      // The model never saw what its calls brought: it had more to say, and nothing failed.
      if (last.structured) return { outcome: "completed" }
      return {
        outcome: "interrupted",
        reason: turn.refused ? "a request was refused" : "it stopped before the model saw its tools' results"
      }
    case "error":
      return { outcome: "failed", reason: "the model call failed" }
    default:
      return { outcome: "completed", reason: last.finish }
  }
}
