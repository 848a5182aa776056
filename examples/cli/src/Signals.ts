/** What the system tells this process to do: Ctrl-C, the end of its terminal, kill. Each ends the command in order. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { constants } from "node:os"
import type * as Scope from "effect/Scope"

const ending = ["SIGINT", "SIGTERM", "SIGHUP"] as const

let taker: (() => void) | undefined

/** Gives Ctrl-C to somebody else for the scope: a program that is run, and that would get it in a terminal. */
export const takeInterrupts = (take: () => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      taker = take
    }),
    () =>
      Effect.sync(() => {
        taker = undefined
      })
  )

/** Interrupts the command on a signal; returns what gives the exit code of the signal that came, 128 and its number. */
export const interruptOnSignals = <A, E>(fiber: Fiber.Fiber<A, E>): (() => number | undefined) => {
  let received: number | undefined
  for (const signal of ending) {
    process.on(signal, () => {
      if (signal === "SIGINT" && taker !== undefined) return taker()
      received ??= 128 + constants.signals[signal]
      fiber.interruptUnsafe()
    })
  }
  return () => received
}
