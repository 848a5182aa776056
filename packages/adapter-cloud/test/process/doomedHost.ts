/** A host that makes a sandbox, tells its id and dies without a chance to clean up. */
import { makeSessionId } from "@holdfast/core"
import { Effect } from "effect"
import { processSandboxes } from "../../src/process.ts"

const [folder, isolation, ...program] = process.argv.slice(2)
const provider = processSandboxes({ folder: folder!, isolation: isolation as "none", program })
const { sandboxId } = await Effect.runPromise(
  provider.create({
    owner: "survivor",
    sessionId: makeSessionId(),
    generation: 1,
    environment: {},
    controlPlane: "http://127.0.0.1:9"
  })
)
process.stdout.write(sandboxId, () => process.kill(process.pid, "SIGKILL"))
