import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { openCodexHouse } from "../../adapter-codex/test/codexHouse.ts"
import { suiteAgent, suiteHome, suiteRules, suiteScript } from "../../adapter-codex/test/suiteModel.ts"
import { openCloudHouse } from "./support/cloudHouse.ts"
import { withEnvironment } from "./support/withEnvironment.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-cloud-codex-")))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
const cwd = join(folder, "project")
mkdirSync(cwd)

const codex = (spec: unknown) => ({ inner: { backend: "codex", spec } })
const spec = { cwd, approvalPolicy: "untrusted", sandbox: "danger-full-access" }

backendSuite(
  "Codex in a sandbox of the process provider",
  Effect.gen(function* () {
    const { options } = yield* openCodexHouse(suiteScript, { ...suiteHome, rules: suiteRules })
    const { backend } = yield* openCloudHouse()
    return withEnvironment(backend, { ...options.env?.values, HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"]! })
  }),
  {
    spec: codex(spec),
    badSpecs: [
      { spec: codex(5), field: "inner.spec" },
      { spec: codex({ ...spec, model: "" }), field: "inner.spec.model" },
      { spec: codex({ ...spec, sandbox: "everything" }), field: "inner.spec.sandbox" }
    ],
    agent: suiteAgent,
    once: true
  }
)
