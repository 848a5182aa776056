/**
 * The keeper: runs a server and ends it, with all that it started, when whoever started the keeper is gone. Its input is a
 * pipe from there, which the system closes however they die.
 *
 *     node keeper.js <marker> <command> [args …]
 */
import { spawn } from "node:child_process"

/** Milliseconds that the server has to end by itself. */
const graceMs = 2_000

const [marker, command, ...args] = process.argv.slice(2)
if (marker === undefined || command === undefined) throw new Error("keeper: a marker and a command are needed")

const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env
const server = spawn(command, args, { env, stdio: ["ignore", "inherit", "inherit"], windowsHide: true })

let isEnding = false
const end = async () => {
  if (isEnding) return
  isEnding = true
  server.kill("SIGTERM")
  // Only now: what is seldom needed shall not cost memory all the time.
  const { terminateTree } = await import("./TerminateTree.ts")
  await terminateTree({ marker }, { graceMs, signal: "SIGTERM" })
  process.exit(0)
}

process.stdin.on("end", end).on("error", end).resume()
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, end)
server.once("error", (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(127)
})
server.once("exit", (code, signal) => {
  if (isEnding) return
  if (signal === null) process.exit(code ?? 0)
  // As it ended, so does the keeper: whoever waits for it learns the signal.
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.removeAllListeners(name)
  process.kill(process.pid, signal)
})
