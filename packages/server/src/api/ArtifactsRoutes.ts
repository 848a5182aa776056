/** What the endpoints of {@link ArtifactsApi} do. */
import { type ArtifactId, makeCommandId } from "@holdfast/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageOf, send, stateFor } from "./Answers.ts"
import { HoldfastApi } from "./HoldfastApi.ts"

export const artifactsRoutes = HttpApiBuilder.group(HoldfastApi, "artifacts", (handlers) =>
  handlers.handleAll({
    list: Effect.fnUntraced(function* ({ params, query }) {
      const { state } = yield* stateFor(params.sessionId)
      const all = Object.entries(state.artifacts).map(([artifactId, artifact]) => ({ artifactId, artifact }))
      const { page, ...next } = yield* pageOf(all, ({ artifactId }) => artifactId, query, 100)
      return { artifacts: page, ...next }
    }),
    add: ({ params, payload: { artifact, artifactId, commandId = makeCommandId() } }) =>
      send(
        params.sessionId,
        { type: "artifact.add", data: { artifactId: artifactId ?? (commandId as string as ArtifactId), artifact } },
        commandId
      ),
    update: ({ params: { artifactId, sessionId }, payload: { artifact, commandId } }) =>
      send(sessionId, { type: "artifact.update", data: { artifactId, artifact } }, commandId)
  })
)
