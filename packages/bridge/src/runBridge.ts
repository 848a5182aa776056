/** The whole program, once its settings are read: opens the bridge, finds its control plane, and says how it ended. */
import type { Backend } from "@holdfast/core"
import { Effect, Logger, Scope } from "effect"
import { join } from "node:path"
import { openBridge } from "./Bridge.ts"
import { DataUnusable, openBridgeDatabase } from "./BridgeDatabase.ts"
import type { BridgeSettings } from "./BridgeSettings.ts"
import type { CredentialAsker } from "./Credentials.ts"
import { dialIn } from "./DialIn.ts"
import { dialOut } from "./Dialer.ts"
import { ExitStatus } from "./ExitStatus.ts"
import type { BridgeBundles } from "./handoff/BridgeBundles.ts"
import { shrinkWhenIdle } from "./IdleMemory.ts"
import type { WorkspacePreparer } from "./Workspace.ts"

/** Milliseconds that the inner backend has to end by itself when the bridge is asked to end, of ten altogether. */
const politeMs = 3_000

/** Milliseconds after which a bridge that was asked to end does, whatever hangs. */
const stopMs = 10_000

/** What the program is put together from. */
export interface BridgeProgram {
  readonly settings: BridgeSettings
  readonly version: string
  readonly names: ReadonlyArray<string>
  readonly backend: (name: string) => Promise<Backend | undefined>
  readonly workspace: (settings: BridgeSettings, credentials: CredentialAsker) => WorkspacePreparer
  readonly bundles: (settings: BridgeSettings) => BridgeBundles
  /** Completes with the signal's name when the system asks the program to end. */
  readonly asked: Effect.Effect<string>
}

const logger = Logger.make(({ date, logLevel, message }) => {
  const text = (Array.isArray(message) ? message : [message])
    .map(String)
    .join(" ")
    .replaceAll(/\s*\n\s*/g, " | ")
  process.stderr.write(`${date.toISOString()} ${logLevel.toLowerCase()} ${text}\n`)
})

/** Runs the program to its end; the exit status. */
export const runBridge = (program: BridgeProgram): Effect.Effect<number> =>
  Effect.scopedWith((scope) => Scope.provide(run(program), scope)).pipe(Effect.provide(Logger.layer([logger])))

const run = (program: BridgeProgram): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings } = program
    const database = yield* Effect.acquireRelease(
      Effect.try({
        try: () => openBridgeDatabase(join(settings.data, "bridge.sqlite")),
        catch: (error) => error
      }),
      (open) => Effect.sync(open.close)
    )
    yield* shrinkWhenIdle
    const bridge = yield* openBridge({
      sessionId: settings.sessionId,
      generation: settings.generation,
      version: program.version,
      logBytes: settings.logBytes,
      database,
      backend: program.backend,
      names: program.names,
      workspace: (credentials) => program.workspace(settings, credentials),
      bundles: program.bundles(settings)
    })
    const { way } = settings
    const connected = "dial" in way ? dialOut(way.dial, settings, bridge) : dialIn(way, settings, bridge)
    const asked = Effect.gen(function* () {
      const signal = yield* program.asked
      yield* Effect.logInfo(`${signal}: the inner backend is ended`)
      yield* bridge
        .stop("the sandbox is being stopped", politeMs)
        .pipe(Effect.timeoutOrElse({ duration: stopMs, orElse: () => Effect.logError("it did not end in time") }))
      return ExitStatus.ended
    })
    const over = Effect.gen(function* () {
      const { detail, why } = yield* connected
      yield* Effect.logInfo(`it stops for good: ${detail}`)
      yield* bridge.stop(detail, politeMs)
      return why === "gone" ? ExitStatus.ended : why === "refused" ? ExitStatus.refused : ExitStatus.alone
    })
    const shutDown = Effect.as(bridge.isShutDown, ExitStatus.ended)
    return yield* Effect.raceAllFirst<Effect.Effect<number, unknown, Scope.Scope>>([
      over,
      asked,
      shutDown,
      bridge.isBroken
    ])
  }).pipe(
    Effect.catch((error) =>
      Effect.as(
        Effect.logError(error instanceof Error ? error.message : String(error)),
        error instanceof DataUnusable ? ExitStatus.dataUnusable : ExitStatus.cannotListen
      )
    )
  )
