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

/**
 * Each session starts a server of its own, which takes seconds: the whole suite takes some ten minutes, and is run with
 * `HOLDFAST_SUITE=whole`. Otherwise it says whether sessions live and end as they have to; turns of Opencode through a bridge are
 * among the bridge's own tests.
 */
const agent = process.env["HOLDFAST_SUITE"] === "whole" ? { agent: suiteAgent } : {}

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
    ...agent,
    deadline: 60_000,
    once: true
  }
)
