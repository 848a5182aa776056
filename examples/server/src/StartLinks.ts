/** Start links on the terminal: one at the start, and another one whenever somebody asks. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { createInterface } from "node:readline"

/**
 * Prints a link, and another one for each line on stdin (Enter) and each SIGUSR2 until it is interrupted. A link counts once.
 * Who asks again while one is being made gets that one.
 */
export const printLinks = (startLink: () => Promise<string>): Effect.Effect<never> =>
  Effect.scoped(
    Effect.gen(function* () {
      const asked = yield* Queue.sliding<void>(1)
      const ask = () => void Queue.offerUnsafe(asked, undefined)
      const lines = createInterface({ input: process.stdin }).on("line", ask)
      process.on("SIGUSR2", ask)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          process.off("SIGUSR2", ask)
          lines.close()
        })
      )
      ask()
      return yield* Effect.forever(
        Effect.gen(function* () {
          yield* Queue.take(asked)
          const link = yield* Effect.promise(startLink)
          process.stdout.write(`\nOpen this link; it counts once, within 10 minutes:\n\n  ${link}\n\n`)
          process.stdout.write(`Enter prints another one${process.stdin.isTTY ? ", Ctrl-C stops the server" : ""}.\n`)
        })
      )
    })
  )
