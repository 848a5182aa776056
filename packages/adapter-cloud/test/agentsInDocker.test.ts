import { backendSuite } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { openCodexHouse } from "../../adapter-codex/test/codexHouse.ts"
import * as codexSuite from "../../adapter-codex/test/suiteModel.ts"
import { makeProject, openOpencodeHouse } from "../../adapter-opencode/test/opencodeHouse.ts"
import * as opencodeSuite from "../../adapter-opencode/test/suiteModel.ts"
import { giveToSandboxes, useContainers } from "./support/containerHouse.ts"
import { withEnvironment } from "./support/withEnvironment.ts"

const { folder, machine, openHouse } = useContainers()

/** The scripted models listen on this machine's loopback interface. */
const network = "host"

const agents = { HOLDFAST_AGENTS: process.env["HOLDFAST_AGENTS"]! }

const codexProject = join(folder, "codex-project")
mkdirSync(codexProject)
giveToSandboxes(codexProject)
const codex = (spec: unknown) => ({ inner: { backend: "codex", spec } })
const codexSpec = { cwd: codexProject, approvalPolicy: "untrusted", sandbox: "danger-full-access" }

backendSuite(
  "Codex in a container",
  Effect.gen(function* () {
    const house = yield* openCodexHouse(codexSuite.suiteScript, {
      ...codexSuite.suiteHome,
      rules: codexSuite.suiteRules,
      below: folder
    })
    giveToSandboxes(house.folder)
    const { backend } = yield* openHouse({ network })
    return withEnvironment(backend, { ...house.options.env?.values, ...agents })
  }),
  {
    spec: codex(codexSpec),
    badSpecs: [{ spec: codex({ ...codexSpec, sandbox: "everything" }), field: "inner.spec.sandbox" }],
    agent: codexSuite.suiteAgent,
    machine,
    once: true,
    handOn: true
  }
)

const opencodeProject = makeProject(join(folder, "opencode-project"))
giveToSandboxes(opencodeProject)
const opencode = (spec: unknown) => ({ inner: { backend: "opencode", spec } })
const opencodeSpec = { cwd: opencodeProject, title: "Suite" }

backendSuite(
  "Opencode in a container",
  Effect.gen(function* () {
    const house = yield* openOpencodeHouse(opencodeSuite.suiteScript, {
      permission: opencodeSuite.suitePermission,
      below: folder
    })
    giveToSandboxes(house.folder)
    const { backend } = yield* openHouse({ network })
    return withEnvironment(backend, { ...house.options.env.values, ...agents })
  }),
  {
    spec: opencode(opencodeSpec),
    badSpecs: [{ spec: opencode({ ...opencodeSpec, agent: 5 }), field: "inner.spec.agent" }],
    agent: opencodeSuite.suiteAgent,
    machine,
    deadline: 60_000,
    once: true,
    handOn: true
  }
)
