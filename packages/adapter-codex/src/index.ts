/**
 * Codex threads as a Holdfast backend: `codexBackend`. Sessions run on Codex's own app-server, in core's vocabulary; how its
 * messages become events is a table in docs/agents.md.
 */
export { codexBackend } from "./CodexBackend.ts"
export { type ConfigValue, type CodexOptions, codexRelease, defaultConfig, passedNames } from "./CodexLaunch.ts"
export { type CodexMode, modes as codexModes } from "./CodexModes.ts"
export { codexCapabilities } from "./CodexSession.ts"
export { CodexSpec, RecordedSpec as RecordedCodexSpec } from "./CodexSpec.ts"
