/** Starts a session and shows it: what `holdfast run` and `holdfast start` do. */
import { defaultPassedNames, type TerminalSpec } from "@holdfast/adapter-pty"
import * as Effect from "effect/Effect"
import { usage } from "../ExitCode.ts"
import { json as printJson, line } from "../output/Output.ts"
import { ownerGone, reachOwner } from "../owner/OwnerClient.ts"
import { openReader } from "../store/Reader.ts"
import { awaitSandbox } from "../sandbox/AwaitSandbox.ts"
import { type CloudRun, cloudSpec } from "../sandbox/CloudRun.ts"
import { shortId } from "../store/ShortId.ts"
import { type DetachKey, detachKeyName } from "../terminal/DetachKey.ts"
import { currentSize, isInteractive } from "../terminal/LocalTerminal.ts"
import { useSession } from "../terminal/SessionView.ts"
import { endAs, endView, hint, keepsRunning } from "./SessionEnding.ts"

/** What to run. */
export interface Program {
  readonly profile: "command" | "shell"
  readonly command?: string
  readonly args: ReadonlyArray<string>
  /** Where it runs instead of here. */
  readonly cloud: CloudRun | undefined
  /** Absolute; of this machine. */
  readonly cwd: string
  /** Names to pass on, or `NAME=value`. */
  readonly env: ReadonlyArray<string>
  readonly title: string | undefined
}

/** How to show it. */
export interface RunOptions {
  readonly store: string
  readonly json: boolean
  readonly detach: boolean
  readonly detachKey: DetachKey
}

/**
 * The values that the program gets. They come from here and not from the owner, which may have been started from another
 * directory, shell or login; in a sandbox only those that were asked for, since paths and homes are others there.
 */
const environment = Effect.fnUntraced(function* (asked: ReadonlyArray<string>, isHere: boolean) {
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(isHere ? process.env : {})) {
    const passed = defaultPassedNames.some((one) =>
      one.endsWith("*") ? name.startsWith(one.slice(0, -1)) : name === one
    )
    if (passed && value !== undefined) values[name] = value
  }
  for (const one of asked) {
    const at = one.indexOf("=")
    const name = at === -1 ? one : one.slice(0, at)
    const value = at === -1 ? process.env[name] : one.slice(at + 1)
    if (value === undefined)
      return yield* usage(`--env ${one}: there is no such variable here; set it with --env ${one}=value`)
    values[name] = value
  }
  return values
})

/** Runs it until it ends or is left. */
export const runSession = Effect.fnUntraced(
  function* (options: RunOptions, program: Program) {
    const { detach, detachKey, json, store } = options
    const { cloud } = program
    const values = yield* environment(program.env, cloud === undefined)
    const inner = {
      profile: program.profile,
      ...(program.command === undefined ? {} : { command: program.command }),
      args: program.args,
      ...(cloud === undefined ? { cwd: program.cwd } : {}),
      env: { values },
      ...currentSize(),
      ...(program.title === undefined ? {} : { title: program.title })
    } satisfies typeof TerminalSpec.Encoded
    const client = yield* reachOwner(store)
    const { lastSeq, sessionId } = yield* client.Create(
      cloud === undefined
        ? { backend: "pty", spec: inner }
        : {
            backend: "cloud",
            spec: cloudSpec(cloud, { backend: "pty", spec: inner })
          }
    )
    if (detach) return yield* json ? printJson({ sessionId }) : line(sessionId)
    const id = yield* shortId(yield* openReader(store), sessionId)
    if (cloud !== undefined) yield* awaitSandbox(client, { sessionId, id, after: lastSeq, onInterrupt: "end" })
    if (json) {
      const end = yield* client.Wait({ sessionId })
      yield* printJson({ sessionId, ...end })
      return yield* endAs(end)
    }
    if (isInteractive() && detachKey !== "none") {
      yield* hint(`recording session ${id}; ${detachKeyName(detachKey)} leaves it running`)
    }
    const left = yield* useSession(client, sessionId, client.Attach({ sessionId, after: 0 }), detachKey).pipe(
      Effect.onInterrupt(() => hint(keepsRunning(id))),
      Effect.catchTag("OutputClosed", (closed) => Effect.andThen(hint(keepsRunning(id)), Effect.fail(closed)))
    )
    yield* endView(left, id)
  },
  (effect, { store }) => Effect.scoped(Effect.catchTag(effect, "RpcClientError", () => ownerGone(store)))
)
