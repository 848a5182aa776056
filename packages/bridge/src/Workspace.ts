/** What a bridge needs of a repository: made ready before the inner backend is opened, and worked with after. */
import type { BackendEvent, CommitAuthor, SessionId, WorkspaceAction, WorkspaceResult } from "@holdfast/core"
import { Schema } from "effect"
import type { Effect } from "effect"
import type { WorkspaceSpec } from "@holdfast/core/cloud"

/** The repository cannot be made ready, or will not do it. */
export class WorkspaceFailed extends Schema.TaggedError<WorkspaceFailed>("@holdfast/bridge/WorkspaceFailed")(
  "WorkspaceFailed",
  {
    reason: Schema.String,
    retryable: Schema.Boolean,
    /** Of a spec: the field that is wrong, as `repository`. */
    field: Schema.optionalKey(Schema.String)
  }
) {
  override get message() {
    return this.reason
  }
}

/** What came of an action, and what it has to be told as. */
export interface WorkspaceOutcome {
  readonly result: WorkspaceResult
  readonly events: ReadonlyArray<BackendEvent>
}

/** The repositories of a bridge's one folder. */
export interface WorkspacePreparer {
  /**
   * Makes the folder ready: cloned, or fetched where it is there already, on the session's own branch. Lines for people are
   * told as it goes; the events are told once the inner backend is open.
   */
  readonly prepare: (
    spec: WorkspaceSpec,
    sessionId: SessionId,
    say: (line: string) => void
  ) => Effect.Effect<ReadonlyArray<BackendEvent>, WorkspaceFailed>
  /** The same of a folder that the session has brought, which is taken as it is: nothing is fetched. */
  readonly adopt: (
    spec: WorkspaceSpec,
    sessionId: SessionId
  ) => Effect.Effect<ReadonlyArray<BackendEvent>, WorkspaceFailed>
  /** Does something with the repository that was made ready. */
  readonly act: (action: WorkspaceAction) => Effect.Effect<WorkspaceOutcome, WorkspaceFailed>
  /** Commits from now on are this person's, unless they say otherwise. */
  readonly authorIs: (author: CommitAuthor) => Effect.Effect<void>
}
