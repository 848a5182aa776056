import { sandboxProviderSuite, sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { e2bSandboxes } from "../../src/e2b.ts"
import { startE2bCounterpart } from "./E2bCounterpart.ts"
import { counterpartRemains } from "./counterpartRemains.ts"

/** Against the counterpart, whose sandboxes share this machine's network: hence `anyControlPlane`. */
const make = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() =>
      // Started again, the daemons of a snapshot's memory would count as started; `e2bRestore.test.ts` has them.
      startE2bCounterpart({ apiKey: "e2b_0123456789abcdef", templates: ["holdfast"], memory: false })
    ),
    ({ close }) => Effect.promise(close)
  ),
  ({ url }) =>
    e2bSandboxes({
      template: "holdfast",
      apiKey: "e2b_0123456789abcdef",
      apiUrl: url,
      sandboxUrl: url,
      node: process.execPath,
      bridge: { installed: ["/bin/sh", "-c", sandboxStandIn] },
      anyControlPlane: true
    })
)

sandboxProviderSuite("e2bSandboxes at the counterpart", make, {
  claims: { snapshot: true, limits: [] },
  // Each starts two Nodes of its own, on two processors.
  sideBySide: 4,
  remains: counterpartRemains,
  fetch: {
    exec: (url) => ({
      command: process.execPath,
      args: ["-e", `fetch(process.argv[1]).then((a) => a.text()).then(console.log)`, url]
    })
  },
  refused: [{ what: "a template that does not exist", request: { image: "no-such-template" }, failure: "invalid" }]
})
