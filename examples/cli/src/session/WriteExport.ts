/** Writes a session in a format of other programs, to a file or to stdout. */
import { asciicastOf, jsonlOf, transcriptOf } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { open, rename, rm } from "node:fs/promises"
import { exitCodes, Refused } from "../ExitCode.ts"
import { json as printJson, note, write } from "../output/Output.ts"
import { makeProgress } from "../output/Progress.ts"
import { size } from "../output/Text.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"
import { faceCast, faceText, hasFace } from "./FaceText.ts"

/** What to write, and where. */
export interface ExportOptions {
  readonly json: boolean
  readonly format: "cast" | "jsonl" | "text"
  /** Stdout unless given. */
  readonly file: string | undefined
}

const formats = { cast: asciicastOf, jsonl: jsonlOf, text: transcriptOf } as const

/** Of a session without a terminal, what its face shows. */
const faceFormats: typeof formats = {
  cast: faceCast,
  jsonl: jsonlOf,
  text: (log, sessionId) => Stream.map(faceText(log, sessionId, { colour: false }), ({ text }) => text)
}

/** A new file that takes its place once all of it is there; until then nothing is touched. */
const newFile = (file: string) =>
  Effect.gen(function* () {
    const partial = `${file}.partial`
    const failed = (cause: unknown) =>
      new Refused({ code: exitCodes.refused, detail: `${file} cannot be written: ${(cause as Error).message}` })
    const attempt = <A>(run: () => Promise<A>) => Effect.tryPromise({ try: run, catch: failed })
    let complete = false
    const handle = yield* Effect.acquireRelease(
      // What terminals have shown is for its user alone.
      attempt(() => open(partial, "w", 0o600)),
      (handle) =>
        Effect.promise(async () => {
          await handle.close()
          if (!complete) await rm(partial, { force: true })
        })
    )
    return {
      write: (text: string) => attempt(() => handle.writeFile(text)),
      done: attempt(async () => {
        await rename(partial, file)
        complete = true
      })
    }
  })

/** Writes it. */
export const writeExport = (store: string, asked: string, { file, format, json }: ExportOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const found = yield* findSession(log, asked)
      const { sessionId } = found
      const lines = (hasFace(found) ? faceFormats : formats)[format](log, sessionId)
      if (file === undefined) return yield* Stream.runForEach(lines, write)
      const target = yield* newFile(file)
      const progress = yield* makeProgress("written")
      let bytes = 0
      yield* Stream.runForEach(lines, (text) => {
        bytes += Buffer.byteLength(text)
        return Effect.andThen(target.write(text), progress(bytes))
      })
      yield* target.done
      yield* json ? printJson({ sessionId, format, file, bytes }) : note(`Wrote ${size(bytes)} to ${file}`)
    })
  )
