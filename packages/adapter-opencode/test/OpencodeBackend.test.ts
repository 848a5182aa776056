import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { opencodeBackend } from "../src/index.ts"
import { makeProject, openOpencodeHouse } from "./opencodeHouse.ts"
import { suiteAgent, suitePermission, suiteScript } from "./suiteModel.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-opencode-suite-")))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
const cwd = makeProject(join(folder, "project"))

const spec = { cwd, title: "Suite" }

backendSuite(
  "opencodeBackend",
  Effect.map(openOpencodeHouse(suiteScript, { permission: suitePermission }), ({ options }) =>
    opencodeBackend(options)
  ),
  {
    spec,
    badSpecs: [
      { spec: 5, field: "spec" },
      { spec: { ...spec, cwd: join(folder, "missing") }, field: "cwd" },
      { spec: { ...spec, cwd: "/etc/passwd" }, field: "cwd" },
      { spec: { ...spec, model: "nameless" }, field: "model" },
      { spec: { ...spec, model: "" }, field: "model" },
      { spec: { ...spec, agent: 5 }, field: "agent" },
      {
        spec: { ...spec, permission: [{ permission: "bash", pattern: "*", action: "maybe" }] },
        field: "permission.0.action"
      },
      { spec: { ...spec, size: 3 }, field: "size" }
    ],
    agent: suiteAgent,
    once: true
  }
)
