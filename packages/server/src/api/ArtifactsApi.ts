/** What a session's work led to: pull requests, files, screenshots, links. */
import { Artifact, ArtifactAnswer, ArtifactId } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { CreatedAnswer, idempotent, nextPage, ofSession, paged, ReceiptAnswer, says } from "./Parameters.ts"

/** Artifacts. */
export class ArtifactsApi extends HttpApiGroup.make("artifacts")
  .add(
    HttpApiEndpoint.get("list", "/sessions/:sessionId/artifacts", {
      params: ofSession,
      query: paged(1_000, 100),
      success: Schema.Struct({
        artifacts: Schema.Array(ArtifactAnswer.annotate({ identifier: "Artifact" })),
        ...nextPage
      }).annotate({ identifier: "ArtifactList" })
    }).annotateMerge(says("List artifacts", "In the order in which they were added.")),
    HttpApiEndpoint.post("add", "/sessions/:sessionId/artifacts", {
      params: ofSession,
      payload: Schema.Struct({
        artifactId: Schema.optionalKey(
          ArtifactId.annotate({ description: "Unique in the session; the command's id unless given." })
        ),
        artifact: Artifact,
        ...idempotent
      }).annotate({
        identifier: "NewArtifact",
        examples: [{ artifact: { kind: "url", title: "Preview", url: "https://preview.example.org/" } }]
      }),
      success: CreatedAnswer
    }).annotateMerge(says("Add an artifact")),
    HttpApiEndpoint.put("update", "/sessions/:sessionId/artifacts/:artifactId", {
      params: { ...ofSession, artifactId: ArtifactId },
      payload: Schema.Struct({ artifact: Artifact, ...idempotent }),
      success: ReceiptAnswer
    }).annotateMerge(says("Replace an artifact"))
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Artifacts", description: "What the work led to." })) {}
