/**
 * Who knows a repository's credentials: the host. A sandbox asks for them operation by operation, holds them in memory for as
 * long as the operation lasts, and has none in between.
 */
import type { SessionId } from "@holdfast/core"
import { Effect, Schema } from "effect"

/** What the credentials are for: `fetch` and `push` speak git, `api` speaks to the forge and never leaves the host. */
export type CredentialOperation = "fetch" | "push" | "api"

/** Credentials for HTTP. Forges take a token as the password. Neither part may have a line break or a NUL in it. */
export interface GitCredentials {
  readonly username: string
  readonly password: string
}

/** What is asked for. */
export interface CredentialRequest {
  readonly sessionId: SessionId
  readonly operation: CredentialOperation
  /** The repository's URL as the workspace's spec has it: without credentials. */
  readonly repository: string
}

/** The broker could not tell: its vault does not answer. */
export class CredentialsUnavailable extends Schema.TaggedError<CredentialsUnavailable>(
  "@holdfast/git/CredentialsUnavailable"
)("CredentialsUnavailable", {
  repository: Schema.String,
  /** What happened and what to do, for people. Never a credential. */
  detail: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message() {
    return `The credentials for ${this.repository} are not available: ${this.detail}`
  }
}

/**
 * Gives credentials for one operation on one repository, or null where there are none; on the host. A request comes from a
 * sandbox, which is not trusted: give what is good for this repository alone and for minutes only, where the forge can make it.
 */
export interface CredentialBroker {
  readonly credentials: (request: CredentialRequest) => Effect.Effect<GitCredentials | null, CredentialsUnavailable>
}

/**
 * How a workspace gets credentials, inside the sandbox: once for each operation, and only when the server asks for them. Null
 * where there are none.
 */
export type AskCredentials = (request: {
  readonly operation: "fetch" | "push"
  readonly repository: string
}) => Effect.Effect<GitCredentials | null>

/** A broker that has none: for public repositories and local ones. */
export const noCredentials: CredentialBroker = { credentials: () => Effect.succeed(null) }
