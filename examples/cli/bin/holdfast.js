#!/usr/bin/env node
/** Starts the command from what is built, or else from its sources in the workspace. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const built = new URL("../dist/main.js", import.meta.url)
const [major, minor] = process.versions.node.split(".").map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`holdfast: it needs Node 22.19 or newer, and this is ${process.versions.node}\n`)
  process.exitCode = 1
} else if (existsSync(built)) {
  process.argv[1] = fileURLToPath(built)
  await import(built.href)
} else {
  // The packages' sources are found under a condition, and conditions are given to Node when it starts.
  const source = fileURLToPath(new URL("../src/main.ts", import.meta.url))
  const args = [...process.execArgv, "--conditions=@holdfast/source", source, ...process.argv.slice(2)]
  if (process.execve !== undefined && process.platform !== "win32") {
    process.execve(process.execPath, [process.execPath, ...args], process.env)
  } else {
    const { spawn } = await import("node:child_process")
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {})
    const child = spawn(process.execPath, args, { stdio: "inherit" })
    child.on("exit", (code, signal) => (signal === null ? process.exit(code ?? 1) : process.exit(1)))
  }
}
