/** What can go wrong with a repository, for people and for programs. */
import { Schema } from "effect"

/** Why something could not be done. */
export const GitFailure = Schema.Literals([
  /** What was asked for is not valid: a URL with a password, a branch with a bad name, a path outside. */
  "invalid",
  /** There is no git, or one older than 2.32. */
  "git_missing",
  /** The server does not have the repository, or does not show it without credentials. */
  "repository_missing",
  /** The server wants credentials and there are none, or refuses those that it got. */
  "credentials_refused",
  /** The repository does not have the branch to begin from. */
  "base_missing",
  /** The session's branch cannot be made: another branch's name or local changes are in its way. */
  "branch_conflict",
  /** The workspace is not on the session's branch. */
  "other_branch",
  /** The folder has something else in it. */
  "folder_taken",
  /** A merge is not resolved, or a rebase is under way. */
  "unfinished",
  /** Another git works in the repository. */
  "busy",
  "disk_full",
  /** The server cannot be reached, or had an error of its own. */
  "network",
  "timeout",
  /** More than the bound allows. */
  "too_large",
  /** A packed workspace that was not made by {@link packWorkspace}, or has been damaged. */
  "malformed",
  /** Anything else: `detail` has git's own words. */
  "failed"
])
export type GitFailure = typeof GitFailure.Type

/** Failures after which the same can succeed later without anybody changing anything. */
const retryableFailures: ReadonlySet<GitFailure> = new Set<GitFailure>(["busy", "network", "timeout"])

/** An operation on a repository that failed. Nothing of it is half done: a workspace that was there is as it was. */
export class GitError extends Schema.TaggedError<GitError>("@holdfast/git/GitError")("GitError", {
  /** What was asked: `prepare`, `commit`, `push`, `pack` … */
  operation: Schema.String,
  failure: GitFailure,
  /** What happened and what to do about it, for people. Never a credential. */
  detail: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message() {
    return `git could not ${this.operation}: ${this.detail}`
  }
}

/** Makes the error; whether it is retryable comes from the failure. */
export const gitError = (operation: string, failure: GitFailure, detail: string): GitError =>
  new GitError({ operation, failure, detail, retryable: retryableFailures.has(failure) })

/** Why a server did not take a push. */
export const PushRefusal = Schema.Literals([
  /** The remote branch has commits that the workspace does not: fetch and merge, or push with `force`. */
  "non_fast_forward",
  /** The remote branch is not where it was last seen, so that even a forced push would take away what nobody looked at. */
  "stale",
  /** The branch is protected, or a hook of the server refused. */
  "declined"
])
export type PushRefusal = typeof PushRefusal.Type

/** The server has not taken the push. The commits are still in the workspace. */
export class PushRefused extends Schema.TaggedError<PushRefused>("@holdfast/git/PushRefused")("PushRefused", {
  branch: Schema.String,
  refusal: PushRefusal,
  /** The server's own words, at most 4,000 characters. Never trust them. */
  remote: Schema.String,
  retryable: Schema.Literal(false)
}) {
  override get message() {
    return `The push of ${this.branch} was refused (${refusalAdvice[this.refusal]}): ${this.remote}`
  }
}

const refusalAdvice: Readonly<Record<PushRefusal, string>> = {
  non_fast_forward: "the remote branch has commits that are not here: merge them, or push by force",
  stale: "the remote branch has moved since it was last seen: fetch it first",
  declined: "the server's rules do not allow it: push another branch, or change the rules"
}
