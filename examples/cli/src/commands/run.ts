/** `holdfast run`: a command in a terminal of its own, recorded. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { resolve } from "node:path"
import { usage } from "../ExitCode.ts"
import { settings } from "../Settings.ts"
import { detachKeys } from "../terminal/DetachKey.ts"

/** The flag of every command that shows a session. */
export const detachKeyFlag = Flag.Literals("detach-key", detachKeys).pipe(
  Flag.withDescription("The key that leaves the session without ending it; none sends every key to the program"),
  Flag.withDefault("ctrl-\\")
)

/** `holdfast run`. */
export const run = Command.make(
  "run",
  {
    title: Flag.String("title").pipe(Flag.withDescription("What lists call it; default: the command"), Flag.optional),
    cwd: Flag.String("cwd").pipe(
      Flag.withMetavar("dir"),
      Flag.withDescription("Where it runs; default: here"),
      Flag.optional
    ),
    env: Flag.String("env").pipe(
      Flag.withMetavar("name"),
      Flag.withDescription(
        "A variable to pass on besides the usual ones, or NAME=value to set one; may be repeated. The log keeps names only"
      ),
      Flag.atLeast(0)
    ),
    detach: Flag.Boolean("detach").pipe(
      Flag.withAlias("d"),
      Flag.withDescription("Print the session's id and return; the command runs on"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    detachKey: detachKeyFlag,
    command: Argument.String("command").pipe(
      Argument.withDescription("The program and its arguments, after --"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function* ({ command: [command, ...args], cwd, detach, detachKey, env, title }) {
    const { json, store } = yield* settings
    if (command === undefined)
      return yield* usage("there is no command to run: holdfast run [flags] -- <command> [arguments]")
    const { runSession } = yield* Effect.promise(() => import("../session/RunSession.ts"))
    yield* runSession(
      { store, json, detach, detachKey },
      {
        profile: "command",
        command,
        args,
        cwd: resolve(Option.getOrElse(cwd, () => ".")),
        env,
        title: Option.getOrUndefined(title)
      }
    )
  })
).pipe(
  Command.withDescription(
    "Run a command in a terminal of its own and record it. The session lives in a background process: leaving it with " +
      "Ctrl-\\ or closing the window does not end it. The exit code is the command's, 128 + n after signal n."
  ),
  Command.withShortDescription("Run a command in a recorded terminal"),
  Command.withExamples([
    { command: "holdfast run -- npm test", description: "Record a command" },
    { command: "holdfast run -d --title build -- make -j4", description: "Start it in the background and print its id" }
  ])
)
