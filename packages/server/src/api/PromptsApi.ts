/** Prompts that wait. */
import { Actor, ContentBlock, Delivery, maxPromptText, PromptId } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { CreatedAnswer, idempotent, nextPage, ofSession, paged, ReceiptAnswer, says } from "./Parameters.ts"

const ofPrompt = { ...ofSession, promptId: PromptId.annotate({ description: "The id of the command that queued it." }) }

/** What a prompt says: content blocks, or short for one of text. One of both is needed. */
const said = {
  content: Schema.optionalKey(Schema.Array(ContentBlock).check(Schema.isMinLength(1), Schema.isMaxLength(100))),
  text: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(maxPromptText)))
}

const oneOfBoth = Schema.makeFilter((given: { readonly content?: unknown; readonly text?: unknown }) =>
  (given.content === undefined) === (given.text === undefined) ? "either content or text" : undefined
)

/** A prompt that has not been delivered. */
export const PromptAnswer = Schema.Struct({
  promptId: Schema.String,
  content: Schema.Array(ContentBlock),
  delivery: Delivery,
  turnId: Schema.NullOr(Schema.String),
  actor: Schema.NullOr(Actor),
  dispatchedAt: Schema.NullOr(Schema.Number).annotate({
    description: "On its way to the backend since; null while it waits."
  }),
  returned: Schema.Int.annotate({ description: "How often the backend returned it." }),
  inDoubt: Schema.Boolean.annotate({ description: "It waits, and may yet have arrived before the session ended." })
}).annotate({ identifier: "WaitingPrompt" })

/** Prompts. */
export class PromptsApi extends HttpApiGroup.make("prompts")
  .add(
    HttpApiEndpoint.get("list", "/sessions/:sessionId/prompts", {
      params: ofSession,
      query: paged(100, 100),
      success: Schema.Struct({ prompts: Schema.Array(PromptAnswer), ...nextPage }).annotate({
        identifier: "PromptList"
      })
    }).annotateMerge(says("List waiting prompts", "In the order in which they will be delivered.")),
    HttpApiEndpoint.post("send", "/sessions/:sessionId/prompts", {
      params: ofSession,
      payload: Schema.Struct({
        ...said,
        delivery: Schema.optionalKey(Delivery),
        turnId: Schema.optionalKey(
          Schema.String.annotate({ description: "The running turn, which `steer` is about." })
        ),
        ...idempotent
      })
        .check(oneOfBoth)
        .annotate({ identifier: "NewPrompt", examples: [{ text: "Run the tests and fix what fails" }] }),
      success: CreatedAnswer
    }).annotateMerge(
      says(
        "Send a prompt",
        "`queue` (the default): after the running turn. `steer`: into it. Its id is the receipt's `commandId`."
      )
    ),
    HttpApiEndpoint.patch("edit", "/sessions/:sessionId/prompts/:promptId", {
      params: ofPrompt,
      payload: Schema.Struct({ ...said, ...idempotent })
        .check(oneOfBoth)
        .annotate({ identifier: "EditedPrompt" }),
      success: ReceiptAnswer
    }).annotateMerge(says("Change a waiting prompt")),
    HttpApiEndpoint.delete("withdraw", "/sessions/:sessionId/prompts/:promptId", {
      params: ofPrompt,
      query: { reason: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(10_000))), ...idempotent },
      success: ReceiptAnswer
    }).annotateMerge(says("Withdraw a waiting prompt"))
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Prompts", description: "What an agent is asked." })) {}
