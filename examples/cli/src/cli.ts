/** The command line: its commands, what all of them take, and how help and mistakes are shown. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import packageJson from "../package.json" with { type: "json" }
import { answer } from "./commands/answer.ts"
import { approve } from "./commands/approve.ts"
import { archive } from "./commands/archive.ts"
import { attach } from "./commands/attach.ts"
import { makeCompletions } from "./commands/completions.ts"
import { doctor } from "./commands/doctor.ts"
import { exportSession } from "./commands/export.ts"
import { gc } from "./commands/gc.ts"
import { handoff } from "./commands/handoff.ts"
import { interrupt } from "./commands/interrupt.ts"
import { kill } from "./commands/kill.ts"
import { log } from "./commands/log.ts"
import { ls } from "./commands/ls.ts"
import { owner } from "./commands/owner.ts"
import { prompt } from "./commands/prompt.ts"
import { rename } from "./commands/rename.ts"
import { replay } from "./commands/replay.ts"
import { run } from "./commands/run.ts"
import { sandboxes } from "./commands/sandboxes.ts"
import { screen } from "./commands/screen.ts"
import { start } from "./commands/start.ts"
import { stats } from "./commands/stats.ts"
import { vacuum } from "./commands/vacuum.ts"
import { write } from "./output/Output.ts"
import { JsonFlag, StoreFlag } from "./Settings.ts"

const completions: ReturnType<typeof makeCompletions> = makeCompletions(() => holdfast)

/** The command with all its subcommands. */
export const holdfast = Command.make("holdfast").pipe(
  Command.withDescription(
    "Run programs and coding agents, record them in a durable log; follow, attach, replay and export them"
  ),
  Command.withSubcommands([
    { group: "Sessions", commands: [run, attach, handoff, kill, ls, sandboxes, start] },
    { group: "Agents", commands: [prompt, approve, answer, interrupt] },
    { group: "What was recorded", commands: [log, screen, replay, exportSession] },
    { group: "Keeping order", commands: [rename, archive, gc, vacuum, stats, doctor, completions] },
    owner
  ]),
  Command.withGlobalFlags([StoreFlag, JsonFlag])
)

const isColoured = (stream: NodeJS.WriteStream) => stream.isTTY === true && stream.hasColors()

/** Help that was asked for goes to stdout, mistakes to stderr: what reads stdout gets output or nothing. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Effect.ignore(write(`${formatter(process.stdout).formatHelpDoc(event.helpDoc)}\n`))
      case "Version":
        return Effect.ignore(write(`${event.name} ${event.version}\n`))
      case "InvalidInvocation":
        return Effect.sync(() => {
          const mistakes = formatter(process.stderr).formatErrors(event.errors).trim()
          const help = `See ${event.commandPath.join(" ")} --help.`
          process.stderr.write(`${mistakes}\n\n${help}\n`)
        })
    }
  }
}

const formatter = (stream: NodeJS.WriteStream) =>
  CliOutput.defaultFormatter({ colors: isColoured(stream), globalFlags: "summary" })

const builtIns = [GlobalFlag.Help, GlobalFlag.Version]

/** Runs the command line. */
export const cli = (args: ReadonlyArray<string>) =>
  Command.runWith(holdfast, { version: packageJson.version })(args).pipe(
    Effect.provide(
      Layer.mergeAll(
        NodeServices.layer,
        CliConfig.layer({ builtIns }),
        CliOutput.layerPresenter(presenter),
        // stdout is for output.
        Layer.succeed(Logger.LogToStderr)(true)
      )
    )
  )
