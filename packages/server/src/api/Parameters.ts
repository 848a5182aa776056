/** What many endpoints take and give. */
import { CommandId, Receipt, SessionId } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiSchema, OpenApi } from "effect/http-api"

/** In the path of whatever is about one session. */
export const ofSession = {
  sessionId: SessionId.annotate({ description: "A session's id, a UUID of version 7." })
}

/** In the body of whatever changes something. */
export const idempotent = {
  commandId: Schema.optionalKey(
    CommandId.annotate({
      description:
        "Made by the caller, a UUID of version 7: sent again with the same id, the request has no second effect and gives the first receipt."
    })
  )
}

/** Beside what a list is about. */
export const paged = (most: number, usual: number) => ({
  limit: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: most })).annotate({
      description: `How many at most: 1 to ${most}, ${usual} unless given.`
    })
  ),
  cursor: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(1_024)).annotate({ description: "The `next` of the page before." })
  )
})

/** In the answer of a list. */
export const nextPage = {
  next: Schema.optionalKey(Schema.String.annotate({ description: "`cursor` of the next page; left out on the last." }))
}

const example = {
  sessionId: "019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071",
  commandId: "019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6072",
  firstSeq: 12,
  lastSeq: 13
}

/** What a change gives. */
export const ReceiptAnswer = Receipt.annotate({
  identifier: "Receipt",
  description: "What an accepted command led to: the events from `firstSeq` to `lastSeq` are stored.",
  examples: [example as Receipt]
})

/** What a change gives that makes something. */
export const CreatedAnswer = ReceiptAnswer.pipe(HttpApiSchema.status(201))

/** Says of an endpoint what it does. */
export const says = (summary: string, description?: string) =>
  OpenApi.annotations(description === undefined ? { summary } : { summary, description })
