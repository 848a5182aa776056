/** The runtime for hosts that do not use Effect: promises, async iterables, and the same errors. */
import { EventLog, type LogUnavailable, type SessionId } from "@holdfast/core"
import { Effect, Layer, Logger, ManagedRuntime } from "effect"
import { Holdfast, type HoldfastOptions, type HoldfastService } from "./Holdfast.ts"
import { isKeystroke } from "./isKeystroke.ts"
import { makeRun, plainly, type Promised, settle } from "./plain.ts"
import type { AttachItem } from "./screen/Attach.ts"
import type { SessionScreen } from "./screen/SessionScreen.ts"
import { makeSessionReader, type SessionReader } from "./SessionReader.ts"
import { iterable } from "./StreamIterator.ts"

/** What must be done at the end: `await using` does it by itself. */
export interface Closing {
  /** Idempotent. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** A terminal that somebody joined, plainly: iterate `output`, and `break` to leave. */
export interface PlainAttached {
  readonly screen: SessionScreen
  readonly output: AsyncIterable<AttachItem>
}

interface Attaching {
  readonly attach: (sessionId: SessionId) => Promise<PlainAttached>
}

/** The reading half, plainly. */
export interface PlainReader extends Omit<Promised<SessionReader>, "attach">, Attaching, Closing {}

/**
 * The runtime, plainly. `close` ends the sessions that cannot outlive it, politely and then by force, and releases the
 * log.
 */
export interface PlainHoldfast extends Omit<Promised<HoldfastService>, "attach">, Attaching, Closing {}

/** Where events are stored: the layer of a store, such as `SqliteEventLog.layer({ path })` or `MemoryEventLog.layer`. */
export type Store = Layer.Layer<EventLog, LogUnavailable>

/** Gets the warnings and errors of background work. */
export interface LogSink {
  /** Nothing is logged unless given. */
  readonly onLog?: (level: string, message: string) => void
}

/** What a plain runtime is made of. */
export interface CreateHoldfast extends HoldfastOptions, LogSink {
  readonly store: Store
}

/** Opens the store, sweeps it, and gives a runtime. Rejects with `LogUnavailable` where the store cannot be opened. */
export const createHoldfast = async (options: CreateHoldfast): Promise<PlainHoldfast> => {
  const { store, onLog, ...rest } = options
  const runtime = ManagedRuntime.make(
    Holdfast.layer(rest).pipe(Layer.provideMerge(store), Layer.provideMerge(logger(onLog)))
  )
  const holdfast = typingPlainly(await opened(runtime, Holdfast))
  services.set(holdfast, runtime)
  return holdfast
}

/** A keystroke must not feel the way of a command: it is written before its promise is made. */
const typingPlainly = (holdfast: PlainHoldfast): PlainHoldfast => ({
  ...holdfast,
  command: async (sessionId, given, options) => {
    const typed = isKeystroke(given) ? holdfast.type(sessionId, given.data.bytes, options) : undefined
    if (typed === undefined) return holdfast.command(sessionId, given, options)
    if (!typed.accepted) throw typed.rejection
    return typed.receipt
  }
})

/** What plain runtimes are made of. */
const services = new WeakMap<PlainHoldfast, ManagedRuntime.ManagedRuntime<Holdfast | EventLog, LogUnavailable>>()

/**
 * The services of a plain runtime, for packages that are built on Effect and take a plain one from their host, as the server
 * does. Closing it stays its owner's. Only of what `createHoldfast` gave.
 */
export const servicesOf = (holdfast: PlainHoldfast): Layer.Layer<Holdfast | EventLog> => {
  const runtime = services.get(holdfast)
  if (runtime === undefined) throw new TypeError("This is no runtime that createHoldfast gave")
  return Layer.effectContext(Effect.promise(() => runtime.context()))
}

/** Opens a store to look at what some other process may own. */
export const createSessionReader = async (options: { readonly store: Store } & LogSink): Promise<PlainReader> => {
  const runtime = ManagedRuntime.make(Layer.provideMerge(options.store, logger(options.onLog)))
  return opened(runtime, Effect.map(EventLog, makeSessionReader))
}

const opened = async <R, E, T extends SessionReader>(
  runtime: ManagedRuntime.ManagedRuntime<R, E>,
  service: Effect.Effect<T, never, R>
): Promise<Omit<Promised<T>, "attach"> & Attaching & Closing> => {
  let isClosed = false
  const close = () => {
    isClosed = true
    return runtime.dispose()
  }
  try {
    const running = settle(await runtime.runPromiseExit(service))
    const run = makeRun(runtime, () => isClosed)
    const attach = async (sessionId: SessionId): Promise<PlainAttached> => {
      const { output, screen } = await run(running.attach(sessionId))
      return { screen, output: iterable(output) }
    }
    return { ...plainly(running, run), attach, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    // The failed build is cached in the runtime: there is nothing to be had from it any more.
    await close()
    throw error
  }
}

const logger = (onLog: LogSink["onLog"]): Layer.Layer<never> =>
  Logger.layer(
    onLog === undefined
      ? []
      : [
          Logger.make(({ logLevel, message }) => {
            onLog(logLevel, Array.isArray(message) ? message.map(String).join(" ") : String(message))
          })
        ]
  )
