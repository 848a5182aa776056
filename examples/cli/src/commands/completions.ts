/** `holdfast completions`: what a shell needs to complete the command line. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import { write } from "../output/Output.ts"

/** Makes `holdfast completions` for a command that is complete but for it. */
export const makeCompletions = (whole: () => Command.Command.Any) =>
  Command.make(
    "completions",
    { shell: Argument.Literals("shell", ["bash", "zsh", "fish"]).pipe(Argument.withDescription("bash, zsh or fish")) },
    ({ shell }) => write(Completions.generate("holdfast", shell, Completions.fromCommand(whole())))
  ).pipe(
    Command.withDescription("Print the completion script of a shell"),
    Command.withExamples([{ command: 'eval "$(holdfast completions bash)"', description: "In ~/.bashrc" }])
  )
