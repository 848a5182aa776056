import type { ContainerEngine } from "@holdfast/testkit"
import { sandboxProviderSuite, sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { dockerSandboxes } from "../../src/docker.ts"
import { engineWithImage, sandboxesOn } from "./engineOfTests.ts"

const scope = Scope.makeUnsafe()
let engine: ContainerEngine
beforeAll(async () => {
  engine = await Effect.runPromise(Scope.provide(engineWithImage, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

sandboxProviderSuite(
  "dockerSandboxes on podman",
  Effect.sync(() => dockerSandboxes({ ...sandboxesOn(engine), command: ["/bin/sh", "-c", sandboxStandIn] })),
  {
    claims: { snapshot: true, limits: ["cpus", "memoryBytes", "processes", "network"] },
    remains: Effect.suspend(() => engine.containers),
    fetch: {
      // What containers reach of this machine is not its loopback interface.
      host: "0.0.0.0",
      exec: (url) => ({
        command: "node",
        args: ["-e", "fetch(process.argv[1]).then((answer) => answer.text()).then(console.log)", url]
      })
    },
    refused: [{ what: "an image that does not exist", request: { image: "no/such:image" }, failure: "invalid" }]
  }
)
