/**
 * A proxy for TCP on the loopback interface that does to its connections what networks do: cuts, delays, slows and
 * reorders them, breaks them into other pieces, lets one direction fall silent, refuses. For tests of anything that must
 * live with it.
 *
 * ```ts
 * await using proxy = await startFaultProxy({ target: { port } })
 * const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
 * await proxy.waitUntil(([connection]) => (connection?.down.passed ?? 0) > 1_000)
 * proxy.inject({ down: { end: { after: 0, how: "swallow" } } }) // the client hears nothing any more
 * ```
 */
import { Effect, Exit, Schema, Scope } from "effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { makeWaitableList } from "../WaitableList.ts"
import { type FaultConnection, type FaultDirection, joinSockets } from "./FaultConnection.ts"
import { type FaultReorder, makeFaultReorder } from "./FaultReorder.ts"
import {
  checkConnectionFaults,
  checkSchedule,
  type ConnectionFaults,
  type FaultEnding,
  type FaultSchedule
} from "./FaultSchedule.ts"

/** The fault proxy cannot listen. */
export class FaultProxyUnavailable extends Schema.TaggedError<FaultProxyUnavailable>()("FaultProxyUnavailable", {
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The fault proxy cannot listen on port ${this.port} of the loopback interface: ${String(this.cause)}`
  }
}

/** What was waited for did not come about. */
export class FaultWaitExpired extends Schema.TaggedError<FaultWaitExpired>()("FaultWaitExpired", {
  timeoutMs: Schema.Int,
  connections: Schema.Array(Schema.Unknown)
}) {
  override get message() {
    return `Within ${this.timeoutMs} ms no such thing happened; the connections are: ${JSON.stringify(this.connections)}`
  }
}

/** Options of {@link makeFaultProxy}. */
export interface FaultProxyOptions {
  /** Where connections go to. The host's default is `127.0.0.1`. */
  readonly target: { readonly port: number; readonly host?: string }
  /** Default 0: any free port. */
  readonly port?: number
  /** Default: nothing goes wrong until it is told to. */
  readonly schedule?: FaultSchedule
}

/** What one direction of a connection has carried. */
export interface LaneFacts {
  /** Bytes that the receiver was sent. */
  readonly passed: number
  /** Bytes that were taken from the sender and never sent on. */
  readonly swallowed: number
}

/** A connection through the proxy. */
export interface ProxiedConnection {
  /** 1 for the first that was accepted. */
  readonly number: number
  readonly phase: "open" | "refused" | "closed"
  readonly up: LaneFacts
  readonly down: LaneFacts
}

/** A fault that has come about. Delays, pieces and slowness are not among them: they last. */
export interface InjectedFault {
  /** Number of the connection. */
  readonly connection: number
  readonly what: FaultEnding | "refused"
  /** Which direction it was set for; null of a refusal and of a cut by command. */
  readonly direction: FaultDirection | null
  /** Bytes that had passed in that direction, or in both. */
  readonly passed: number
}

/** What the two faces of a fault proxy share. */
interface FaultControls {
  /** Where clients connect to, on 127.0.0.1. */
  readonly port: number
  /** The latest 1,000 connections, oldest first, as they are now. */
  readonly connections: () => ReadonlyArray<ProxiedConnection>
  /** The latest 1,000 faults that have come about, oldest first. */
  readonly injected: ReadonlyArray<InjectedFault>
  /**
   * Sets faults of an open connection, or of all that are open; a direction that is not named keeps its own. Counts begin
   * now. Throws where a number is out of its bounds.
   *
   * @returns how many connections it applies to
   */
  readonly inject: (faults: ConnectionFaults, connection?: number) => number
  /** Ends a connection now, or all that are open. */
  readonly cut: (how: "fin" | "rst", connection?: number) => number
  /**
   * Resets connections as soon as they are there, for so many milliseconds, or until `heal`. (The port stays taken, so that
   * nobody else gets it; a client sees a reset and not a refusal.)
   */
  readonly refuse: (forMs?: number) => void
  /**
   * Nothing goes wrong any more: open connections lose their faults, later ones get none. What was swallowed is lost, so a
   * direction that swallows goes on with it: cut the connection.
   */
  readonly heal: () => void
}

/** Options of waiting. */
export interface FaultWaitOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
}

type Fits = (connections: ReadonlyArray<ProxiedConnection>) => boolean

/** A running fault proxy. */
export interface FaultProxy extends FaultControls {
  /** Waits until the connections are so; it is asked whenever one comes, goes, or has carried something. */
  readonly waitUntil: (fits: Fits, options?: FaultWaitOptions) => Effect.Effect<void, FaultWaitExpired>
}

/** A running fault proxy, plainly. */
export interface PlainFaultProxy extends FaultControls {
  /** As {@link FaultProxy.waitUntil}; rejects with the same error. */
  readonly waitUntil: (fits: Fits, options?: FaultWaitOptions) => Promise<void>
  /** Breaks all connections and stops. Idempotent. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** Connections at once; further ones are closed. */
const connectionLimit = 2_000

/** Connections and faults that are remembered. */
const keep = 1_000

const nothing: ConnectionFaults = { up: {}, down: {} }

interface Entry {
  readonly number: number
  phase: ProxiedConnection["phase"]
  /** There once the target has been reached. */
  joined?: FaultConnection
  /** What it is given as soon as it is joined. */
  faults: ConnectionFaults
  readonly cut: (how: "fin" | "rst") => void
  readonly destroy: () => void
}

const factsOf = ({ joined, number, phase }: Entry): ProxiedConnection => {
  const lane = (direction: FaultDirection): LaneFacts => ({
    passed: joined?.lanes[direction].passed() ?? 0,
    swallowed: joined?.lanes[direction].swallowed() ?? 0
  })
  return { number, phase, up: lane("up"), down: lane("down") }
}

/** Everything but listening. */
const makeConnections = (options: FaultProxyOptions) => {
  const { host = "127.0.0.1", port } = options.target
  const entries = makeWaitableList<Entry>(keep)
  const open = new Set<Entry>()
  const injected: Array<InjectedFault> = []
  let plans = checkSchedule(options.schedule ?? { connections: [] }).connections
  const reorder: FaultReorder | undefined =
    options.schedule?.reorder === undefined ? undefined : makeFaultReorder(options.schedule.reorder)
  let accepted = 0
  let refuseUntil = 0

  const note = (fault: InjectedFault) => {
    injected.push(fault)
    if (injected.length > keep) injected.shift()
  }

  const closed = (entry: Entry) => {
    entry.phase = "closed"
    open.delete(entry)
    entries.changed()
  }

  const accept = (client: Socket) => {
    const number = ++accepted
    const plan = plans[number - 1] ?? nothing
    const now = performance.now()
    if (plan.refuseMs !== undefined) refuseUntil = Math.max(refuseUntil, now + plan.refuseMs)
    // A reset that comes before anything is joined.
    client.on("error", () => undefined)
    if (plan.refuseMs !== undefined || now < refuseUntil) {
      client.resetAndDestroy()
      note({ connection: number, what: "refused", direction: null, passed: 0 })
      entries.add({ number, phase: "refused", faults: nothing, cut: () => undefined, destroy: () => undefined })
      return
    }
    client.setNoDelay(true)
    const target = connect({ host, port, allowHalfOpen: true, noDelay: true })
    const entry: Entry = {
      number,
      phase: "open",
      faults: plan,
      cut: (how) => {
        const { down, up } = factsOf(entry)
        note({ connection: number, what: how, direction: null, passed: up.passed + down.passed })
        if (entry.joined !== undefined) return entry.joined.cut(how)
        if (how === "rst") client.resetAndDestroy()
        else client.destroySoon()
      },
      destroy: () => {
        entry.joined?.destroy()
        client.destroy()
        target.destroy()
      }
    }
    open.add(entry)
    const fail = () => {
      client.resetAndDestroy()
      closed(entry)
    }
    const give = () => target.destroy()
    client.once("close", give)
    target.once("error", fail)
    target.once("connect", () => {
      target.off("error", fail)
      client.off("close", give)
      entry.joined = joinSockets(
        {
          client,
          target,
          reorder,
          onEnding: (direction, what, passed) => {
            note({ connection: number, what, direction, passed })
            entries.changed()
          },
          onPassed: entries.changed,
          onClose: () => closed(entry)
        },
        entry.faults
      )
      client.resume()
    })
    target.once("close", () => {
      if (entry.joined === undefined) closed(entry)
    })
    entries.add(entry)
  }

  const meantBy = (connection: number | undefined) =>
    [...open].filter(({ number }) => connection === undefined || number === connection)

  const inject = (faults: ConnectionFaults, connection?: number): number => {
    const checked = checkConnectionFaults(faults)
    const meant = meantBy(connection)
    for (const entry of meant) {
      entry.faults = { ...entry.faults, ...checked }
      entry.joined?.setFaults(checked)
    }
    return meant.length
  }

  const controls = {
    connections: () => entries.items.map(factsOf),
    injected,
    inject,
    cut: (how, connection) => {
      const meant = meantBy(connection)
      for (const entry of meant) entry.cut(how)
      return meant.length
    },
    refuse: (forMs = Number.POSITIVE_INFINITY) => {
      refuseUntil = performance.now() + forMs
    },
    heal: () => {
      plans = []
      refuseUntil = 0
      reorder?.stop()
      inject(nothing)
    }
  } satisfies Omit<FaultControls, "port">

  const close = () => {
    reorder?.close()
    for (const entry of open) entry.destroy()
  }

  const waitUntil = (fits: Fits, { timeoutMs = 10_000 }: FaultWaitOptions = {}) =>
    entries
      .find((items) => (fits(items.map(factsOf)) ? true : undefined))
      .pipe(
        Effect.asVoid,
        Effect.timeoutOrElse({
          duration: timeoutMs,
          orElse: () => Effect.fail(new FaultWaitExpired({ timeoutMs, connections: controls.connections() }))
        })
      )

  return { accept, close, controls, waitUntil }
}

/** Starts a fault proxy, which stops with the scope. Its times are real, whatever clock the caller has. */
export const makeFaultProxy = Effect.fn("makeFaultProxy")(function* (
  options: FaultProxyOptions
): Effect.fn.Return<FaultProxy, FaultProxyUnavailable, Scope.Scope> {
  const { port = 0 } = options
  const { accept, close, controls, waitUntil } = makeConnections(options)
  const server = yield* Effect.acquireRelease(
    Effect.callback<Server, FaultProxyUnavailable>((resume) => {
      const listening = createServer({ allowHalfOpen: true, pauseOnConnect: true }, accept)
      listening.maxConnections = connectionLimit
      const fail = (cause: Error) => resume(Effect.fail(new FaultProxyUnavailable({ port, cause })))
      listening.once("error", fail)
      listening.listen(port, "127.0.0.1", () => {
        listening.off("error", fail)
        resume(Effect.succeed(listening))
      })
    }),
    (listening) =>
      Effect.callback<void>((resume) => {
        listening.close(() => resume(Effect.void))
        close()
      })
  )
  return { ...controls, port: (server.address() as AddressInfo).port, waitUntil }
})

/** Starts a fault proxy, plainly. Rejects with {@link FaultProxyUnavailable} where it cannot listen. */
export const startFaultProxy = async (options: FaultProxyOptions): Promise<PlainFaultProxy> => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const proxy = await Effect.runPromise(Scope.provide(makeFaultProxy(options), scope))
    return {
      ...proxy,
      waitUntil: (fits, wait) => Effect.runPromise(proxy.waitUntil(fits, wait)),
      close,
      [Symbol.asyncDispose]: close
    }
  } catch (error) {
    await close()
    throw error
  }
}
