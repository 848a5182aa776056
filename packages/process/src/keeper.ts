/**
 * The keeper: runs a server and ends it, with all that it started, when whoever started the keeper is gone. Its input is a
 * pipe from there, which the system closes however they die.
 *
 *     node keeper.js <marker> <graceMs> <command> [args …]
 */
import { type ChildProcess, spawn } from "node:child_process"

const [marker, grace, command, ...args] = process.argv.slice(2)
if (marker === undefined || command === undefined) {
  throw new Error("keeper: a marker, a grace and a command are needed")
}

/** What asks the keeper to end. */
const requests = ["SIGTERM", "SIGINT", "SIGHUP"] as const

let server: ChildProcess | undefined
let isEnding = false

const end = async () => {
  if (isEnding) return
  isEnding = true
  server?.kill("SIGTERM")
  // Only now: what is seldom needed shall not cost memory all the time.
  const { terminateTree } = await import("./TerminateTree.ts")
  await terminateTree({ marker }, { graceMs: Number(grace), signal: "SIGTERM" })
  process.exit(0)
}

// Before the server is there: it can be ready, and the keeper be asked to end, before the next line runs.
for (const signal of requests) process.on(signal, end)
process.stdin.on("end", end).on("error", end).resume()

const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env
server = spawn(command, args, { env, stdio: ["ignore", "inherit", "inherit"], windowsHide: true })
server.once("error", (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(127)
})
server.once("exit", (code, signal) => {
  if (isEnding) return
  if (signal === null) process.exit(code ?? 0)
  // As it ended, so does the keeper: whoever waits for it learns the signal.
  for (const name of requests) process.removeAllListeners(name)
  process.kill(process.pid, signal)
})
