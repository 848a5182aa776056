/** A session's terminal with Effect: one stream of what happens to it, and what is typed. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClientError } from "./ClientError.ts"
import type { ClientSession } from "./ClientSession.ts"
import type { TerminalExit, TerminalReset, TerminalSize } from "./ClientTerminal.ts"
import { asClientError } from "./EffectCalls.ts"

/** What happens to a terminal, in order. */
export type TerminalHappening =
  /** A screen that takes the place of whatever was shown before. */
  | { readonly kind: "reset"; readonly screen: TerminalReset }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "resized"; readonly size: TerminalSize }
  | { readonly kind: "titled"; readonly title: string }
  | { readonly kind: "exited"; readonly exit: TerminalExit }
  | { readonly kind: "problem"; readonly error: ClientError }

/** A terminal. */
export interface EffectTerminal {
  readonly size: Effect.Effect<TerminalSize>
  /** To be run by one: what it does not take holds back the server, and past a mebibyte it gets the screen instead. */
  readonly happenings: Stream.Stream<TerminalHappening>
  /** Fails with `busy` where more than 1 MiB waits. */
  readonly write: (data: string | Uint8Array) => Effect.Effect<void, ClientError>
  readonly resize: (cols: number, rows: number) => Effect.Effect<void>
}

/** Joins a terminal until the scope closes. */
export const effectTerminal = (
  session: ClientSession,
  options?: Partial<TerminalSize>
): Effect.Effect<EffectTerminal, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const terminal = session.terminal(options)
        /** Bounded: output waits until it is taken, and what is told with it is a page's at most. */
        const happened: Array<{ readonly what: TerminalHappening; readonly taken: () => void }> = []
        let wake: (() => void) | undefined
        let isOver = false
        const push = (what: TerminalHappening) =>
          new Promise<void>((taken) => {
            happened.push({ what, taken })
            wake?.()
          })
        const tell = (what: TerminalHappening) => {
          happened.push({ what, taken: () => {} })
          wake?.()
        }
        terminal.onReset((screen) => push({ kind: "reset", screen }))
        terminal.onData((bytes) => push({ kind: "data", bytes }))
        terminal.onResize((size) => tell({ kind: "resized", size }))
        terminal.onTitle((title) => tell({ kind: "titled", title }))
        terminal.onExit((exit) => tell({ kind: "exited", exit }))
        terminal.onProblem((error) => tell({ kind: "problem", error }))
        async function* take(): AsyncGenerator<TerminalHappening, void, void> {
          for (;;) {
            if (isOver) return
            const next = happened.shift()
            if (next === undefined) await new Promise<void>((resolve) => (wake = resolve))
            else {
              yield next.what
              next.taken()
            }
          }
        }
        const iterate = (): AsyncIterator<TerminalHappening, void, void> => {
          const taking = take()
          return {
            next: () => taking.next(),
            // A generator that waits hears of its end only when it goes on.
            return: () => {
              close()
              return taking.return()
            }
          }
        }
        const close = () => {
          isOver = true
          terminal.close()
          for (const { taken } of happened) taken()
          wake?.()
        }
        return { terminal, iterate, close }
      }),
      ({ close }) => Effect.sync(close)
    ),
    ({ iterate, terminal }) => ({
      size: Effect.sync(() => ({ cols: terminal.cols, rows: terminal.rows })),
      happenings: Stream.orDie(Stream.fromAsyncIterable({ [Symbol.asyncIterator]: iterate }, asClientError)),
      write: (data) => Effect.try({ try: () => terminal.write(data), catch: asClientError }),
      resize: (cols, rows) => Effect.sync(() => terminal.resize(cols, rows))
    })
  )
