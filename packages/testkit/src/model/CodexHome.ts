import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type AgentHome, modelKey } from "./AgentHome.ts"

/** A setting of Codex's `config.toml`. */
export type CodexSetting = string | number | boolean | ReadonlyArray<string>

/** Options of {@link writeCodexHome}. */
export interface CodexHomeOptions {
  /**
   * Made if need be. Not below the system's folder for temporary files: Codex then refuses to make the programs with which
   * it runs commands and patches in a sandbox, and all of them fail unless the session has full access.
   */
  readonly folder: string
  /** The provider's base address, such as the `url` of a scripted model. */
  readonly url: string
  /** Default `scripted-model`. */
  readonly model?: string
  /** Tokens that the model takes; Codex compacts a history by itself when it comes near. Default 128,000. */
  readonly contextWindow?: number
  /** Retries of a call that failed, and of a stream that broke. Default 0; Codex's own defaults are 4 and 5. */
  readonly retries?: { readonly request?: number; readonly stream?: number }
  /**
   * Further settings, by their dotted names, over those of this function:
   * `{ "features.default_mode_request_user_input": true, approval_policy: "untrusted" }`.
   */
  readonly settings?: Readonly<Record<string, CodexSetting>>
}

/** The variable that the provider's key is in. */
export const modelKeyName = "HOLDFAST_MODEL_KEY"

/** TOML has JSON's strings, numbers, booleans and arrays of strings, but for one control character that JSON leaves as it is. */
const toml = (value: CodexSetting) => JSON.stringify(value).replaceAll("\u007F", "\\u007F")

/**
 * Writes a `CODEX_HOME` whose only provider is the given address: no retries, no contact to any other place, no login shell,
 * and a catalogue with one model, so that Codex offers it plain tools with `apply_patch`. The environment is what Codex needs
 * beside `PATH` and `HOME`; commands of the model do not get the key in it. Throws Node's error when the files cannot be written.
 */
export const writeCodexHome = (options: CodexHomeOptions): AgentHome => {
  const { contextWindow = 128_000, folder, model = "scripted-model", retries = {}, settings, url } = options
  const catalogue = join(folder, "models.json")
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    catalogue,
    JSON.stringify({
      models: [
        {
          slug: model,
          display_name: model,
          supported_reasoning_levels: [],
          shell_type: "unified_exec",
          visibility: "list",
          supported_in_api: true,
          priority: 1,
          support_verbosity: false,
          truncation_policy: { mode: "tokens", limit: 10_000 },
          experimental_supported_tools: [],
          base_instructions: "You are a scripted model.",
          apply_patch_tool_type: "freeform",
          context_window: contextWindow
        }
      ]
    })
  )
  const all: Readonly<Record<string, CodexSetting>> = {
    model,
    model_provider: "holdfast",
    model_catalog_json: catalogue,
    allow_login_shell: false,
    "analytics.enabled": false,
    // It would ask GitHub and ChatGPT for them at each start.
    "features.plugins": false,
    "features.shell_snapshot": false,
    // Otherwise an address where nobody listens is tried for ever, whatever the retries are.
    "features.unbounded_connection_retries": false,
    "shell_environment_policy.ignore_default_excludes": false,
    "model_providers.holdfast.name": "Holdfast",
    "model_providers.holdfast.base_url": url,
    "model_providers.holdfast.wire_api": "responses",
    "model_providers.holdfast.env_key": modelKeyName,
    "model_providers.holdfast.request_max_retries": retries.request ?? 0,
    "model_providers.holdfast.stream_max_retries": retries.stream ?? 0,
    "model_providers.holdfast.stream_idle_timeout_ms": 300_000,
    ...settings
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${toml(value)}\n`)
  writeFileSync(join(folder, "config.toml"), lines.join(""))
  return { folder, environment: { CODEX_HOME: folder, [modelKeyName]: modelKey } }
}
