/**
 * The process that owns a store and its sessions, so that they outlive the terminals they were started from. It starts
 * on demand, listens for its own user only, and ends when no session lives and nobody is connected.
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { ptyBackend } from "@holdfast/adapter-pty"
import { LogUnavailable, type SessionId, type SessionState } from "@holdfast/core"
import { movedWorkspaces } from "@holdfast/git"
import { type HoldfastService, letHeapGrow, makeHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import type * as Scope from "effect/Scope"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import { chmodSync, closeSync, rmSync, writeSync } from "node:fs"
import { connect } from "node:net"
import { makePlace, type OwnerPlace, sandboxPlace } from "../store/StorePath.ts"
import { agentBackends } from "./AgentBackends.ts"
import { openCloudBackend } from "./CloudBackend.ts"
import { attachedStream, endedLifecycles, endOf, hasEnded, outputAfter } from "./AttachedStream.ts"
import { eventsAfter } from "./EventsStream.ts"
import { OwnerApi, ownerProtocol } from "./OwnerApi.ts"
import { type LastWords, makeLastWords } from "./LastWords.ts"
import { makeWatchers, type Watchers } from "./Watchers.ts"
import { encodeReport, type OwnerReport, reportDescriptor } from "./OwnerReport.ts"

/** Two looks at whether anybody still needs the owner, and how many in a row have to say no. */
const idleLookMs = 500
const idleLooks = 4

/**
 * How long to try for a store that another process owns. An owner listens a few milliseconds after it has the store and
 * gives the store up soon after it has stopped listening; whoever holds it silently for longer is no owner of ours.
 */
const ownedRetryMs = 3_000
const ownedRetryEveryMs = 50

/** Tells whoever started this process, once. */
const report = (what: OwnerReport) =>
  Effect.sync(() => {
    writeSync(reportDescriptor, encodeReport(what))
    closeSync(reportDescriptor)
  })

const someoneListens = (socket: string) =>
  Effect.callback<boolean>((resume) => {
    const probe = connect(socket)
    probe.once("connect", () => resume(Effect.succeed(true)))
    probe.once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => probe.destroy())
  })

/** Opens the store as its owner; undefined where another owner of ours serves it already. */
const becomeOwner = Effect.fnUntraced(function* (
  store: string,
  socket: string
): Effect.fn.Return<SqliteEventLog.SqliteLog | undefined, LogUnavailable, Scope.Scope> {
  for (let waited = 0; ; waited += ownedRetryEveryMs) {
    const opened = yield* Effect.result(SqliteEventLog.open({ path: store }))
    if (opened._tag === "Success") return opened.success
    if (opened.failure.reason !== "owned" || waited >= ownedRetryMs) return yield* opened.failure
    if (yield* Effect.scoped(someoneListens(socket))) return undefined
    yield* Effect.sleep(ownedRetryEveryMs)
  }
})

/** Listens; the store's fence has made sure that a socket which is there already is a dead owner's. */
const listen = ({
  socket
}: OwnerPlace): Effect.Effect<SocketServer.SocketServer["Service"], LogUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    rmSync(socket, { force: true })
    // The socket is made with these bits; the directory keeps others out in any case.
    const before = process.umask(0o177)
    const server = yield* NodeSocketServer.make({ path: socket }).pipe(
      Effect.ensuring(Effect.sync(() => process.umask(before)))
    )
    chmodSync(socket, 0o600)
    return server
  }).pipe(
    Effect.catchTag("SocketServerError", (cause) =>
      Effect.fail(
        new LogUnavailable({ operation: "serve others", reason: "io", detail: `${socket}: ${cause.message}`, cause })
      )
    )
  )

const isSettled = (state: SessionState) => state.chart.lifecycle === "open" || hasEnded(state)

/** The calls, on a runtime that may still be sweeping its store. */
const handlers = (
  whenReady: Effect.Effect<HoldfastService, LogUnavailable>,
  lastWords: LastWords,
  { watching }: Watchers,
  isLeaving: () => boolean
) => {
  const command = (...[sessionId, body]: Parameters<HoldfastService["command"]>) =>
    Effect.flatMap(whenReady, (holdfast) => holdfast.command(sessionId, body))
  const waitForEnd = (sessionId: SessionId) =>
    lastWords.forCall(Effect.flatMap(whenReady, (holdfast) => Effect.map(holdfast.until(sessionId, hasEnded), endOf)))
  const resize = (sessionId: SessionId, size: { readonly cols: number; readonly rows: number }) =>
    command(sessionId, { type: "terminal.resize", data: size })

  return OwnerApi.toLayer({
    Hello: () =>
      Effect.map(whenReady, ({ swept }) => ({
        protocol: ownerProtocol,
        pid: process.pid,
        leaving: isLeaving(),
        swept
      })),
    Create: ({ backend, spec, title }) =>
      Effect.flatMap(whenReady, (holdfast) =>
        holdfast.create({ backend, spec, ...(title === undefined ? {} : { title }) })
      ),
    Attach: ({ after, sessionId, size }) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const holdfast = yield* whenReady
          // A session that opens or has ended keeps its size: it is shown as it is.
          if (size !== undefined) yield* Effect.catchTag(resize(sessionId, size), "CommandRejected", () => Effect.void)
          const shown =
            after === undefined ? attachedStream(holdfast, sessionId) : outputAfter(holdfast, sessionId, after)
          return lastWords.forStream(watching(holdfast, sessionId, shown))
        })
      ),
    Write: ({ bytes, sessionId }) => {
      const write = command(sessionId, { type: "terminal.write", data: { bytes } })
      // What is typed while it opens reaches it once it is open.
      const opened = Effect.flatMap(whenReady, (holdfast) => holdfast.until(sessionId, isSettled))
      return write.pipe(
        Effect.catchIf(
          (error) => error._tag === "CommandRejected" && error.reason === "illegal_state",
          () => Effect.andThen(opened, write)
        ),
        Effect.asVoid
      )
    },
    // Whatever it is, the runtime checks it as it checks every command.
    Command: (asked) => command(asked.sessionId, asked.command as never),
    Events: ({ after, sessionId }) =>
      lastWords.forStream(
        Stream.unwrap(
          Effect.map(whenReady, (holdfast) => watching(holdfast, sessionId, eventsAfter(holdfast, sessionId, after)))
        )
      ),
    Handoff: ({ restart, sessionId, target }) =>
      Effect.flatMap(whenReady, (holdfast) => holdfast.handoff(sessionId, { ...target, restart })),
    Wait: ({ sessionId }) => waitForEnd(sessionId),
    Close: ({ force, sessionId }) =>
      Effect.andThen(
        command(sessionId, { type: "session.close", data: { force, reason: "holdfast kill" } }),
        waitForEnd(sessionId)
      ),
    Gc: (options) => Effect.flatMap(whenReady, (holdfast) => holdfast.gc(options)),
    Vacuum: () => Effect.flatMap(whenReady, (holdfast) => holdfast.vacuum)
  })
}

/** Completes when nobody has needed the owner for a while. */
const untilIdle = Effect.fnUntraced(function* (holdfast: HoldfastService, clients: Effect.Effect<ReadonlySet<number>>) {
  const running = new Set<SessionId>()
  yield* Effect.forkScoped(
    Stream.runForEach(holdfast.followList(), (item) =>
      Effect.sync(() => {
        if (item.kind === "gone") for (const sessionId of item.sessionIds) running.delete(sessionId)
        if (item.kind !== "changed") return
        for (const { lifecycle, sessionId } of item.sessions) {
          if (endedLifecycles.has(lifecycle)) running.delete(sessionId)
          else running.add(sessionId)
        }
      })
    )
  )
  for (let idle = 0; idle < idleLooks;) {
    yield* Effect.sleep(idleLookMs)
    idle = running.size === 0 && (yield* clients).size === 0 ? idle + 1 : 0
  }
})

/** Runs the owner of a store until it is not needed, or told to end: then its sessions are closed, politely at first. */
export const ownerProcess = (store: string): Effect.Effect<void, LogUnavailable> =>
  Effect.gen(function* () {
    const place = makePlace(store)
    const log = yield* becomeOwner(store, place.socket).pipe(
      Effect.tapError((error) => report({ kind: "failed", error }))
    )
    if (log === undefined) return yield* report({ kind: "serving" })
    letHeapGrow()

    const ready = yield* Deferred.make<HoldfastService, LogUnavailable>()
    const lastWords = makeLastWords()
    let leaving = false
    const serving = yield* Layer.build(
      RpcServer.layer(OwnerApi, { disableTracing: true }).pipe(
        Layer.provide(handlers(Deferred.await(ready), lastWords, makeWatchers(), () => leaving)),
        Layer.provideMerge(RpcServer.layerProtocolSocketServer),
        Layer.provide(Layer.effect(SocketServer.SocketServer, listen(place))),
        Layer.provide(RpcSerialization.layerNdjson)
      )
    ).pipe(Effect.tapError((error) => report({ kind: "failed", error })))
    yield* report({ kind: "serving" })
    const { clientIds } = Context.get(serving, RpcServer.Protocol)

    // Made last, so that it ends first: whoever is connected then still hears how the sessions ended.
    yield* Effect.addFinalizer(() => lastWords.told)
    const holdfast = yield* openCloudBackend(store).pipe(
      Effect.flatMap((cloud) =>
        makeHoldfast(log, {
          backends: [ptyBackend(), ...agentBackends(), cloud],
          handoff: { folder: sandboxPlace(store).moving, workspaces: movedWorkspaces() }
        })
      ),
      Effect.onExit((exit) => Deferred.done(ready, exit))
    )
    yield* untilIdle(holdfast, clientIds)
    // In the same step as the last look: who comes now is not taken in, only to be closed with the rest. Without the socket
    // the successor waits for the log instead of for an answer.
    leaving = true
    rmSync(place.socket, { force: true })
  }).pipe(Effect.scoped)
