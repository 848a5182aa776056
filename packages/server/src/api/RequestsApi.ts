/** Permissions and questions: what an agent asks people. */
import { PermissionOption, PermissionOutcome, Question, QuestionOutcome, RequestId, RequestKind } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { idempotent, nextPage, ofSession, paged, ReceiptAnswer, says } from "./Parameters.ts"

const ofRequest = { ...ofSession, requestId: RequestId }

/** A permission or question that waits for an answer. */
export const RequestAnswer = Schema.Struct({
  requestId: Schema.String,
  kind: RequestKind,
  /** The event that asked; null where it cannot be read any more. */
  seq: Schema.NullOr(Schema.Int),
  /** When it was asked and when its default takes the answer's place, in milliseconds since 1970. */
  at: Schema.NullOr(Schema.Number),
  deadline: Schema.Number,
  owner: Schema.NullOr(Schema.String).annotate({ description: "Who is asked; null where anybody may answer." }),
  turnId: Schema.NullOr(Schema.String),
  title: Schema.NullOr(Schema.String).annotate({ description: "Of a permission." }),
  description: Schema.NullOr(Schema.String),
  options: Schema.Array(PermissionOption).annotate({ description: "Answers that a permission offers." }),
  questions: Schema.Array(Question).annotate({ description: "What is asked together; empty for a permission." })
}).annotate({ identifier: "OpenRequest" })

/** Permissions and questions. */
export class RequestsApi extends HttpApiGroup.make("requests")
  .add(
    HttpApiEndpoint.get("list", "/sessions/:sessionId/requests", {
      params: ofSession,
      query: paged(64, 64),
      success: Schema.Struct({ requests: Schema.Array(RequestAnswer), ...nextPage }).annotate({
        identifier: "RequestList"
      })
    }).annotateMerge(
      says("List open requests", "Permissions and questions that wait for an answer, the oldest first.")
    ),
    HttpApiEndpoint.post("resolve", "/sessions/:sessionId/permissions/:requestId", {
      params: ofRequest,
      payload: Schema.Struct({ outcome: PermissionOutcome, ...idempotent }).annotate({
        identifier: "PermissionAnswer",
        examples: [{ outcome: { outcome: "selected", optionId: "allow" } }]
      }),
      success: ReceiptAnswer
    }).annotateMerge(says("Answer a permission", "The first answer wins; later ones are answered 404.")),
    HttpApiEndpoint.post("answer", "/sessions/:sessionId/questions/:requestId", {
      params: ofRequest,
      payload: Schema.Struct({ outcome: QuestionOutcome, ...idempotent }).annotate({
        identifier: "QuestionAnswer",
        examples: [{ outcome: { outcome: "answered", answers: { framework: ["vitest"] } } }]
      }),
      success: ReceiptAnswer
    }).annotateMerge(says("Answer questions", "All that were asked together. The first answer wins."))
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Requests", description: "Permissions and questions of agents." })) {}
