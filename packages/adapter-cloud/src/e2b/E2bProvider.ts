/** The provider `e2b`: what it does with sandboxes, snapshots and their bridges. */
import { SessionId } from "@holdfast/core"
import type {
  SandboxInfo,
  SandboxProvider,
  SandboxProviderError,
  SandboxRequest,
  SnapshotInfo
} from "@holdfast/core/cloud"
import { Clock, Effect, Option, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { isAbsolute, join } from "node:path/posix"
import type { E2bSandboxesOptions } from "../e2b.ts"
import { findBridgeProgram } from "../process/BridgeProgram.ts"
import { runDefaults } from "../provider/RunDefaults.ts"
import { checkRequest } from "../provider/CheckRequest.ts"
import { putFileByExec } from "../provider/FilesByExec.ts"
import { type Fail, failing, providerDeadlines, within } from "../provider/ProviderErrors.ts"
import { makeSerialByKey } from "../provider/SerialByKey.ts"
import * as E2bApi from "./E2bApi.ts"
import { makeScrub } from "./E2bFailures.ts"
import { loadE2bSdk, sdkOptions } from "./E2bSdk.ts"
import { awaitRouted, download, type Guest, lookForBridge, runInGuest, startBridge, upload } from "./Guest.ts"
import { whyNotPublic } from "./PublicControlPlane.ts"
import { isSnapshotName, readSnapshotName, snapshotName } from "./SnapshotName.ts"

const name = "e2b"

/** Least lifetime, in milliseconds: sandboxes are listed every 10 minutes, and extended when half of it is over. */
const minLifetimeMs = 30 * 60_000

/** Most, of E2B's larger plans. */
const maxLifetimeMs = 24 * 60 * 60_000

/** What the bridge needs. */
const leastNode = [22, 19] as const

/** Requests at once within one call, far below E2B's bounds (about 600 a second). */
const concurrency = 8

/** How long ending a sandbox that was made in vain may take, in milliseconds. It is listed, should that not work. */
const undoMs = 15_000

/** How long looking for the bridge may take, in milliseconds. */
const lookMs = 10_000

const keys = { owner: "holdfast-owner", session: "holdfast-session", generation: "holdfast-generation" } as const

const Named = Schema.Struct({
  [keys.owner]: Schema.String,
  [keys.session]: SessionId,
  [keys.generation]: Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
})
const readNames = Schema.decodeUnknownOption(Named)

/** Makes the provider. Options that make no sense throw. */
export const makeE2bProvider = (options: E2bSandboxesOptions): SandboxProvider => {
  const { home = "/home/user", lifetimeMs = 60 * 60_000, node = "node", template } = options
  if (!(lifetimeMs >= minLifetimeMs && lifetimeMs <= maxLifetimeMs)) {
    throw new RangeError(`lifetimeMs must be ${minLifetimeMs} to ${maxLifetimeMs}`)
  }
  if (!isAbsolute(home)) throw new RangeError("home must be an absolute path")
  if (template === "") throw new RangeError("template must not be empty")
  const places = {
    home,
    workspace: join(home, "workspace"),
    data: join(home, ".holdfast"),
    program: join(home, ".holdfast/holdfast-bridge.mjs")
  }
  const serially = makeSerialByKey()

  /** The account's key is read for each call: keys are replaced while hosts run. */
  const open = Effect.fnUntraced(function* (fail: Fail) {
    const apiKey = options.apiKey ?? process.env["E2B_API_KEY"]
    if (apiKey === undefined || apiKey === "") {
      return yield* fail("forbidden", "there is no API key: give `apiKey`, or set the variable E2B_API_KEY")
    }
    const sdk = yield* loadE2bSdk(fail)
    const { apiUrl, domain, sandboxUrl } = options
    return E2bApi.makeE2bApi(fail, sdk, {
      apiKey,
      ...(domain === undefined ? {} : { domain }),
      ...(apiUrl === undefined ? {} : { apiUrl }),
      ...(sandboxUrl === undefined ? {} : { sandboxUrl })
    })
  })

  const guestOf = ({ account, fail, sdk }: E2bApi.E2bApi, access: E2bApi.E2bAccess): Guest => ({
    fail,
    node,
    scrub: makeScrub([account.apiKey, access.envdAccessToken ?? undefined]),
    // What `Sandbox.connect` ends with; that would also wake a paused sandbox, and forget the API's statuses.
    sandbox: new sdk.Sandbox({
      ...sdkOptions(account),
      sandboxId: access.sandboxID,
      envdVersion: access.envdVersion,
      ...(access.domain == null ? {} : { sandboxDomain: access.domain }),
      ...(access.envdAccessToken == null ? {} : { envdAccessToken: access.envdAccessToken })
    })
  })

  /** A sandbox that runs. */
  const enter = Effect.fnUntraced(function* (api: E2bApi.E2bApi, sandboxId: string) {
    const found = yield* E2bApi.getSandbox(api, sandboxId)
    if (found === undefined) return yield* api.fail("not_found", "there is no such sandbox")
    if (found.state === "paused") return yield* api.fail("invalid", "the sandbox does not run: it was paused at E2B")
    return { found, guest: guestOf(api, found) }
  })

  const environment = { HOME: places.home, HOLDFAST_WORKSPACE: places.workspace, HOLDFAST_BRIDGE_DATA: places.data }

  /** What runs in a sandbox, and the file that has to be put there first. */
  const bridge = Effect.fnUntraced(function* (fail: Fail) {
    if (options.bridge !== undefined && "installed" in options.bridge) return { words: options.bridge.installed }
    const found = options.bridge === undefined ? findBridgeProgram() : { words: [options.bridge.upload] }
    if ("problem" in found) return yield* fail("invalid", found.problem)
    const path = found.words.at(-1)!
    const file: Uint8Array = yield* Effect.tryPromise({
      try: () => readFile(path),
      catch: (cause) => fail("invalid", `the bridge's file ${path} cannot be read`, { cause })
    })
    return { words: [node, places.program], file }
  })

  const infoOf = (sandbox: E2bApi.E2bSandbox, condition: SandboxInfo["condition"]): ReadonlyArray<SandboxInfo> => {
    const named = readNames(sandbox.metadata)
    if (Option.isNone(named)) return []
    return [
      {
        sandboxId: sandbox.sandboxID,
        owner: named.value[keys.owner],
        sessionId: named.value[keys.session],
        generation: named.value[keys.generation],
        condition,
        createdAt: Date.parse(sandbox.startedAt)
      }
    ]
  }

  /** Lengthens the life of one that somebody asks for and whose time is half over. Where that fails, the next one tries. */
  const keep = Effect.fnUntraced(function* (api: E2bApi.E2bApi, { endAt, sandboxID, state }: E2bApi.E2bSandbox) {
    if (state === "paused" || Date.parse(endAt) - (yield* Clock.currentTimeMillis) > lifetimeMs / 2) return
    yield* E2bApi.extendSandbox(api, sandboxID, lifetimeMs).pipe(
      Effect.catch(({ detail }) =>
        Effect.logWarning(`the life of the sandbox ${sandboxID} was not lengthened: ${detail}`)
      )
    )
  })

  /** Looks at one that is listed. It may end meanwhile. */
  const lookAt = Effect.fnUntraced(function* (api: E2bApi.E2bApi, listed: E2bApi.E2bSandbox) {
    yield* keep(api, listed)
    const found = yield* E2bApi.getSandbox(api, listed.sandboxID)
    return found === undefined ? [] : infoOf(found, yield* conditionOf(api, found))
  })

  /** Whether its bridge runs. Where that cannot be seen it is taken to: only E2B's word, or the bridge's end, stops anything. */
  const conditionOf = Effect.fnUntraced(function* (
    api: E2bApi.E2bApi,
    found: E2bApi.E2bSandbox & E2bApi.E2bAccess
  ): Effect.fn.Return<SandboxInfo["condition"]> {
    if (found.state === "paused") return "stopped"
    const looked = yield* Effect.option(
      Effect.timeout(lookForBridge(guestOf(api, found), found.sandboxID, places.data), lookMs)
    )
    if (Option.isNone(looked) || looked.value.runs) return "running"
    const age = (yield* Clock.currentTimeMillis) - Date.parse(found.startedAt)
    return looked.value.begun || age > providerDeadlines.create ? "stopped" : "starting"
  })

  const make = Effect.fnUntraced(function* (fail: Fail, request: SandboxRequest, snapshotId?: string) {
    if (request.controlPlane.startsWith("unix:")) {
      return yield* fail(
        "invalid",
        "a sandbox elsewhere reaches no unix socket: give the public https URL of the server"
      )
    }
    const checked = checkRequest(fail, request, [])
    if ("error" in checked) return yield* checked.error
    const problem = options.anyControlPlane === true ? undefined : whyNotPublic(new URL(request.controlPlane))
    if (problem !== undefined) return yield* fail("invalid", problem)
    if (snapshotId !== undefined && readSnapshotName(request.owner, snapshotId) === undefined) {
      return yield* fail("not_found", "there is no such snapshot of this owner")
    }
    const { file, words } = yield* bridge(fail)
    const api = yield* open(fail)
    const metadata = {
      [keys.owner]: request.owner,
      [keys.session]: request.sessionId,
      [keys.generation]: String(request.generation)
    }

    const { generation, owner, sessionId } = request
    const made = { owner, sessionId, generation, condition: "running" as const }

    /** Puts the bridge in and starts it; nothing of it is done twice. */
    const begin = Effect.fnUntraced(
      function* (access: E2bApi.E2bAccess) {
        const guest = guestOf(api, access)
        yield* awaitRouted(guest)
        if (file !== undefined) yield* upload(guest, places.program, file)
        yield* startBridge(guest, {
          sandbox: access.sandboxID,
          words,
          cwd: places.workspace,
          data: places.data,
          env: { ...request.environment, ...environment, HOLDFAST_BRIDGE_URL: request.controlPlane },
          ...(file === undefined ? {} : { leastNode })
        })
      },
      // Not found would be said of what it is made from.
      Effect.mapError((error) => (error.failure === "not_found" ? fail("unavailable", error.detail) : error))
    )

    return yield* serially(
      JSON.stringify(metadata),
      Effect.gen(function* () {
        const [listed] = (yield* E2bApi.listSandboxes(api, metadata)).filter(({ state }) => state !== "paused")
        const there = listed === undefined ? undefined : yield* E2bApi.getSandbox(api, listed.sandboxID)
        if (there !== undefined && there.state !== "paused") {
          // One that was made in a call which did not come to its end, or whose bridge has ended since.
          const { runs } = yield* lookForBridge(guestOf(api, there), there.sandboxID, places.data)
          if (!runs) yield* begin(there)
          return { ...made, sandboxId: there.sandboxID, createdAt: Date.parse(there.startedAt) }
        }
        // Listed by its metadata from the moment on at which E2B has it, whether or not we hear of it.
        const { sandboxID } = yield* Effect.acquireUseRelease(
          E2bApi.createSandbox(api, snapshotId ?? request.image ?? template, metadata, lifetimeMs).pipe(
            Effect.mapError((error) =>
              error.failure === "not_found" && snapshotId === undefined
                ? fail("invalid", `E2B has no template ${request.image ?? template}: ${error.detail}`)
                : error
            )
          ),
          (access) => Effect.as(begin(access), access),
          (access, exit) =>
            exit._tag === "Success"
              ? Effect.void
              : E2bApi.killSandbox(api, access.sandboxID).pipe(Effect.timeout(undoMs), Effect.ignore)
        )
        return { ...made, sandboxId: sandboxID, createdAt: yield* Clock.currentTimeMillis }
      })
    )
  })

  const call = <A>(
    operation: string,
    ms: number,
    body: (fail: Fail) => Effect.Effect<A, SandboxProviderError>
  ): Effect.Effect<A, SandboxProviderError> => {
    const fail = failing(name, operation)
    return Effect.suspend(() => body(fail)).pipe(within(fail, ms), Effect.withSpan(`e2bSandboxes.${operation}`))
  }

  const inGuest = <A>(
    operation: string,
    ms: number,
    sandboxId: string,
    body: (guest: Guest) => Effect.Effect<A, SandboxProviderError>
  ) =>
    call(operation, ms, (fail) =>
      Effect.gen(function* () {
        const { guest } = yield* enter(yield* open(fail), sandboxId)
        return yield* body(guest)
      })
    )

  const inside = { cwd: places.workspace, env: environment }

  return {
    name,
    capabilities: {
      snapshot: true,
      dialIn: false,
      limits: [],
      isolation: "A virtual machine of its own at E2B, with a network that is open to the internet."
    },
    check: call("check", providerDeadlines.ask, (fail) =>
      Effect.andThen(bridge(fail), Effect.flatMap(open(fail), E2bApi.checkAccount))
    ),
    create: (request) => call("create", providerDeadlines.create, (fail) => make(fail, request)),
    restore: (snapshotId, request) =>
      call("restore", providerDeadlines.copy, (fail) => make(fail, request, snapshotId)),
    list: (owner) =>
      call("list", providerDeadlines.ask, (fail) =>
        Effect.gen(function* () {
          const api = yield* open(fail)
          const found = yield* E2bApi.listSandboxes(api, { [keys.owner]: owner })
          const all = yield* Effect.forEach(found, (each) => lookAt(api, each), { concurrency })
          return all.flat()
        })
      ),
    status: (sandboxId) =>
      call("status", providerDeadlines.ask, (fail) =>
        Effect.gen(function* () {
          const api = yield* open(fail)
          const found = yield* E2bApi.getSandbox(api, sandboxId)
          if (found === undefined) return "gone" as const
          yield* keep(api, found)
          return yield* conditionOf(api, found)
        })
      ),
    exec: (sandboxId, run) =>
      inGuest("exec", (run.timeoutMs ?? runDefaults.timeoutMs) + providerDeadlines.execExtra, sandboxId, (guest) =>
        runInGuest(guest, run, inside)
      ),
    putFile: (sandboxId, path, content, mode) =>
      inGuest("putFile", providerDeadlines.file + providerDeadlines.execExtra, sandboxId, (guest) =>
        putFileByExec(guest.fail, (run) => runInGuest(guest, run, inside), path, content, mode)
      ),
    getFile: (sandboxId, path) =>
      inGuest("getFile", providerDeadlines.file, sandboxId, (guest) => download(guest, path)),
    snapshot: (sandboxId) =>
      call("snapshot", providerDeadlines.copy, (fail) =>
        Effect.gen(function* () {
          const api = yield* open(fail)
          const { found } = yield* enter(api, sandboxId)
          const [info] = infoOf(found, "running")
          if (info === undefined) return yield* fail("invalid", "the sandbox was not made by this library")
          const { owner, sessionId } = info
          const createdAt = yield* Clock.currentTimeMillis
          const { snapshotID } = yield* E2bApi.createSnapshot(
            api,
            sandboxId,
            snapshotName(owner, { sessionId, createdAt })
          )
          return { snapshotId: snapshotID, owner, sessionId, createdAt }
        })
      ),
    snapshots: (owner) =>
      call("snapshots", providerDeadlines.ask, (fail) =>
        Effect.gen(function* () {
          const all = yield* E2bApi.listSnapshots(yield* open(fail))
          return all.flatMap(({ names, snapshotID }): ReadonlyArray<SnapshotInfo> => {
            const facts = [...(names ?? []), snapshotID].map((each) => readSnapshotName(owner, each)).find(Boolean)
            return facts === undefined ? [] : [{ snapshotId: snapshotID, owner, ...facts }]
          })
        })
      ),
    removeSnapshot: (snapshotId) =>
      call("removeSnapshot", providerDeadlines.destroy, (fail) =>
        isSnapshotName(snapshotId)
          ? Effect.flatMap(open(fail), (api) => E2bApi.deleteSnapshot(api, snapshotId))
          : Effect.void
      ),
    destroy: (sandboxId) =>
      call("destroy", providerDeadlines.destroy, (fail) =>
        Effect.flatMap(open(fail), (api) => E2bApi.killSandbox(api, sandboxId))
      )
  }
}
