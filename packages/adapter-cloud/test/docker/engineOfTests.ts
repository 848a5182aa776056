/** The container engine of a test file, with the image of its sandboxes. */
import { type ContainerEngine, makeContainerEngine } from "@holdfast/testkit"
import { Effect, type Scope } from "effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildLocalImage, type DockerSandboxesOptions } from "../../src/docker.ts"

/** Options for providers on the engine. The machine's own limits may be lower than what an engine gives by itself. */
export const sandboxesOn = (engine: ContainerEngine): DockerSandboxesOptions => ({
  engine: { socketPath: engine.socketPath },
  ulimits: [
    { name: "nofile", soft: 4_096, hard: 4_096 },
    { name: "nproc", soft: 4_096, hard: 4_096 }
  ]
})

/** A file that stands where the bridge would. */
export const standInFile = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-stand-in-"))
    const file = join(folder, "stand-in.mjs")
    await writeFile(file, `console.log("stands in")\nsetInterval(() => undefined, 1_000_000)\n`)
    return { folder, file }
  }),
  ({ folder }) => Effect.promise(() => rm(folder, { recursive: true }))
).pipe(Effect.map(({ file }) => file))

/** Starts an engine and makes `holdfast/sandbox` in it. */
export const engineWithImage: Effect.Effect<ContainerEngine, unknown, Scope.Scope> = Effect.gen(function* () {
  const engine = yield* makeContainerEngine
  const program = yield* standInFile
  yield* buildLocalImage({ engine: { socketPath: engine.socketPath }, program })
  return engine
})
