/** What people ask of a session's workspace where it is a git repository, and what they are told. */
import * as Schema from "effect/Schema"

const optional = Schema.optionalKey
const text = Schema.String
const line = text.check(Schema.isMinLength(1), Schema.isMaxLength(1_000))

/** Who a commit is by. */
export const CommitAuthor = Schema.Struct({ name: line, email: optional(line) })
export type CommitAuthor = typeof CommitAuthor.Type

/**
 * One thing to do with the repository. What changes it is told as `workspace.*` and `artifact.*` events; the result says the
 * same to who asked.
 */
export const WorkspaceAction = Schema.Union([
  /** Commits all changes; without any, `committed` is null. */
  Schema.Struct({ do: Schema.Literal("commit"), message: line, author: optional(CommitAuthor) }),
  /** Pushes the session's branch. A remote that has gone on refuses it unless `force` (with lease). */
  Schema.Struct({ do: Schema.Literal("push"), force: optional(Schema.Boolean) }),
  Schema.Struct({ do: Schema.Literal("branches") }),
  /** Files that differ from the base branch, uncommitted ones too. */
  Schema.Struct({ do: Schema.Literal("changes") }),
  /** The difference to the base branch as a unified diff, at most 1 MiB. */
  Schema.Struct({ do: Schema.Literal("diff"), path: optional(text) }),
  /** Commits nothing, pushes, and opens a pull request on the forge; or updates the one that the branch has. */
  Schema.Struct({
    do: Schema.Literal("pullRequest"),
    title: line,
    body: optional(text.check(Schema.isMaxLength(65_536))),
    draft: optional(Schema.Boolean)
  })
])
export type WorkspaceAction = typeof WorkspaceAction.Type

/** A file that changed. */
export const WorkspaceChange = Schema.Struct({
  path: text,
  /** Where it was before, if it was renamed. */
  from: optional(text),
  change: Schema.Literals(["added", "modified", "deleted", "renamed", "untracked"]),
  /** Lines, where it is text. */
  added: optional(Schema.Int),
  removed: optional(Schema.Int)
})
export type WorkspaceChange = typeof WorkspaceChange.Type

/** What came of an action. */
export const WorkspaceResult = Schema.Union([
  Schema.Struct({ done: Schema.Literal("commit"), sha: Schema.NullOr(text) }),
  Schema.Struct({ done: Schema.Literal("push"), branch: text, sha: text }),
  Schema.Struct({
    done: Schema.Literal("branches"),
    current: text,
    base: Schema.NullOr(text),
    branches: Schema.Array(text).check(Schema.isMaxLength(10_000))
  }),
  Schema.Struct({
    done: Schema.Literal("changes"),
    changes: Schema.Array(WorkspaceChange).check(Schema.isMaxLength(10_000)),
    truncated: Schema.Boolean
  }),
  Schema.Struct({ done: Schema.Literal("diff"), diff: text, truncated: Schema.Boolean }),
  Schema.Struct({ done: Schema.Literal("pullRequest"), artifactId: text, url: text, number: Schema.Int })
])
export type WorkspaceResult = typeof WorkspaceResult.Type
