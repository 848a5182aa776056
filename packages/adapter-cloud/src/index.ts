/**
 * Sessions in sandboxes as a Holdfast backend: `makeCloud` gives the backend and the gateway for its bridges. Providers of
 * sandboxes are entries of their own: `@holdfast/adapter-cloud/process`, `@holdfast/adapter-cloud/docker`.
 */
export * from "./BridgeQuota.ts"
export * from "./CloudBackend.ts"
export * from "./CloudOptions.ts"
export { type CloudSecrets, CloudSpec, RecordedSpec } from "./CloudSpec.ts"
export { defaultSandboxPolicy } from "./lifecycle/SandboxLifecycle.ts"
export type { SandboxPolicy } from "./lifecycle/LifecycleTypes.ts"
export { hashToken, makeSandboxToken, parseSandboxToken, type SandboxToken } from "./SandboxTokens.ts"
