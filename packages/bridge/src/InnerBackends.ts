/** The backends that a bridge can run, each loaded when it is first opened: an idle bridge has none in memory. */
import type { Backend } from "@holdfast/core"

/**
 * The whole environment of the bridge goes to agents' servers: in a sandbox it is there for them, and what the bridge had for
 * itself is taken out of it.
 */
const env = { pass: ["*"] }

const loaders: Readonly<Record<string, () => Promise<Backend>>> = {
  pty: async () => (await import("@holdfast/adapter-pty")).ptyBackend(),
  codex: async () => (await import("@holdfast/adapter-codex")).codexBackend({ env }),
  opencode: async () => (await import("@holdfast/adapter-opencode")).opencodeBackend({ env })
}

/** Their names. */
export const innerBackendNames: ReadonlyArray<string> = Object.keys(loaders)

/** Loads one; undefined where there is none of this name. */
export const loadInnerBackend = async (name: string): Promise<Backend | undefined> =>
  Object.hasOwn(loaders, name) ? loaders[name]!() : undefined
