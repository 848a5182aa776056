/**
 * Where the programs of a suite's sessions run, and how the suite looks at them from outside: at their processes and at what
 * they write into files. By default that is the machine of the suite itself.
 */
import { type ProcessIdentity, promises } from "@holdfast/process"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** A process, as the suite has to know it. */
export interface SuiteProcess {
  /** Its command and arguments, in one text. */
  readonly command: string
  /** The value of its variable `HOLDFAST_PROCESS`, where it has one. */
  readonly marker?: string
}

/**
 * The place where sessions run. What is left out is as on the suite's own machine.
 *
 * Containers of this machine need `folder` alone, and `remains` where they are to be gone after the backend's `release`: root
 * sees their processes among its own. (Nobody else reads the environment of their processes: then, as for another machine,
 * give `processes`. A test of the suite fails where it would look for processes and never see one.)
 *
 * What is never seen from outside: whether a process of a container or of another machine is the one that the session told of,
 * since its number means nothing here. It is looked for by its marker alone.
 */
export interface SuiteMachine {
  /**
   * A folder that the suite and the programs of the sessions see, under the same path, and in which both may write: a volume
   * that both have. Default the system's for temporary files.
   */
  readonly folder?: string
  /** The processes of all sessions that run now; others may be among them. Asked often, until something has ended. */
  readonly processes?: Effect.Effect<ReadonlyArray<SuiteProcess>, unknown>
  /** What the backend's sessions ran in and is still there, each in a few words; after the backend's release: nothing. */
  readonly remains?: Effect.Effect<ReadonlyArray<string>, unknown>
}

/** What runs of a process that was told of, and of those that carry a marker. */
export const runningOf = (
  { processes }: SuiteMachine,
  told: ProcessIdentity | undefined,
  marker: string | undefined
): Effect.Effect<ReadonlyArray<unknown>, unknown> =>
  processes === undefined
    ? Effect.promise(async () => {
        const isAlive = told !== undefined && (await promises.isAlive(told))
        return [...(isAlive ? [told] : []), ...(marker === undefined ? [] : await promises.tree({ marker }))]
      })
    : Effect.map(processes, (all) => all.filter((each) => each.marker !== undefined && each.marker === marker))

/** The commands that have a text in them. */
export const commandsNaming = (
  { processes }: SuiteMachine,
  text: string
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.map(processes === undefined ? ownCommands : Effect.map(processes, commandsOf), (commands) =>
    commands.filter((command) => command.includes(text))
  )

const commandsOf = (processes: ReadonlyArray<SuiteProcess>) => processes.map(({ command }) => command)

const ownCommands = Effect.map(
  Effect.promise(() => promisify(execFile)("ps", ["-A", "-ww", "-o", "args="], { maxBuffer: 16 * 1024 * 1024 })),
  ({ stdout }) => stdout.split("\n")
)
