/** The program `holdfast-bridge`: runs a session inside a sandbox, for the control plane that its environment names. */
import { Cause, Effect, Exit } from "effect"
import { mkdirSync } from "node:fs"
import { takeSettings } from "./BridgeSettings.ts"
import { bridgeVersion } from "./bridgeVersion.ts"
import { ExitStatus } from "./ExitStatus.ts"
import { innerBackendNames, loadInnerBackend } from "./InnerBackends.ts"
import { makeGitPreparer } from "./GitPreparer.ts"
import { makeBridgeBundles } from "./handoff/BridgeBundles.ts"
import { unpackBelow } from "./UnpackedFiles.ts"
import { runBridge } from "./runBridge.ts"

const help = `holdfast-bridge ${bridgeVersion}

Runs a Holdfast session inside a sandbox. All of it is set by the environment:

  HOLDFAST_BRIDGE_URL          control plane to dial: http(s)://host[:port][/path] or unix:/path
  HOLDFAST_BRIDGE_LISTEN       or where to be dialled instead: host:port or unix:/path
  HOLDFAST_BRIDGE_DIAL_KEY     with LISTEN: what a caller has to show
  HOLDFAST_BRIDGE_TOKEN        the sandbox token
  HOLDFAST_BRIDGE_SESSION      id of the session
  HOLDFAST_BRIDGE_GENERATION   generation that the sandbox was made for
  HOLDFAST_BRIDGE_DATA         folder of its log              (default: ~/.holdfast/bridge)
  HOLDFAST_WORKSPACE           folder that the session works in  (default: the current one)
  HOLDFAST_BRIDGE_LIFETIME_MS  how long it goes on without a control plane  (default: 86400000)
  HOLDFAST_BRIDGE_LOG_BYTES    bytes of events that may wait for it         (default: 268435456)

Exit status: 0 ended as told, 3 refused for good, 4 no control plane for its lifetime, 64 bad settings,
69 cannot listen, 70 internal error, 73 the data folder cannot be used.
`

const say = (text: string) =>
  process.stderr.write(`${new Date().toISOString()} error ${text.replaceAll(/\s*\n\s*/g, " | ")}\n`)

const crash = (error: unknown) => {
  say(`internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  process.exit(ExitStatus.internal)
}

const main = async (): Promise<number> => {
  const [argument] = process.argv.slice(2)
  if (argument === "--help" || argument === "-h") {
    process.stdout.write(help)
    return 0
  }
  if (argument === "--version") {
    process.stdout.write(`${bridgeVersion}\n`)
    return 0
  }
  if (argument !== undefined) {
    say(`${argument} is not known: everything is set by the environment, see --help`)
    return ExitStatus.badSettings
  }
  const settings = takeSettings(process.env)
  if ("variable" in settings) {
    say(`${settings.variable} is not valid: expected ${settings.expected}`)
    return ExitStatus.badSettings
  }
  try {
    mkdirSync(settings.workspace, { recursive: true })
    process.chdir(settings.workspace)
  } catch (error) {
    say(`HOLDFAST_WORKSPACE is not valid: expected a folder that can be entered (${(error as Error).message})`)
    return ExitStatus.badSettings
  }
  unpackBelow(settings.data)
  const asked = Effect.callback<string>((resume) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resume(Effect.succeed(signal)))
  })
  const program = {
    settings,
    version: bridgeVersion,
    names: innerBackendNames,
    backend: loadInnerBackend,
    workspace: makeGitPreparer,
    bundles: makeBridgeBundles,
    asked
  }
  const exit = await Effect.runPromiseExit(runBridge(program))
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

process.on("uncaughtException", crash)
process.on("unhandledRejection", crash)
// Node's own printer of warnings: on Node 22 it tells of `node:sqlite` at every start.
process.removeAllListeners("warning")
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") say(`warning: ${warning.message}`)
})
main().then((status) => process.exit(status), crash)
