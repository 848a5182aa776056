import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { codexBackend } from "../src/index.ts"
import { openCodexHouse } from "./codexHouse.ts"
import { suiteAgent, suiteHome, suiteRules, suiteScript } from "./suiteModel.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-codex-suite-")))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
const cwd = join(folder, "project")
mkdirSync(cwd)

// Full access: in most places where tests run no namespaces can be made, and so no sandbox.
const spec = { cwd, approvalPolicy: "untrusted", sandbox: "danger-full-access" }

backendSuite(
  "codexBackend",
  Effect.map(openCodexHouse(suiteScript, { ...suiteHome, rules: suiteRules }), ({ options }) => codexBackend(options)),
  {
    spec,
    badSpecs: [
      { spec: 5, field: "spec" },
      { spec: { ...spec, cwd: join(folder, "missing") }, field: "cwd" },
      { spec: { ...spec, cwd: "/etc/passwd" }, field: "cwd" },
      { spec: { ...spec, model: "" }, field: "model" },
      { spec: { ...spec, effort: 3 }, field: "effort" },
      { spec: { ...spec, approvalPolicy: "sometimes" }, field: "approvalPolicy" },
      { spec: { ...spec, sandbox: "everything" }, field: "sandbox" },
      { spec: { ...spec, config: "model=x" }, field: "config" },
      { spec: { ...spec, size: 3 }, field: "size" }
    ],
    agent: suiteAgent,
    once: true
  }
)
