/** From Effect's types to promises and async iterables. */
import { Cause, Effect, Exit, type ManagedRuntime, Stream } from "effect"
import { iterable } from "./StreamIterator.ts"

/** Turns each method that returns an Effect into one that returns a Promise. Errors reject as they are. */
export type Promised<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer P) => Effect.Effect<infer A, infer _E>
    ? (...args: P) => Promise<A>
    : T[K] extends (...args: infer P) => Stream.Stream<infer A, infer _E>
      ? (...args: P) => AsyncIterable<A>
      : T[K] extends Effect.Effect<infer A, infer _E>
        ? () => Promise<A>
        : T[K]
}

/** Runs effects for a host, and turns their ends into what a host expects. */
export type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

/** Makes a {@link Run}. Once the runtime is closed everything rejects with an `Error` that says so. */
export const makeRun =
  <E>(runtime: ManagedRuntime.ManagedRuntime<never, E>, isClosed: () => boolean): Run =>
  async (effect) => {
    if (isClosed()) throw new Error("This runtime was closed: create a new one")
    return settle(await runtime.runPromiseExit(effect))
  }

/** The value of an exit, or its error thrown: the typed one itself, an `AbortError` for an interruption. */
export const settle = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  if (Cause.hasInterruptsOnly(exit.cause)) throw new DOMException("The operation was aborted", "AbortError")
  const error = Cause.squash(exit.cause)
  throw error instanceof Error ? error : new Error("Unexpected failure", { cause: error })
}

/** Wraps a service: effects become promises, streams become async iterables, the rest stays. */
export const plainly = <T extends object>(service: T, run: Run): Promised<T> => {
  const plain: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(service)) {
    if (typeof member === "function") plain[name] = (...args: Array<unknown>) => convert(member(...args), run)
    else plain[name] = Effect.isEffect(member) ? () => convert(member, run) : member
  }
  return plain as Promised<T>
}

const convert = (result: unknown, run: Run): unknown => {
  if (Effect.isEffect(result)) return run(result as Effect.Effect<unknown>)
  return Stream.isStream(result) ? iterable(result as Stream.Stream<unknown>) : result
}

/**
 * Lets an `AbortSignal` end an iteration: `for await (const page of abortable(holdfast.follow(id, 0), signal))`. Ends
 * quietly, as a `break` would, also while it waits for the next value.
 */
export async function* abortable<A>(iterable: AsyncIterable<A>, signal: AbortSignal): AsyncGenerator<A, void, void> {
  const iterator = iterable[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<void>()
  const onAbort = () => aborted.resolve()
  signal.addEventListener("abort", onAbort, { once: true })
  try {
    while (!signal.aborted) {
      const next = await Promise.race([iterator.next(), aborted.promise])
      if (next === undefined || next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener("abort", onAbort)
    await iterator.return?.()
  }
}
