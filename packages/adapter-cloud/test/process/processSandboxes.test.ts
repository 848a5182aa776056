import { sandboxProviderSuite, sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { processSandboxes } from "../../src/process.ts"
import { remainsBelow } from "./sandboxRemains.ts"

for (const isolation of ["none", "bubblewrap"] as const) {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-sandboxes-"))
  // In the program's own words, and so in what it starts.
  const mark = randomUUID()
  const program = ["/bin/sh", "-c", sandboxStandIn, mark]
  const make = Effect.acquireRelease(
    Effect.sync(() => processSandboxes({ folder, isolation, program, readable: [process.execPath] })),
    () => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  sandboxProviderSuite(`processSandboxes with isolation ${isolation}`, make, {
    claims: {
      snapshot: true,
      limits: isolation === "none" ? [] : process.getuid?.() === 0 ? ["network"] : ["network", "processes"]
    },
    remains: remainsBelow(folder, mark),
    fetch: {
      exec: (url) => ({
        command: process.execPath,
        args: ["-e", `fetch(process.argv[1]).then((a) => a.text()).then(console.log)`, url]
      })
    },
    refused: [{ what: "an image", request: { image: "any" }, failure: "invalid" }]
  })
}
