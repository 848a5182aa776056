/** Builds the image that containers are made from: what `holdfast sandboxes build` does. */
import { buildLocalImage, buildSandboxImage } from "@holdfast/adapter-cloud/docker"
import * as Effect from "effect/Effect"
import { usage } from "../ExitCode.ts"
import { makeLiveLine } from "../output/LiveLine.ts"
import { json as printJson, line } from "../output/Output.ts"
import { bridgeFile } from "./bridgeFile.ts"
import { refuse } from "./KeepSandboxes.ts"
import { withBridge } from "./SandboxHost.ts"

/** What to build it from. */
export interface BuildImageOptions {
  readonly json: boolean
  readonly base: string
  /** From this machine's own programs. */
  readonly local: boolean
  /** npm packages of coding agents. */
  readonly agent: ReadonlyArray<string>
  readonly name: string
}

/** Builds it, which takes up to some minutes, and says its name. */
export const buildImage = Effect.fnUntraced(function* ({ agent, base, json, local, name }: BuildImageOptions) {
  if (local && agent.length > 0)
    return yield* usage("--agent is installed by npm: it goes with --base, and not with --local")
  yield* withBridge
  const image = yield* Effect.scoped(
    Effect.gen(function* () {
      const say = yield* makeLiveLine
      yield* say(local ? `building ${name} from this machine's programs` : `building ${name} from ${base}`)
      return yield* local
        ? buildLocalImage({ program: bridgeFile, name })
        : buildSandboxImage({ program: bridgeFile, base, name, ...(agent.length === 0 ? {} : { agents: agent }) })
    })
  ).pipe(Effect.mapError(refuse))
  yield* json ? printJson({ image }) : line(`Built ${image}`)
})
