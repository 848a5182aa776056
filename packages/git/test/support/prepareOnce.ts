/** Prepares a workspace in a process of its own, and tells how it failed: `prepareOnce.ts <repository> <folder>`. */
import { makeSessionId } from "@holdfast/core"
import { Effect } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { dirname } from "node:path"
import { prepareWorkspace } from "../../src/index.ts"

const [repository = "", folder = ""] = process.argv.slice(2)
const options = { sessionId: makeSessionId(), credentials: () => Effect.succeed(null) }
const { detail, failure, retryable } = await Effect.runPromise(
  Effect.flip(prepareWorkspace(folder, { repository }, options))
)
const left = existsSync(folder) ? readdirSync(dirname(folder)) : []
process.stdout.write(JSON.stringify({ failure, retryable, left }))
process.stderr.write(detail)
