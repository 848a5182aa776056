/** Where pull requests are: the service around a repository. Used on the host; its credentials never reach a sandbox. */
import type { Artifact } from "@holdfast/core"
import { type Effect, Schema } from "effect"
import type { CredentialsUnavailable } from "./CredentialBroker.ts"

/** Where a pull request stands, as an artifact's state says it. */
export type PullRequestState = "open" | "draft" | "merged" | "closed"

/** A pull request. */
export interface PullRequest {
  readonly number: number
  /** Its page, for people. */
  readonly url: string
  readonly title: string
  readonly state: PullRequestState
  /** The branch with the work. */
  readonly branch: string
  /** The branch that it is to go into. */
  readonly base: string
  /** The commit that the forge has of `branch`. */
  readonly sha: string
}

/** A pull request since it was asked for the last time. */
export interface PullRequestRefresh {
  /** Null where it is as it was. */
  readonly pullRequest: PullRequest | null
  /** What to ask with the next time; undefined where the forge has no such thing. */
  readonly version: string | undefined
}

/** What to open. */
export interface PullRequestContent {
  readonly branch: string
  readonly base: string
  readonly title: string
  /** Left as it is where a pull request is updated and none is given. */
  readonly body?: string
  /** Only when it is opened: an open one keeps what it is. */
  readonly draft?: boolean
}

/** Why a forge could not do it. */
export const ForgeFailure = Schema.Literals([
  /** There are no credentials, or the forge does not take them. */
  "unauthorized",
  /** The credentials do not allow it. */
  "forbidden",
  /** No such repository or pull request, or not for these credentials. */
  "not_found",
  /** The forge refuses the content: no commits between the branches, a branch that it does not have. */
  "invalid",
  "rate_limited",
  /** It cannot be reached, or had an error of its own. */
  "unavailable",
  "timeout",
  /** It answered what this version does not understand. */
  "unexpected"
])
export type ForgeFailure = typeof ForgeFailure.Type

/** A forge's error. */
export class ForgeError extends Schema.TaggedError<ForgeError>("@holdfast/git/ForgeError")("ForgeError", {
  forge: Schema.String,
  /** What was asked: `open`, `state`, `find`, `list`. */
  operation: Schema.String,
  failure: ForgeFailure,
  /** What happened and what to do about it, for people. Never a credential. */
  detail: Schema.String,
  /** Whether the same request can succeed later. */
  retryable: Schema.Boolean,
  /** Not before then, in milliseconds since 1970, where the forge said so. */
  retryAt: Schema.optionalKey(Schema.Number)
}) {
  override get message() {
    return `${this.forge} could not ${this.operation}: ${this.detail}`
  }
}

type Answer<A> = Effect.Effect<A, ForgeError | CredentialsUnavailable>

/** The pull requests of one repository. Each call has a deadline and is not retried in here. */
export interface Forge {
  /** `github`. */
  readonly name: string
  /** The repository as its spec has it. */
  readonly repository: string
  /** Opens a pull request for a branch, or updates title and body of the open one that it has. */
  readonly openPullRequest: (content: PullRequestContent) => Answer<PullRequest & { readonly isNew: boolean }>
  readonly pullRequest: (number: number) => Answer<PullRequest>
  /**
   * The same for who asks again and again: with the `version` of the last answer it costs the forge, and its limit, next to nothing
   * as long as nothing has changed.
   */
  readonly refreshPullRequest: (number: number, version?: string) => Answer<PullRequestRefresh>
  /** The open pull request of a branch, else the newest of those that are over; null where it has had none. */
  readonly findPullRequest: (branch: string) => Answer<PullRequest | null>
  /** The newest first, at most `limit`: default 100, at most 1,000. */
  readonly listPullRequests: (options?: {
    readonly state?: "open" | "closed" | "all"
    readonly limit?: number
  }) => Answer<ReadonlyArray<PullRequest>>
}

/** A pull request as an artifact of a session. */
export const pullRequestArtifact = ({ number, state, title, url }: PullRequest): Artifact => ({
  kind: "pull_request",
  title: `#${number} ${title}`,
  url,
  state
})
