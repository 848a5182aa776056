/**
 * Cloud sessions in real containers for a test file: an engine, an image of this machine's programs with the bridge, and a folder
 * that the tests and all containers see under one path.
 */
import { type ContainerEngine, makeContainerEngine } from "@holdfast/testkit"
import type { SuiteMachine } from "@holdfast/testkit/suites"
import { Effect, Exit, Scope } from "effect"
import { execFileSync } from "node:child_process"
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { buildLocalImage, type DockerSandboxesOptions, dockerSandboxes } from "../../src/docker.ts"
import { sandboxesOn } from "../docker/engineOfTests.ts"
import { sandboxUser } from "../../src/provider/SandboxPlaces.ts"
import { bridgeFile } from "../../../bridge/test/support/bridgeFile.ts"
import { type CloudHouseOptions, openCloudHouse } from "./cloudHouse.ts"

/** Starts the engine before the tests of a file, and ends it after them. */
export const useContainers = () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-containers-")))
  // Its own name says nothing; what is in it is open to those whom it is given to.
  chmodSync(folder, 0o755)
  const scope = Scope.makeUnsafe()
  let engine: ContainerEngine
  beforeAll(async () => {
    const made = Effect.gen(function* () {
      engine = yield* makeContainerEngine
      const program = yield* Effect.promise(bridgeFile)
      yield* buildLocalImage({ engine: { socketPath: engine.socketPath }, program })
    })
    await Effect.runPromise(Scope.provide(made, scope))
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  })

  /** What the containers are looked at with: root sees their processes among its own. */
  const machine: SuiteMachine = { folder, remains: Effect.suspend(() => engine.containers) }

  /** A house whose sandboxes see the folder, and agents of this machine. */
  const openHouse = (options: DockerSandboxesOptions = {}, house: Omit<CloudHouseOptions, "provider"> = {}) =>
    Effect.suspend(() =>
      openCloudHouse({
        ...house,
        provider: dockerSandboxes({
          ...sandboxesOn(engine),
          mounts: [{ from: folder, writable: true }, { from: process.env["HOLDFAST_AGENTS"]! }],
          ...options
        })
      })
    )

  return { folder, machine, openHouse, engine: Effect.sync(() => engine) }
}

/** Gives a folder to the user of the containers, and what is in it. */
export const giveToSandboxes = (folder: string): void => {
  execFileSync("chown", ["-R", `${sandboxUser.id}:${sandboxUser.id}`, folder])
}
