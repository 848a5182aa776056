/** From promises and live values to Effect's types: one rule for all calls, so that none is lost. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ClientError, clientError } from "./ClientError.ts"
import type { Live } from "./Live.ts"
import { messageOf } from "./TokenSource.ts"

/** Names of the methods that give a promise. */
export type PromiseMethod<T> = {
  [K in keyof T]-?: T[K] extends (...args: infer _P) => Promise<infer _A> ? K : never
}[keyof T]

/** The methods that give promises, as Effects. Interrupting one aborts its call. */
export type EffectCalls<T> = {
  readonly [K in PromiseMethod<T>]: T[K] extends (...args: infer P) => Promise<infer A>
    ? (...args: P) => Effect.Effect<A, ClientError>
    : never
}

/**
 * Turns the named methods into Effects. Each name stands with the position of the options among the method's arguments, into
 * which the signal of the interruption goes.
 */
export const effectCalls = <T extends object, K extends PromiseMethod<T>>(
  target: T,
  optionsAt: { readonly [P in K]: number }
): Pick<EffectCalls<T>, K & keyof EffectCalls<T>> => {
  const calls: Record<string, unknown> = {}
  for (const [name, at] of Object.entries(optionsAt) as ReadonlyArray<readonly [string, number]>) {
    const method = target[name as keyof T] as (...args: ReadonlyArray<unknown>) => Promise<unknown>
    calls[name] = (...args: ReadonlyArray<unknown>) =>
      Effect.tryPromise({
        try: (signal) => {
          const all = [...args]
          while (all.length < at) all.push(undefined)
          const options = (all[at] ?? {}) as { readonly signal?: AbortSignal }
          all[at] = {
            ...options,
            signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal])
          }
          return method(...all)
        },
        catch: asClientError
      })
  }
  return calls as never
}

/** What a call rejects with. Only a signal of the caller's own rejects with anything else. */
export const asClientError = (error: unknown): ClientError =>
  error instanceof ClientError ? error : clientError("unavailable", messageOf(error), { cause: error })

/** A live value: the newest is at hand, and each newer one is told. */
export interface EffectLive<A> {
  readonly current: Effect.Effect<A>
  /** The newest value, then each newer one; whoever is slow misses those in between. Ends when the value does. */
  readonly changes: Stream.Stream<A>
}

/** Turns a live value around. */
export const effectLive = <A>(live: Live<A>): EffectLive<A> => ({
  current: Effect.sync(() => live.current),
  changes: Stream.orDie(Stream.fromAsyncIterable(live, asClientError))
})
