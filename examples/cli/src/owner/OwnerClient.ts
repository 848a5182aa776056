/** Reaching the owner of a store, and starting one where there is none. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import type { LogUnavailable } from "@holdfast/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import type * as Scope from "effect/Scope"
import { processMarkerName } from "@holdfast/process"
import { spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import type { Readable } from "node:stream"
import { exitCodes, Refused } from "../ExitCode.ts"
import { makePlace, ownerPlace, type OwnerPlace, placeProblem } from "../store/StorePath.ts"
import { OwnerApi, ownerProtocol } from "./OwnerApi.ts"
import { decodeReport } from "./OwnerReport.ts"

/** The owner's calls. Each fails with `RpcClientError` when the owner goes away. */
export type OwnerClient = RpcClient.FromGroup<typeof OwnerApi, RpcClientError>

/** Seconds between two signs of life that a silent connection asks for. */
const pingSeconds = 30

const unavailable = (detail: string) => Effect.fail(new Refused({ code: exitCodes.unavailable, detail }))

/** What an owner that went away in the middle of a call means to a person. */
export const ownerGone = (store: string): Effect.Effect<never, Refused> =>
  unavailable(
    `the background process that owned ${store} is gone, and its sessions with it; ${ownerPlace(store).log} may say why. ` +
      `The next holdfast command that needs an owner starts one, which puts the log in order.`
  )

/** Connects to the owner that listens for a store; undefined where nobody does. */
export const connectOwner = Effect.fnUntraced(function* (
  store: string
): Effect.fn.Return<OwnerClient | undefined, Refused | LogUnavailable, Scope.Scope> {
  const place = ownerPlace(store)
  const problem = placeProblem(place)
  if (problem !== undefined) return yield* unavailable(problem)
  const protocol = yield* Layer.build(
    RpcClient.layerProtocolSocket({ pingInterval: `${pingSeconds} seconds` }).pipe(
      Layer.provide(NodeSocket.layerNet({ path: place.socket })),
      Layer.provide(RpcSerialization.layerNdjson)
    )
  ).pipe(Effect.catchTag("SocketError", () => Effect.undefined))
  if (protocol === undefined) return undefined
  const client = yield* RpcClient.make(OwnerApi, { disableTracing: true }).pipe(Effect.provideContext(protocol))
  const hello = yield* client.Hello().pipe(Effect.catchTag("RpcClientError", () => Effect.undefined))
  if (hello === undefined || hello.leaving) return undefined
  if (hello.protocol !== ownerProtocol) {
    return yield* unavailable(
      `the background process ${hello.pid} that owns ${store} is of another version of holdfast: ` +
        `end its sessions with that version, or end it with kill ${hello.pid}, which closes them`
    )
  }
  return client
})

/** Connects to the owner of a store, and starts one first where there is none. */
export const reachOwner = Effect.fnUntraced(function* (
  store: string
): Effect.fn.Return<OwnerClient, Refused | LogUnavailable, Scope.Scope> {
  const there = yield* connectOwner(store)
  if (there !== undefined) return there
  yield* startOwner(store)
  const started = yield* connectOwner(store)
  return started ?? (yield* ownerGone(store))
})

/** Starts an owner in the background; completes when it, or another one that was faster, serves the store. */
const startOwner = (store: string): Effect.Effect<void, Refused | LogUnavailable> =>
  Effect.gen(function* () {
    const place = makePlace(store)
    const problem = placeProblem(place)
    if (problem !== undefined) return yield* unavailable(problem)
    const text = yield* spawnOwner(store, place)
    const report = decodeReport(text)
    if (report._tag === "Failure") {
      const said = readFileSync(place.log, "utf8").split("\n")
      const first = said.find((line) => line.trim() !== "" && !line.includes("this is a bug"))
      return yield* unavailable(
        `no background process could be started for ${store}: ${first ?? "it said nothing"} (${place.log})`
      )
    }
    if (report.success.kind === "failed") return yield* report.success.error
  })

/** Runs this program again as the owner, in a session of its own, and gives what it reports. */
const spawnOwner = (store: string, place: OwnerPlace) =>
  Effect.callback<string>((resume) => {
    // What it says belongs to its user only, and to its own life only.
    const log = openSync(place.log, "w", 0o600)
    // An owner that is started inside a session is not part of that session.
    const { [processMarkerName]: _outer, ...env } = process.env
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, "owner", "--store", store], {
      cwd: place.directory,
      detached: true,
      env,
      stdio: ["ignore", log, log, "pipe"]
    })
    closeSync(log)
    let text = ""
    const done = () => {
      child.unref()
      resume(Effect.succeed(text))
    }
    child.once("error", done)
    const pipe = child.stdio[3] as Readable
    pipe.setEncoding("utf8")
    pipe.on("data", (chunk: string) => (text += chunk))
    pipe.once("close", done)
  })
