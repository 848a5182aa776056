/** The whole HTTP API, from which the OpenAPI document is made. */
import { HttpApi, OpenApi } from "effect/http-api"
import { ArtifactsApi } from "./ArtifactsApi.ts"
import { AuthApi, SignInApi } from "./AuthApi.ts"
import { FilesApi } from "./FilesApi.ts"
import { LogApi } from "./LogApi.ts"
import { completeDocument } from "./OpenApiDocument.ts"
import { ParticipantsApi } from "./ParticipantsApi.ts"
import { Problems } from "./Problems.ts"
import { PromptsApi } from "./PromptsApi.ts"
import { RequestsApi } from "./RequestsApi.ts"
import { HealthApi, ServerApi } from "./ServerApi.ts"
import { SessionsApi } from "./SessionsApi.ts"
import { WorkspaceApi } from "./WorkspaceApi.ts"

const document = (spec: Record<string, unknown>): Record<string, unknown> =>
  completeDocument(HoldfastApi as unknown as HttpApi.Top, spec as never) as never

/** Everything over HTTP but the live connection. */
export class HoldfastApi extends HttpApi.make("holdfast")
  .add(ServerApi)
  .add(SessionsApi)
  .add(PromptsApi)
  .add(RequestsApi)
  .add(ParticipantsApi)
  .add(ArtifactsApi)
  .add(LogApi)
  .add(FilesApi)
  .add(WorkspaceApi)
  .add(SignInApi)
  .add(AuthApi)
  .add(HealthApi)
  .middleware(Problems)
  .annotateMerge(
    OpenApi.annotations({
      transform: document,
      title: "Holdfast",
      version: "1",
      description:
        "Coding-agent sessions: every one a durable log. Whatever changes something takes a `commandId`, which makes a repeat " +
        "harmless. Errors are problem details (RFC 9457). Live connections are described in `docs/protocol.md`."
    })
  ) {}
