import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

/** A line that the program said. */
export interface OwnerLine {
  readonly opened?: string
  readonly generation?: number
  readonly seq?: number
  readonly acknowledged?: number
  readonly error?: string
  readonly reason?: string
  readonly message?: string
}

const program = fileURLToPath(new URL("./ownerProcess.ts", import.meta.url))

/** Starts a process that owns a log, for the scope. `as` is a user that it runs as. */
export const startOwner = (path: string, { as, session }: { readonly as?: number; readonly session?: string } = {}) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(
          process.execPath,
          ["--conditions=@holdfast/source", program, path, ...(session === undefined ? [] : [session])],
          { stdio: ["pipe", "pipe", "inherit"], ...(as === undefined ? {} : { uid: as, gid: as }) }
        )
        return { child, exited: once(child, "exit") }
      }),
      ({ child, exited }) =>
        Effect.promise(async () => {
          child.kill("SIGKILL")
          await exited
        })
    ),
    ({ child, exited }) => {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      return {
        pid: child.pid!,
        tell: (command: string) => void child.stdin.write(`${command}\n`),
        /** The next line; undefined when it has ended. */
        next: Effect.promise(async () => {
          const { done, value } = await lines.next()
          return done === true ? undefined : (JSON.parse(value) as OwnerLine)
        }),
        kill: Effect.promise(async () => {
          child.kill("SIGKILL")
          await exited
        }),
        ended: Effect.promise(() => exited)
      }
    }
  )
