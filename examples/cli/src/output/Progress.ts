/** How far something long is: one line on stderr, drawn over itself, where a person looks. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { size } from "./Text.ts"

/** Milliseconds before it is shown at all, and between two drawings. */
const quietMs = 500
const drawEveryMs = 100

/** Tells how many bytes there are. */
export type Progress = (bytes: number) => Effect.Effect<void>

/** Makes a line that is gone again when the scope closes. */
export const makeProgress = (what: string): Effect.Effect<Progress, never, Scope.Scope> =>
  Effect.gen(function* () {
    let next = performance.now() + quietMs
    let drawn = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (drawn) process.stderr.write("\r\u001b[K")
      })
    )
    return (bytes) =>
      Effect.sync(() => {
        const now = performance.now()
        if (!process.stderr.isTTY || now < next) return
        next = now + drawEveryMs
        drawn = true
        process.stderr.write(`\r${size(bytes)} ${what}\u001b[K`)
      })
  })
