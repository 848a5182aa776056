/** The bridge's repository, by `@holdfast/git`. */
import { Effect } from "effect"
import { WorkspaceFailed, type WorkspacePreparer } from "./Workspace.ts"

const missing = Effect.fail(
  new WorkspaceFailed({ reason: "this sandbox has no repository", retryable: false, field: "workspace" })
)

/** Makes a preparer for a folder. */
export const makeGitPreparer = (): WorkspacePreparer => ({
  prepare: () => missing,
  act: () => missing,
  authorIs: () => Effect.void
})
