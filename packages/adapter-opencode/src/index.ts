/**
 * Opencode sessions as a Holdfast backend:
 *
 * ```ts
 * const backend = opencodeBackend({ env: { pass: ["ANTHROPIC_API_KEY"] } })
 * const spec: OpencodeSpec = { cwd: "/src/project", model: "anthropic/claude-sonnet-4-5" }
 * ```
 *
 * It runs Opencode's own server, or uses one that runs already, and speaks its HTTP API. Supported is Opencode 1.18.33 up to,
 * and not including, 1.19.
 */
export { type OpencodeBackendOptions, opencodeBackend } from "./OpencodeBackend.ts"
export type { OpencodeAddress } from "./OpencodeClient.ts"
export { opencodeRelease } from "./OpencodeRelease.ts"
export type { OpencodeServerOptions } from "./OpencodeServer.ts"
export { OpencodeSpec } from "./OpencodeSpec.ts"
