/** Prints a session's screen. */
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import { json as printJson, note, write } from "../output/Output.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"

/** Which one, and how. */
export interface PrintScreenOptions {
  readonly format: "text" | "ansi" | "json"
  readonly at: number | undefined
}

/** Prints it. */
export const printScreen = (store: string, asked: string, { at, format }: PrintScreenOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const { sessionId } = yield* findSession(log, asked)
      const { ansi, cols, lines, missing, modes, rows, seq, title } = yield* makeSessionReader(log).screen(
        sessionId,
        at
      )
      switch (format) {
        case "json":
          yield* printJson({ sessionId, seq, cols, rows, title, lines, modes, missing })
          break
        case "ansi":
          yield* write(ansi)
          break
        case "text":
          yield* write(`${lines.join("\n").trimEnd()}\n`)
          break
      }
      for (const { from, reason, to } of missing) yield* note(`events ${from} to ${to} are left out: ${reason}`)
    })
  )
