/** What holdfast needs of the machine: its Node, a terminal, disk, and files that nobody else reads. */
import { ptyBackend } from "@holdfast/adapter-pty"
import { makeSessionId } from "@holdfast/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { existsSync, statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { size } from "../output/Text.ts"

/** What a look at something found. */
export interface Finding {
  readonly check: string
  readonly status: "ok" | "warning" | "problem"
  readonly detail: string
  /** What to do. */
  readonly fix?: string
}

/** The least Node: its SQLite, and sources in TypeScript. */
const leastNode = [22, 19] as const

/** Whether this Node will do. */
export const examineNode = (): Finding => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  const isNew = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1])
  const found = { check: "node", detail: `Node ${process.versions.node}` }
  return isNew
    ? { ...found, status: "ok" }
    : { ...found, status: "problem", fix: `Install Node ${leastNode.join(".")} or newer.` }
}

/** How long a terminal may take to run a program that ends at once. */
const terminalMs = 10_000

/** Opens a terminal and runs a program in it: whatever is missing for that shows. */
export const examineTerminal: Effect.Effect<Finding> = Effect.gen(function* () {
  const backend = ptyBackend()
  const { secrets, spec } = yield* backend.check({ profile: "command", command: process.execPath, args: ["-e", "0"] })
  const session = yield* backend.open({ sessionId: makeSessionId(), generation: 1, spec, secrets, inDoubt: [] })
  yield* Stream.runDrain(session.events)
  return { check: "terminal", status: "ok", detail: "a terminal opens, and a program runs in it" } satisfies Finding
}).pipe(
  Effect.scoped,
  Effect.timeoutOrElse({
    duration: terminalMs,
    orElse: () => Effect.fail(new Error(`a program in a terminal did not end within ${terminalMs / 1000} s`))
  }),
  Effect.catchCause((cause) => {
    const error = Cause.squash(cause)
    return Effect.succeed<Finding>({
      check: "terminal",
      status: "problem",
      detail: error instanceof Error ? error.message : String(error),
      fix: "Where node-pty is not built: npm rebuild node-pty (on Linux with Python 3, make and a C++ compiler)."
    })
  })
)

const megabyte = 1_000_000

/** The first directory on the way to a store that is there. */
const existing = (path: string): string => (existsSync(path) || dirname(path) === path ? path : existing(dirname(path)))

/** Whether there is room for the log. */
export const examineDisk = (store: string): Finding => {
  const { bavail, bsize } = statfsSync(existing(dirname(store)))
  const free = bavail * bsize
  const found = { check: "disk", detail: `${size(free)} free where the log is` }
  if (free >= 1000 * megabyte) return { ...found, status: "ok" }
  return {
    ...found,
    status: free < 100 * megabyte ? "problem" : "warning",
    fix: "Free some, or holdfast gc and holdfast vacuum to make the log smaller."
  }
}

/** Whether others can read what was recorded. */
export const examinePermissions = (store: string): ReadonlyArray<Finding> => {
  if (process.platform === "win32" || !existsSync(store)) return []
  const closed = (path: string) => (statSync(path).mode & 0o077) === 0
  return closed(store) || closed(dirname(store))
    ? [{ check: "permissions", status: "ok", detail: "only you can read the log" }]
    : [
        {
          check: "permissions",
          status: "warning",
          detail: "other users of this machine can read the log, and what was shown in its terminals",
          fix: `chmod 600 ${store}*`
        }
      ]
}
