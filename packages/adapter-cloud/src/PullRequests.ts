/**
 * Pull requests of cloud sessions: pushed in the sandbox, opened and looked after on the host, where the forge's credentials are.
 */
import {
  type Backend,
  type BackendCommand,
  type BackendLost,
  BackendRefused,
  type Performed,
  type SessionState,
  type WorkspaceAction
} from "@holdfast/core"
import { type Forge, pullRequestArtifact } from "@holdfast/git"
import { Effect } from "effect"
import type { CloudGeneration } from "./CloudGeneration.ts"
import { makePullRequestRefresher, pullRequestArtifactId } from "./PullRequestRefresh.ts"

/** How often an open one is asked for while somebody looks, in milliseconds, unless the host says otherwise. */
const defaultPollMs = 60_000

type PullRequestAction = Extract<WorkspaceAction, { readonly do: "pullRequest" }>

/** Asks the bridge. */
type Ask = (
  command: Extract<BackendCommand, { readonly type: "workspace" }>
) => Effect.Effect<Performed, BackendRefused | BackendLost>

/** Opens pull requests and looks after them. */
export interface PullRequests {
  /** Pushes, then opens one, or updates the open one that the branch has; tells of it as an artifact of the session. */
  readonly open: (
    generation: CloudGeneration,
    action: PullRequestAction,
    ask: Ask
  ) => Effect.Effect<Performed, BackendRefused | BackendLost>
  /** See `Backend.refresh`. */
  readonly refresh: NonNullable<Backend["refresh"]>
}

/** Makes them over the forges of a host. `repositoryOf` reads it off a spec as the log has it. */
export const makePullRequests = (
  forgeOf: ((repository: string, sessionId: string) => Forge | undefined) | undefined,
  repositoryOf: (state: SessionState) => Effect.Effect<string | undefined>,
  pollMs = defaultPollMs
): PullRequests => {
  const refresher = makePullRequestRefresher(pollMs)
  return {
    refresh: Effect.fnUntraced(function* (state, isRepeat) {
      const repository = yield* repositoryOf(state)
      const forge = repository === undefined ? undefined : forgeOf?.(repository, state.sessionId)
      return forge === undefined ? { artifacts: [] } : yield* refresher.refresh(state, forge, isRepeat)
    }),
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
      const opening = forge
        .openPullRequest({
          branch: pushed.branch,
          base,
          title,
          ...(body === undefined ? {} : { body }),
          ...(draft === undefined ? {} : { draft })
        })
        .pipe(
          Effect.mapError((error) => refuse(error.message, error.retryable)),
          Effect.tap((opened) =>
            generation.tell({
              type: opened.isNew ? "artifact.added" : "artifact.updated",
              data: { artifactId: pullRequestArtifactId(opened.number), artifact: pullRequestArtifact(opened) }
            })
          )
        )
      const { number, url } = yield* refresher.changing(request.sessionId, opening, generation.stored)
      return { workspace: { done: "pullRequest", artifactId: pullRequestArtifactId(number), url, number } }
    })
  }
}
