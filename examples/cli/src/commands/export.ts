/** `holdfast export`: a session for other programs. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { usage } from "../ExitCode.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** The formats, by their names on the command line. */
export const exportFormats = ["cast", "jsonl", "text"] as const

/** `holdfast export`. */
export const exportSession = Command.make(
  "export",
  {
    session: sessionArgument,
    format: Flag.Literals("format", exportFormats).pipe(
      Flag.withDescription("cast (asciicast v2, as asciinema plays it), jsonl (every event) or text (what was shown)")
    ),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("file"),
      Flag.withDescription("Where to write it; default: stdout"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ format, output, session }) {
    const { json, store } = yield* settings
    if (json && Option.isNone(output))
      return yield* usage("with --json, export needs --output: stdout says what was written")
    const { writeExport } = yield* Effect.promise(() => import("../session/WriteExport.ts"))
    yield* writeExport(store, session, { json, format, file: Option.getOrUndefined(output) })
  })
).pipe(
  Command.withDescription("Write a session for other programs, as far as it has come"),
  Command.withExamples([
    { command: "holdfast export 0199a3c4 --format cast -o demo.cast", description: "Then: asciinema play demo.cast" }
  ])
)
