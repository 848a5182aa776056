/** Which forge a repository is on. */
import type { SessionId } from "@holdfast/core"
import type { CredentialBroker } from "./CredentialBroker.ts"
import type { Forge } from "./Forge.ts"
import { gitHubRepository, makeGitHubForge } from "./GitHubForge.ts"

/** How forges are found and used. */
export interface ForgeOptions {
  readonly sessionId: SessionId
  /** Asked with the operation `api`: the password is the token. */
  readonly broker: CredentialBroker
  /**
   * API URLs of GitHub by the origin of its repositories, beside `https://github.com`:
   * `{ "https://git.acme.example": "https://git.acme.example/api/v3" }`.
   */
  readonly gitHub?: Readonly<Record<string, string>>
}

const knownGitHub: Readonly<Record<string, string>> = { "https://github.com": "https://api.github.com" }

/** The forge of a repository; undefined where it is on none that is known: a path, or another server. */
export const forgeOf = (repository: string, { broker, gitHub, sessionId }: ForgeOptions): Forge | undefined => {
  const found = gitHubRepository(repository)
  const apiUrl =
    found === undefined ? undefined : new Map(Object.entries({ ...knownGitHub, ...gitHub })).get(found.origin)
  if (found === undefined || apiUrl === undefined) return undefined
  return makeGitHubForge({ repository, owner: found.owner, name: found.name, apiUrl, broker, sessionId })
}
