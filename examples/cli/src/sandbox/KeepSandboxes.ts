/** Lists, stops and clears away sandboxes: what `holdfast sandboxes` does. */
import type { Lifecycle } from "@holdfast/core"
import type { SandboxProviderError } from "@holdfast/core/cloud"
import * as Effect from "effect/Effect"
import { exitCodes, Refused } from "../ExitCode.ts"
import { json as printJson, line, note, write } from "../output/Output.ts"
import { idWidth } from "../output/SessionTable.ts"
import { styleOf } from "../output/Style.ts"
import { count } from "../output/Text.ts"
import { withOwner } from "../session/WithOwner.ts"
import { openIfThere } from "../store/Reader.ts"
import { findSandboxes, type FoundSandbox, type SandboxHost } from "./FoundSandboxes.ts"
import { sandboxHost } from "./SandboxHost.ts"
import { sandboxTable } from "./SandboxTable.ts"

/** A provider's error, as the command says it. */
export const refuse = (error: SandboxProviderError) =>
  new Refused({ code: exitCodes.unavailable, detail: `${error.message}${error.retryable ? " (try again)" : ""}` })

const jsonOf = ({ condition, createdAt, generation, provider, sandboxId, session, sessionId }: FoundSandbox) => ({
  sandboxId,
  provider,
  condition,
  sessionId,
  generation,
  createdAt,
  owned: session !== null
})

/** Does something with what there is, and with who made it. */
const withSandboxes = <A, E, R>(
  store: string,
  use: (
    host: SandboxHost,
    found: ReadonlyArray<FoundSandbox>,
    silent: ReadonlyArray<{ readonly provider: string; readonly detail: string }>
  ) => Effect.Effect<A, E, R>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const host = yield* sandboxHost(store)
      const { sandboxes, silent } = yield* findSandboxes(host, yield* openIfThere(store))
      return yield* use(host, sandboxes, silent)
    })
  )

/** Prints them. */
export const listSandboxes = (store: string, json: boolean) =>
  withSandboxes(store, (_, found, silent) =>
    Effect.gen(function* () {
      if (json) return yield* printJson({ sandboxes: found.map(jsonOf), silent })
      const width = idWidth([...new Set(found.map((one) => one.sessionId))])
      const table = sandboxTable(found, {
        style: styleOf(process.stdout),
        columns: process.stdout.columns || 100,
        now: Date.now(),
        shortId: (sessionId) => sessionId.slice(0, width)
      })
      if (found.length > 0) yield* write(`${table.join("\n")}\n`)
      else yield* note("There are no sandboxes. Start one: holdfast run --cloud process -- <command>")
      const left = found.filter((one) => one.session === null).length
      if (left > 0) yield* note(`${count(left, "sandbox", "sandboxes")} of no session: holdfast sandboxes prune`)
      for (const { detail, provider } of silent) yield* note(`${provider} was not asked: ${detail}`)
    })
  )

/** Where a session goes on in its sandbox. */
const live: ReadonlySet<Lifecycle> = new Set<Lifecycle>(["opening", "open", "suspending", "lost", "closing"])

const theOne = (found: ReadonlyArray<FoundSandbox>, asked: string): Effect.Effect<FoundSandbox, Refused> => {
  const meant = found.filter((one) => one.sandboxId.startsWith(asked) || one.sessionId.startsWith(asked))
  const [first] = meant
  if (first !== undefined && meant.length === 1) return Effect.succeed(first)
  const detail =
    first === undefined
      ? `there is no sandbox ${asked}: holdfast sandboxes shows them`
      : `${asked} is the beginning of several:\n${meant.map((one) => `  ${one.sandboxId}`).join("\n")}`
  return Effect.fail(new Refused({ code: exitCodes.notFound, detail }))
}

/** What to stop. */
export interface StopOptions {
  readonly json: boolean
  /** Also one in which a session runs that cannot be put to rest. */
  readonly force: boolean
}

/** Stops one: a session that runs in it is put to rest first, where it can be. */
export const stopSandbox = (store: string, asked: string, { force, json }: StopOptions) =>
  withSandboxes(store, (host, found) =>
    Effect.gen(function* () {
      const one = yield* theOne(found, asked)
      const { provider, sandboxId, session, sessionId } = one
      const isLive = session !== null && live.has(session.chart.lifecycle)
      if (isLive && !force) {
        if (session.capabilities?.suspend !== true || session.chart.lifecycle !== "open") {
          return yield* new Refused({
            code: exitCodes.refused,
            detail:
              `session ${sessionId.slice(0, 8)} runs in it and cannot be put to rest: holdfast kill ${sessionId.slice(0, 8)} ends both, ` +
              `--force takes the sandbox away from it`
          })
        }
        const command = { type: "session.suspend", data: { reason: "holdfast sandboxes stop" } }
        yield* withOwner(store, (client) => client.Command({ sessionId, command }))
        return yield* json
          ? printJson({ sandboxId, provider, sessionId, stopped: "suspended" })
          : line(`Session ${sessionId.slice(0, 8)} is put to rest with its sandbox; holdfast attach wakes it`)
      }
      yield* destroy(host, one)
      yield* json ? printJson({ sandboxId, provider, sessionId, stopped: "destroyed" }) : line(`Removed ${sandboxId}`)
    })
  )

/** Removes all that no session owns. */
export const pruneSandboxes = (store: string, json: boolean) =>
  withSandboxes(store, (host, found) =>
    Effect.gen(function* () {
      const left = found.filter((one) => one.session === null)
      yield* Effect.forEach(left, (one) => destroy(host, one), { concurrency: 4, discard: true })
      if (json) return yield* printJson({ removed: left.map(({ sandboxId }) => sandboxId) })
      yield* line(`Removed ${count(left.length, "sandbox", "sandboxes")}`)
    })
  )

/** Removes all of them, whoever owns them: for a store that goes as well. */
export const removeSandboxes = (store: string) =>
  withSandboxes(store, (host, found) => Effect.forEach(found, (one) => destroy(host, one), { discard: true }))

const destroy = ({ providers }: SandboxHost, { provider, sandboxId }: FoundSandbox) =>
  Effect.mapError(providers.find(({ name }) => name === provider)!.destroy(sandboxId), refuse)
