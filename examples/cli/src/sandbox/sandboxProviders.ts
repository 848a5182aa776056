/** Who makes sandboxes: for the command and for the example server alike. */
import { dockerSandboxes } from "@holdfast/adapter-cloud/docker"
import { processSandboxes } from "@holdfast/adapter-cloud/process"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { bridgeFile } from "./bridgeFile.ts"

/** Where sandboxes of this machine are kept, and what they can see of it. */
export interface SandboxProviderOptions {
  /** Folder of the sandboxes that are processes of this machine. */
  readonly folder: string
  /** Where coding agents are installed: shown to those sandboxes. */
  readonly agentsFolder: string | undefined
}

/** Makes them, by name. Nothing is started, looked for or connected to before one is used. */
export const sandboxProviders = ({
  agentsFolder,
  folder
}: SandboxProviderOptions): {
  readonly [N in "process" | "docker"]: SandboxProvider
} => ({
  process: processSandboxes({
    folder,
    program: [process.execPath, bridgeFile],
    ...(agentsFolder === undefined ? {} : { readable: [agentsFolder] })
  }),
  docker: dockerSandboxes()
})
