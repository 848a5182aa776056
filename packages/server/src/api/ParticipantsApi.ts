/** Who takes part in a session. */
import { ParticipantId, Role } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { CreatedAnswer, idempotent, nextPage, ofSession, paged, ReceiptAnswer, says } from "./Parameters.ts"

const ofParticipant = { ...ofSession, participantId: ParticipantId }
const name = Schema.String.check(Schema.isMaxLength(1_000))

/** Somebody who takes part, or did. */
export const ParticipantAnswer = Schema.Struct({
  participantId: Schema.String,
  name: Schema.String,
  role: Role,
  present: Schema.Boolean.annotate({ description: "False once they left." })
}).annotate({ identifier: "Participant" })

/** Participants. */
export class ParticipantsApi extends HttpApiGroup.make("participants")
  .add(
    HttpApiEndpoint.get("list", "/sessions/:sessionId/participants", {
      params: ofSession,
      query: paged(1_000, 100),
      success: Schema.Struct({ participants: Schema.Array(ParticipantAnswer), ...nextPage }).annotate({
        identifier: "ParticipantList"
      })
    }).annotateMerge(says("List who takes part", "In the order in which they joined.")),
    HttpApiEndpoint.post("join", "/sessions/:sessionId/participants", {
      params: ofSession,
      payload: Schema.Struct({ participantId: ParticipantId, name, role: Role, ...idempotent }).annotate({
        identifier: "NewParticipant",
        examples: [{ participantId: ParticipantId.make("ada"), name: "Ada", role: "member" }]
      }),
      success: CreatedAnswer
    }).annotateMerge(
      says("Add somebody", "Whoever is not added joins by themselves, with their token's role, at their first command.")
    ),
    HttpApiEndpoint.patch("change", "/sessions/:sessionId/participants/:participantId", {
      params: ofParticipant,
      payload: Schema.Struct({ name: Schema.optionalKey(name), role: Schema.optionalKey(Role), ...idempotent }),
      success: ReceiptAnswer
    }).annotateMerge(says("Change name or role")),
    HttpApiEndpoint.delete("leave", "/sessions/:sessionId/participants/:participantId", {
      params: ofParticipant,
      query: idempotent,
      success: ReceiptAnswer
    }).annotateMerge(
      says("Leave, or make somebody leave", "Who was made to leave comes back only when an owner adds them.")
    )
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Participants", description: "Who takes part, and as what." })) {}
