/** How far something is, on stderr: one line that is drawn over itself where a person looks, and a line a change elsewhere. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { note } from "./Output.ts"
import { styleOf } from "./Style.ts"
import { fit } from "./Text.ts"

/** Seconds after which it is said how long it has taken already. */
const worthSaying = 2

/** Says how far it is now. */
export type LiveLine = (text: string) => Effect.Effect<void>

/** Makes a line that is gone again when the scope closes. */
export const makeLiveLine: Effect.Effect<LiveLine, never, Scope.Scope> = Effect.gen(function* () {
  const begun = performance.now()
  const style = styleOf(process.stderr)
  let shown: string | undefined
  const draw = () => {
    const seconds = Math.floor((performance.now() - begun) / 1_000)
    const since = seconds < worthSaying ? "" : ` (${seconds} s)`
    const text = fit(`holdfast: ${shown}${since}`, (process.stderr.columns || 80) - 1)
    process.stderr.write(`\r${style("dim", text)}\u001b[K`)
  }
  if (process.stderr.isTTY !== true) {
    return (text: string) =>
      Effect.suspend(() => {
        if (text === shown) return Effect.void
        shown = text
        return note(`holdfast: ${text}`)
      })
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      if (shown !== undefined) process.stderr.write("\r\u001b[K")
    })
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep("1 second"),
        Effect.sync(() => {
          if (shown !== undefined) draw()
        })
      )
    )
  )
  return (text: string) =>
    Effect.sync(() => {
      shown = text
      draw()
    })
})
