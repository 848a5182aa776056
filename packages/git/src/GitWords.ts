/** What git's own words mean (git 2.32 to 2.50, `LC_ALL=C`). */
import type { CredentialPrompt } from "./CredentialPrompt.ts"
import { type GitError, type GitFailure, gitError } from "./GitError.ts"
import type { GitResult } from "./GitProcess.ts"

/** The first that fits counts. */
const meanings: ReadonlyArray<readonly [RegExp, GitFailure, advice: string]> = [
  [/No space left on device|Disk quota exceeded/i, "disk_full", "the disk is full: free space and try again"],
  [
    /Authentication failed|could not read (Username|Password)|told us to quit|returned error: 40[13]/i,
    "credentials_refused",
    "the server does not accept the credentials: give the broker some that may do this"
  ],
  [
    /Repository not found|repository '.*' (not found|does not exist)|does not appear to be a git repository|did you run git update-server-info|returned error: 404/i,
    "repository_missing",
    "there is no such repository, or it is not shown without credentials: check its URL and the broker"
  ],
  [
    /Could not resolve host|Failed to connect|Couldn't connect|Connection (refused|reset|timed out)|Operation timed out|Operation too slow|unable to access 'http|early EOF|unexpected disconnect|hung up unexpectedly|RPC failed|TLS|SSL|bad line length|invalid server response|expected flush/i,
    "network",
    "the server cannot be reached, or the connection broke: try again"
  ],
  [
    /\.lock': File exists|is already locked|Another git process/i,
    "busy",
    "another git works in the repository: try again when it is done, or remove its lock file where none does"
  ],
  [
    /would be overwritten|'refs\/.*' exists; cannot create|cannot lock ref .* (exists|conflict)/i,
    "branch_conflict",
    "a branch or changes in the workspace are in the way: commit them, or name another branch"
  ]
]

/** What git says at the end, in at most 1,000 characters. */
const lastWords = (words: string): string => {
  const lines = words.split(/[\r\n]+/).filter((line) => /^(fatal|error|remote|warning):/.test(line))
  return (lines.length === 0 ? words.trim() : lines.join("; ")).slice(-1_000)
}

const credentialAdvice: Readonly<Record<ReturnType<CredentialPrompt["outcome"]>, string | undefined>> = {
  "not asked": undefined,
  given: undefined,
  late: undefined,
  none: "the server wants credentials, and the broker has none for this repository",
  elsewhere: "another server than the repository's asked for the credentials, and was not given them",
  unusable: "the broker's credentials have a line break in them"
}

/** The error that a run ended with. */
export const errorOf = (operation: string, { words, exitCode }: GitResult, prompt?: CredentialPrompt): GitError => {
  const told = lastWords(words)
  if (prompt?.outcome() === "late")
    return gitError(operation, "timeout", "the broker did not answer in time: try again")
  const refused = prompt === undefined ? undefined : credentialAdvice[prompt.outcome()]
  if (refused !== undefined) return gitError(operation, "credentials_refused", refused)
  for (const [pattern, failure, advice] of meanings) {
    if (pattern.test(words)) return gitError(operation, failure, `${advice} (${told})`)
  }
  return gitError(operation, "failed", told === "" ? `git ended with ${exitCode ?? "a signal"}` : told)
}
