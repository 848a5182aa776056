import { mkdirSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { type AgentHome, modelKey } from "./AgentHome.ts"

/** What Opencode does about an action: without asking, never, or after asking. */
export type OpencodeAction = "allow" | "deny" | "ask"

/** Options of {@link writeOpencodeHome}. */
export interface OpencodeHomeOptions {
  /** Made if need be. Everything that Opencode keeps is below it. */
  readonly folder: string
  /** The provider's base address, such as the `url` of a scripted model. */
  readonly url: string
  /** Default `scripted-model`. Opencode names it `holdfast/scripted-model`. */
  readonly model?: string
  /** Tokens that the model takes; Opencode compacts a history by itself when it comes near. Default 128,000. */
  readonly contextWindow?: number
  /** By action, such as `{ bash: "ask", edit: { "*.md": "allow", "*": "ask" } }`. Default: Opencode's own rules. */
  readonly permission?: Readonly<Record<string, OpencodeAction | Readonly<Record<string, OpencodeAction>>>>
  /** Whether the model is asked for a title of each new session, beside its first turn. Default false. */
  readonly titles?: boolean
  /** Further fields of `opencode.json`, over those of this function. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Folders that come before those of `PATH`: that of `rg`, which Opencode would download otherwise. */
  readonly searchPath?: ReadonlyArray<string>
  /** The version of Opencode, whose plugin package is taken for installed. Default 1.18.33. */
  readonly version?: string
}

/**
 * Writes a home for Opencode whose only provider is the given address, and gives the whole environment with which it stays
 * off the network: with this and no other variables 1.18.33 connects to nothing but the loopback interface. The key is in
 * the configuration file, since the model's commands get all of the environment. Throws Node's error when the files cannot
 * be written.
 */
export const writeOpencodeHome = (options: OpencodeHomeOptions): AgentHome => {
  const { contextWindow = 128_000, folder, model = "scripted-model", permission, titles = false, url } = options
  const { searchPath = [], settings, version = "1.18.33" } = options
  const at = (...path: ReadonlyArray<string>) => join(folder, ...path)
  const config = at("config", "opencode")
  // An empty folder of modules and a lock file that names the plugin package: with both, it is not installed in the background.
  for (const path of [at("home"), at("data"), at("state"), at("cache"), at("tmp"), join(config, "node_modules")]) {
    mkdirSync(path, { recursive: true })
  }
  writeFileSync(
    join(config, "package-lock.json"),
    JSON.stringify({
      lockfileVersion: 3,
      packages: { "": { dependencies: { "@opencode-ai/plugin": version } } }
    })
  )
  writeFileSync(
    join(config, "opencode.json"),
    JSON.stringify({
      $schema: "https://opencode.ai/config.json",
      autoupdate: false,
      share: "disabled",
      enabled_providers: ["holdfast"],
      model: `holdfast/${model}`,
      small_model: `holdfast/${model}`,
      ...(permission === undefined ? {} : { permission }),
      ...(titles ? {} : { agent: { title: { disable: true } } }),
      provider: {
        holdfast: {
          npm: "@ai-sdk/openai-compatible",
          name: "Holdfast",
          options: { baseURL: url, apiKey: modelKey },
          models: {
            [model]: {
              name: model,
              reasoning: true,
              tool_call: true,
              interleaved: { field: "reasoning_content" },
              limit: { context: contextWindow, output: 8_192 }
            }
          }
        }
      },
      ...settings
    }),
    { mode: 0o600 }
  )
  const path = [...searchPath, process.env["PATH"] ?? ""].filter((entry) => entry !== "").join(delimiter)
  return {
    folder,
    environment: {
      PATH: path,
      HOME: at("home"),
      XDG_DATA_HOME: at("data"),
      XDG_CONFIG_HOME: at("config"),
      XDG_STATE_HOME: at("state"),
      XDG_CACHE_HOME: at("cache"),
      TMPDIR: at("tmp"),
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
      OPENCODE_DISABLE_SHARE: "1",
      OPENCODE_DISABLE_CLAUDE_CODE: "1",
      OPENCODE_DISABLE_EXTERNAL_SKILLS: "1"
    }
  }
}
