/**
 * Git repositories that sessions work in, credentials that are brokered for each operation, and pull requests on forges.
 * `docs/git.md` says what is isolated from what.
 */
export * from "./CredentialBroker.ts"
export * from "./Forge.ts"
export { GitError, GitFailure, PushRefusal, PushRefused } from "./GitError.ts"
export * from "./GitWorkspace.ts"
export * from "./PackedWorkspace.ts"
export * from "./tokenCredentials.ts"
export { authorEmail } from "./WorkspaceCommit.ts"
export { adoptWorkspace } from "./adoptWorkspace.ts"
export { openWorkspace } from "./openWorkspace.ts"
export { prepareWorkspace } from "./prepareWorkspace.ts"
export * from "./movedWorkspaces.ts"
export { packWorkspace } from "./packWorkspace.ts"
export { unpackWorkspace } from "./unpackWorkspace.ts"
export * from "./forgeOf.ts"
