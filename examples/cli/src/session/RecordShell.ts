/** A recorded shell, with a word on how to leave it and come back. */
import * as Effect from "effect/Effect"
import { note } from "../output/Output.ts"
import { styleOf } from "../output/Style.ts"
import { runSession } from "./RunSession.ts"

/** Opens it in this directory. */
export const recordShell = Effect.fnUntraced(function* (store: string) {
  const style = styleOf(process.stderr)
  const row = (what: string, does: string) => `  ${style("bold", what.padEnd(30))}${style("dim", does)}`
  yield* note(
    [
      `${style("bold", "Holdfast")}: this shell is recorded in ${store}`,
      row("Ctrl-\\", "leaves it running"),
      row("npx holdfast ls", "lists sessions, from any terminal in this directory"),
      row("npx holdfast attach <id>", "goes back to one"),
      row("npx holdfast replay <id>", "plays one; screen, log and export show it in other ways"),
      row("exit", "ends it"),
      ""
    ].join("\n")
  )
  yield* runSession(
    { store, json: false, detach: false, detachKey: "ctrl-\\" },
    { profile: "shell", args: [], cloud: undefined, cwd: process.cwd(), env: [], title: undefined }
  )
})
