/** Copies and removes whole folders that somebody else may be writing to, and whose content is not trusted. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { rm } from "node:fs/promises"
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { type Fail, fileFailure } from "../provider/ProviderErrors.ts"

/** What a program says to stderr is kept so far, in bytes. */
const maxSaid = 4 * 1024 * 1024

interface Ended {
  readonly code: number | string | null
  readonly said: string
}

const run = (command: string, args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.callback<Ended>((resume) => {
    const env = { ...process.env, LC_ALL: "C" }
    const child = execFile(command, args, { env, maxBuffer: maxSaid }, (error, _, said) =>
      resume(Effect.succeed({ code: error === null ? 0 : (error.code ?? null), said }))
    )
    return Effect.callback<void>((stopped) => {
      if (child.exitCode !== null || child.signalCode !== null || !child.kill("SIGKILL")) stopped(Effect.void)
      else child.once("exit", () => stopped(Effect.void))
    })
  })

/** `cp` shares blocks where the file system can, and keeps links, times, modes, sockets and pipes as they are. */
const copyFlags = process.platform === "darwin" ? ["-a", "-c"] : ["-a", "--reflink=auto"]

/**
 * Copies the content of a folder into another one, which must not exist. A file that is removed meanwhile is left out:
 * it was not there when the copy was finished.
 */
export const copyTree = (fail: Fail, from: string, to: string): Effect.Effect<void, SandboxProviderError> =>
  Effect.flatMap(run("cp", [...copyFlags, "--", from, to]), ({ code, said }) => {
    if (code === 0) return Effect.void
    const lines = said.split("\n").filter((line) => line !== "")
    if (typeof code === "number" && lines.length > 0 && lines.every((line) => line.endsWith(vanished)))
      return Effect.void
    if (/no space left|quota exceeded/i.test(said)) return Effect.fail(fail("exhausted", "the disk is full"))
    return Effect.fail(
      fail("unexpected", `the files could not be copied: ${said.slice(0, 500) || `cp ended with ${code}`}`)
    )
  })

const vanished = ": No such file or directory"

/** Removes a folder with everything in it, also what its user may not write to. */
export const removeTree = (fail: Fail, folder: string): Effect.Effect<void, SandboxProviderError> => {
  const remove = Effect.tryPromise({
    try: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
    catch: (cause) => fileFailure(fail, cause, `${folder} could not be removed`)
  })
  // Folders without rights cannot be emptied: Go's module cache is one of those.
  return Effect.catchIf(
    remove,
    ({ failure }) => failure === "forbidden",
    () => Effect.andThen(run("chmod", ["-R", "u+rwX", "--", folder]), remove)
  )
}
