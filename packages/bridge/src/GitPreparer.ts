/** The bridge's repository, by `@holdfast/git`: its credentials are asked of the host, for each operation anew. */
import type { BackendEvent, CommitAuthor, WorkspaceAction } from "@holdfast/core"
import {
  adoptWorkspace,
  authorEmail,
  type GitError,
  type GitWorkspace,
  prepareWorkspace,
  type PushRefused
} from "@holdfast/git"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import type { BridgeSettings } from "./BridgeSettings.ts"
import type { CredentialAsker } from "./Credentials.ts"
import { WorkspaceFailed, type WorkspaceOutcome, type WorkspacePreparer } from "./Workspace.ts"

/** Milliseconds that writing two lines of a configuration may take. */
const configureMs = 10_000

const refused = (error: GitError | PushRefused) =>
  new WorkspaceFailed({
    reason: error._tag === "GitError" ? error.detail : error.message,
    retryable: error.retryable
  })

/** Where the fault is in the spec, the field is named; what is of another making can be tried again or not. */
const fieldOf: Readonly<Partial<Record<GitError["failure"], string>>> = {
  invalid: "repository",
  repository_missing: "repository",
  credentials_refused: "repository",
  base_missing: "base",
  branch_conflict: "branch",
  folder_taken: "repository"
}

const unprepared = ({ detail, failure, retryable }: GitError) => {
  const field = fieldOf[failure]
  return new WorkspaceFailed({ reason: detail, retryable, ...(field === undefined ? {} : { field }) })
}

const missing = new WorkspaceFailed({ reason: "this sandbox has no repository", retryable: false })

type InSandbox = Exclude<WorkspaceAction, { readonly do: "pullRequest" }>

/** Makes the preparer of a bridge's workspace folder. */
export const makeGitPreparer = (
  { workspace: folder }: Pick<BridgeSettings, "workspace">,
  credentials: CredentialAsker
): WorkspacePreparer => {
  let repository: GitWorkspace | undefined
  let author: CommitAuthor | undefined

  const act = (git: GitWorkspace, action: InSandbox): Effect.Effect<WorkspaceOutcome, GitError | PushRefused> => {
    switch (action.do) {
      case "commit": {
        const { message } = action
        const by = action.author ?? author
        return Effect.map(git.commit(message, by), (sha) => {
          const told: BackendEvent = {
            type: "workspace.committed",
            data: { sha: sha ?? "", message, ...(by === undefined ? {} : { author: by.name }) }
          }
          return { result: { done: "commit", sha }, events: sha === null ? [] : [told] }
        })
      }
      case "push":
        return Effect.map(git.push(action.force === true ? { force: true } : {}), (pushed) => ({
          result: { done: "push", ...pushed },
          events: [{ type: "workspace.pushed", data: pushed }]
        }))
      case "branches":
        return Effect.map(git.branches, (branches) => ({ result: { done: "branches", ...branches }, events: [] }))
      case "changes":
        return Effect.map(git.changes, (changes) => ({ result: { done: "changes", ...changes }, events: [] }))
      case "diff":
        return Effect.map(git.diff(action.path), (diff) => ({ result: { done: "diff", ...diff }, events: [] }))
    }
  }

  const held = (workspace: GitWorkspace): ReadonlyArray<BackendEvent> => {
    repository = workspace
    const { base, branch, isNewBranch } = workspace
    const data = { branch, ...(base === null ? {} : { base }) }
    return isNewBranch ? [{ type: "workspace.branch_created", data }] : []
  }

  return {
    prepare: (spec, sessionId, say) =>
      prepareWorkspace(folder, spec, {
        sessionId,
        credentials: credentials.ask,
        onProgress: (line) => Effect.sync(() => say(line))
      }).pipe(Effect.mapError(unprepared), Effect.map(held)),
    adopt: (spec, sessionId) =>
      adoptWorkspace(folder, spec, { sessionId, credentials: credentials.ask }).pipe(
        Effect.mapError((error) =>
          error.failure === "folder_taken"
            ? new WorkspaceFailed({
                reason: "what the session brings is no git repository",
                retryable: false,
                field: "repository"
              })
            : unprepared(error)
        ),
        Effect.map(held)
      ),
    act: (action) => {
      if (repository === undefined) return Effect.fail(missing)
      // The forge's credentials never leave the host.
      if (action.do === "pullRequest") {
        return Effect.fail(new WorkspaceFailed({ reason: "pull requests are the host's to open", retryable: false }))
      }
      return Effect.mapError(act(repository, action), refused)
    },
    authorIs: (next) =>
      Effect.suspend(() => {
        author = next
        return repository === undefined ? Effect.void : nameCommitter(repository.folder, next)
      })
  }
}

/** Has the agent's own commits be in the name of whoever asked for them: the repository's configuration says so. */
const nameCommitter = (folder: string, author: CommitAuthor): Effect.Effect<void> =>
  Effect.forEach(
    [
      ["user.name", author.name],
      ["user.email", authorEmail(author)]
    ],
    ([name, value]) =>
      Effect.callback<void>((resume) => {
        const child = execFile(
          "git",
          ["-C", folder, "config", "--local", name!, value!],
          { timeout: configureMs, killSignal: "SIGKILL" },
          (error) => resume(error === null ? Effect.void : Effect.logWarning(`git config ${name}: ${error.message}`))
        )
        return Effect.sync(() => child.kill("SIGKILL"))
      }),
    { discard: true }
  )
