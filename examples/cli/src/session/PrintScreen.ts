/** Prints a session's screen. */
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { json as printJson, note, write } from "../output/Output.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"
import { faceText, hasFace } from "./FaceText.ts"

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
      const found = yield* findSession(log, asked)
      const { sessionId } = found
      if (hasFace(found)) {
        const { seq, title } = found
        const pieces = faceText(log, sessionId, { colour: format === "ansi", through: at })
        if (format !== "json") return yield* Stream.runForEach(pieces, ({ text }) => write(text))
        const lines = (yield* Stream.mkString(Stream.map(pieces, ({ text }) => text))).trimEnd().split("\n")
        return yield* printJson({ sessionId, seq: at ?? seq, title, lines })
      }
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
