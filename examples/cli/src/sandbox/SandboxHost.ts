/** Who makes sandboxes for a store's sessions: for the commands that look after them. */
import * as Effect from "effect/Effect"
import { exitCodes, Refused } from "../ExitCode.ts"
import { installedAgents } from "../owner/AgentBackends.ts"
import { sandboxPlace } from "../store/StorePath.ts"
import type { CloudProvider } from "./CloudRun.ts"
import type { SandboxHost } from "./FoundSandboxes.ts"

const providersOf = (store: string) =>
  Effect.promise(async () => {
    const { sandboxProviders } = await import("./sandboxProviders.ts")
    return sandboxProviders({ folder: sandboxPlace(store).folder, agentsFolder: installedAgents() })
  })

/** All of them, and by whose name they know the store. */
export const sandboxHost = (store: string): Effect.Effect<SandboxHost> =>
  Effect.map(providersOf(store), ({ docker, process }) => ({
    owner: sandboxPlace(store).owner,
    providers: [process, docker]
  }))

/** Sees to it that what runs in sandboxes is there. */
export const withBridge = Effect.tryPromise({
  try: async () => {
    const { ensureBridge } = await import("./bridgeFile.ts")
    await ensureBridge(() => process.stderr.write("holdfast: building what runs in sandboxes\n"))
  },
  catch: (error) =>
    new Refused({
      code: exitCodes.unavailable,
      detail: `what runs in sandboxes cannot be built: ${error instanceof Error ? error.message : String(error)}`
    })
})

/** Says now, and not after a session was made, why there can be no sandboxes of this kind. */
export const checkProvider = (store: string, name: CloudProvider): Effect.Effect<void, Refused> =>
  Effect.flatMap(Effect.andThen(withBridge, providersOf(store)), (providers) =>
    Effect.mapError(
      providers[name].check,
      ({ detail }) => new Refused({ code: exitCodes.unavailable, detail: `there can be no ${name} sandbox: ${detail}` })
    )
  )
