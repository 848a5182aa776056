import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { makeProject, openOpencodeHouse } from "../../adapter-opencode/test/opencodeHouse.ts"
import { suiteAgent, suitePermission, suiteScript } from "../../adapter-opencode/test/suiteModel.ts"
import { openCloudHouse } from "./support/cloudHouse.ts"
import { withEnvironment } from "./support/withEnvironment.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-cloud-opencode-")))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
const cwd = makeProject(join(folder, "project"))

const opencode = (spec: unknown) => ({ inner: { backend: "opencode", spec } })
const spec = { cwd, title: "Suite" }

backendSuite(
  "Opencode in a sandbox of the process provider",
  Effect.gen(function* () {
    const { options } = yield* openOpencodeHouse(suiteScript, { permission: suitePermission })
    const { backend } = yield* openCloudHouse()
    return withEnvironment(backend, { ...options.env.values, HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"]! })
  }),
  {
    spec: opencode(spec),
    badSpecs: [
      { spec: opencode(5), field: "inner.spec" },
      { spec: opencode({ ...spec, model: "nameless" }), field: "inner.spec.model" },
      { spec: opencode({ ...spec, agent: 5 }), field: "inner.spec.agent" }
    ],
    agent: suiteAgent,
    deadline: 60_000,
    once: true,
    // Each session starts a server of its own, which takes seconds.
    handOn: true
  }
)
