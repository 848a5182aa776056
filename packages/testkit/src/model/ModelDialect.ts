import type { Effect } from "effect"
import type { ModelDialectName, ReadRequest } from "./ModelRequest.ts"
import type { FinishReason, ModelContent, ModelError, ModelUsage } from "./ModelStep.ts"

/** The text that a piece of content is on the wire. Joined, it is the same as when it is sent piece by piece. */
export interface ContentFrames {
  readonly open: string
  readonly pieces: ReadonlyArray<string>
  readonly close: string
}

/** Writes one streamed answer. It counts what it writes: use it once, and in order. */
export interface AnswerWriter {
  readonly start: () => string
  readonly content: (content: ModelContent) => ContentFrames
  readonly finish: (reason: FinishReason, usage: ModelUsage | undefined) => string
  readonly fail: (error: ModelError) => string
}

/** Makes ids that are new for every message and call. */
export type MakeId = (prefix: string) => string

/** One answer that is not streamed. */
export interface WholeAnswer {
  readonly content: ReadonlyArray<ModelContent>
  readonly reason: FinishReason
  readonly usage: ModelUsage | undefined
}

/** A wire protocol that models are called with. */
export interface ModelDialect {
  readonly name: ModelDialectName
  readonly path: string
  /** Fails with what the body lacks. Unknown fields and message types are left alone. */
  readonly read: (body: unknown, headers: Readonly<Record<string, string>>) => Effect.Effect<ReadRequest, string>
  /** What the steps ask for that this dialect has no words for. */
  readonly objection: (content: ModelContent) => string | undefined
  readonly write: (model: string, makeId: MakeId) => AnswerWriter
  readonly whole: (answer: WholeAnswer, model: string, makeId: MakeId) => unknown
  /** The body of an answer with an error status. */
  readonly error: (error: ModelError) => unknown
}

/** One server-sent event, with its name where the dialect has names. */
export const sse = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`
