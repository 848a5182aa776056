/** The git repository that a session works in, where it works in one. */
import { WorkspaceAction, WorkspaceResult } from "@holdfast/core"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { ofSession, says } from "./Parameters.ts"

/** Workspaces that are git repositories. */
export class WorkspaceApi extends HttpApiGroup.make("workspace")
  .add(
    HttpApiEndpoint.post("perform", "/sessions/:sessionId/workspace", {
      params: ofSession,
      payload: WorkspaceAction.annotate({
        identifier: "WorkspaceAction",
        examples: [{ do: "commit", message: "Fix the build" }, { do: "push" }]
      }),
      success: WorkspaceResult.annotate({ identifier: "WorkspaceResult" })
    }).annotateMerge(
      says(
        "Do something with the repository",
        "Commit, push, open a pull request, or look at branches, changed files and the difference to the base branch. Answers " +
          "when it is done. What changes is told as events too. Members only; a commit is the caller's unless it names an author."
      )
    )
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Workspace", description: "The git repository that it works in." })) {}
