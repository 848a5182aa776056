/** A Holdfast server with the web page: what `npm start` runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { buildPage } from "@holdfast/example-web"
import { movedWorkspaces } from "@holdfast/git"
import { letHeapGrow } from "@holdfast/runtime"
import { serve } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import * as Command from "effect/cli/Command"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import packageJson from "../package.json" with { type: "json" }
import { backends } from "./Backends.ts"
import { printLinks } from "./StartLinks.ts"
import { openSandboxes } from "./Sandboxes.ts"
import { dataFolder, flags, type Given, sandboxesOf, serverOptions } from "./Settings.ts"

const say = (line: string) => process.stdout.write(`${line}\n`)

const open = async (given: Given) => {
  const options = serverOptions(given)
  const data = dataFolder(given)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const page = await buildPage(() => say("Building the page, which takes some seconds…"))
  const listening = Promise.withResolvers<string>()
  const { cloud, missing } = await openSandboxes({ data, kinds: sandboxesOf(given), say, url: listening.promise })
  for (const { kind, why } of missing) say(`No ${kind} sandboxes: ${why}`)
  const holdfast = {
    store: SqliteEventLog.layer({ path: join(data, "sessions.db") }),
    backends: [...backends(), ...(cloud === undefined ? [] : [cloud.backend])],
    handoff: { folder: join(data, "moving"), workspaces: movedWorkspaces() },
    onLog: (level: string, message: string) => process.stderr.write(`${level}: ${message}\n`)
  }
  const bridges = cloud === undefined ? {} : { bridges: { gateway: cloud.gateway } }
  try {
    const server = await serve({ holdfast, page, ...bridges, ...options })
    listening.resolve(server.url)
    return {
      ...server,
      close: async () => {
        await server.close()
        await cloud?.close()
      }
    }
  } catch (error) {
    await cloud?.close()
    throw error
  }
}

const run = (given: Given) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => open(given), catch: (error) => error as Error }),
      (server) =>
        Effect.promise(() => {
          say("\nStopping: sessions that cannot outlive the server are ended, the others go on.")
          return server.close()
        })
    )
    say(`Holdfast is at ${server.url}`)
    yield* printLinks(server.startLink)
  }).pipe(
    Effect.scoped,
    Effect.tapError((error) => Effect.sync(() => process.stderr.write(`holdfast: ${error.message}\n`)))
  )

const command = Command.make("holdfast-server", flags, run).pipe(
  Command.withDescription(
    "Serve sessions of terminals and coding agents, here and in sandboxes, with a web page. HOLDFAST_SECRET, of at least 32 bytes, lets your own " +
      "app make tokens (HS256); without it only the links that the server prints let somebody in. GITHUB_TOKEN, and " +
      "HOLDFAST_GIT_TOKENS as url=token with blanks between, are lent to repositories of sandboxes, one operation at a time."
  )
)

letHeapGrow()

Command.run(command, { version: packageJson.version }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    // Being stopped is how a server ends.
    teardown: (exit, end) => end(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
)
