/** Commits of all that was changed, in somebody's name. */
import type { CommitAuthor } from "@holdfast/core"
import { Effect, Schedule } from "effect"
import { createHash } from "node:crypto"
import { fileStep, isThere } from "./FileStep.ts"
import { type GitError, gitError } from "./GitError.ts"
import { inRepository, resolve, type WorkspaceRepository } from "./WorkspaceRepository.ts"

const operation = "commit"

/** Waits for another git to be done with the index, which takes it a moment: 20 tries in 5 s. */
const whileBusy = { schedule: Schedule.spaced(250), times: 20, while: (error: GitError) => error.failure === "busy" }

/** Who commits where nobody is named. */
const nobody: CommitAuthor = { name: "Holdfast" }

/** Of people who gave none: no mail arrives there, and one person always has the same. */
const addressHost = "users.noreply.holdfast.dev"

/** The mail address that a commit names for an author: their own, else `<name>@users.noreply.holdfast.dev`. */
export const authorEmail = ({ email, name }: CommitAuthor): string => {
  if (email !== undefined) return email
  const plain = name.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase()
  const slug = plain
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 64)
  // A name without Latin letters: a number that stands for it.
  return `${slug === "" ? createHash("sha256").update(name).digest("hex").slice(0, 12) : slug}@${addressHost}`
}

/** git takes these out of names and addresses itself, and then fails where nothing is left. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const clean = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f<>]+/g, " ").trim()

/** Commits all changes on the branch that is checked out; null where there are none. */
export const commitAll = Effect.fnUntraced(function* (
  repository: WorkspaceRepository,
  message: string,
  author: CommitAuthor = nobody
): Effect.fn.Return<string | null, GitError> {
  const name = clean(author.name)
  const email = clean(authorEmail(author))
  if (name === "" || email === "") {
    return yield* gitError(
      operation,
      "invalid",
      "expected an author with a name and, if any, an address that is not empty"
    )
  }
  if (message.trim() === "" || message.includes("\0")) {
    return yield* gitError(operation, "invalid", "expected a message that is not empty and has no NUL in it")
  }
  const unmerged = yield* inRepository(repository, operation, ["ls-files", "--unmerged", "-z"], { maxOutput: 1 })
  if (unmerged.stdout.byteLength > 0) {
    return yield* gitError(operation, "unfinished", "a merge has conflicts: resolve and add them first")
  }
  yield* Effect.retry(inRepository(repository, operation, ["add", "--all"]), whileBusy)
  const staged = yield* inRepository(repository, operation, ["diff", "--cached", "--quiet", "--no-ext-diff"], {
    codes: [0, 1]
  })
  // The end of a merge is worth a commit also where it changes nothing.
  if (staged.exitCode === 0 && !(yield* fileStep(operation, () => isThere(repository.ownPath("MERGE_HEAD")))))
    return null
  const values = {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email
  }
  const args = ["commit", "--quiet", "--no-verify", "--cleanup=whitespace", "--file=-"]
  yield* Effect.retry(inRepository(repository, operation, args, { values, stdin: message }), whileBusy)
  return yield* resolve(repository, operation, "HEAD^{commit}")
})
