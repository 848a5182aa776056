/** Pull requests of cloud sessions: pushed in the sandbox, opened on the host, where the forge's credentials are. */
import {
  type ArtifactId,
  type BackendCommand,
  type BackendLost,
  BackendRefused,
  type Performed,
  type WorkspaceAction
} from "@holdfast/core"
import { type Forge, pullRequestArtifact } from "@holdfast/git"
import { Effect } from "effect"
import type { CloudGeneration } from "./CloudGeneration.ts"

type PullRequestAction = Extract<WorkspaceAction, { readonly do: "pullRequest" }>

/** Asks the bridge. */
type Ask = (
  command: Extract<BackendCommand, { readonly type: "workspace" }>
) => Effect.Effect<Performed, BackendRefused | BackendLost>

/** Opens pull requests. */
export interface PullRequests {
  /** Pushes, then opens one, or updates the open one that the branch has; tells of it as an artifact of the session. */
  readonly open: (
    generation: CloudGeneration,
    action: PullRequestAction,
    ask: Ask
  ) => Effect.Effect<Performed, BackendRefused | BackendLost>
}

/** Makes them over the forges of a host. */
export const makePullRequests = (
  forgeOf: ((repository: string, sessionId: string) => Forge | undefined) | undefined
): PullRequests => ({
  open: Effect.fnUntraced(function* (generation, { body, draft, title }, ask) {
    const { name, request, spec } = generation
    const refuse = (reason: string, retryable: boolean) =>
      new BackendRefused({ backend: name, command: "workspace", reason, retryable })
    const repository = spec.workspace!.repository
    const forge = forgeOf?.(repository, request.sessionId)
    if (forge === undefined) {
      return yield* refuse(`this host opens no pull requests for ${repository}: it knows no forge of it`, false)
    }
    const pushed = (yield* ask({ type: "workspace", action: { do: "push" } })).workspace
    const branches = (yield* ask({ type: "workspace", action: { do: "branches" } })).workspace
    if (pushed?.done !== "push" || branches?.done !== "branches") {
      return yield* refuse("the sandbox answered something else than was asked", false)
    }
    const base = spec.workspace!.base ?? branches.base
    if (base === null || base === undefined) {
      return yield* refuse(
        "it is not known which branch it should go into: say so as workspace.base of the spec",
        false
      )
    }
    const opened = yield* forge
      .openPullRequest({
        branch: pushed.branch,
        base,
        title,
        ...(body === undefined ? {} : { body }),
        ...(draft === undefined ? {} : { draft })
      })
      .pipe(Effect.mapError((error) => refuse(error.message, error.retryable)))
    const artifactId = `pull-request-${opened.number}` as ArtifactId
    yield* generation.tell({
      type: opened.isNew ? "artifact.added" : "artifact.updated",
      data: { artifactId, artifact: pullRequestArtifact(opened) }
    })
    return { workspace: { done: "pullRequest", artifactId, url: opened.url, number: opened.number } }
  })
})
