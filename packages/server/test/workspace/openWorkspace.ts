import { makeSessionId } from "@holdfast/core"
import { Effect, Exit, Stream } from "effect"
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type OpenRoot, openRoot, openRootByDescriptor, openRootByPath } from "../../src/workspace/Entry.ts"
import { makeLocalWorkspaces } from "../../src/workspace/LocalWorkspaces.ts"
import { type ReadOptions, WorkspaceError, type WriteOptions } from "../../src/workspace/Workspace.ts"

/** Both ways of going through directories; the second is what other systems than Linux have. */
export const ways: ReadonlyArray<readonly [string, OpenRoot]> =
  process.platform === "linux"
    ? [
        ["by descriptors", openRootByDescriptor],
        ["by paths", openRootByPath]
      ]
    : [["by paths", openRootByPath]]

/** A workspace in a directory of its own, and a directory beside it that nobody may reach. */
export const openWorkspace = async (open: OpenRoot = openRoot) => {
  const top = await realpath(await mkdtemp(join(tmpdir(), "holdfast-workspace-")))
  const path = join(top, "inside")
  const outside = join(top, "outside")
  await mkdir(path)
  await mkdir(outside)
  const workspaces = makeLocalWorkspaces({ open })
  const sessionId = makeSessionId()
  const workspace = await Effect.runPromise(workspaces.of({ sessionId, workspace: path }))
  const { exec, files } = workspace

  const settle = async <A>(effect: Effect.Effect<A, WorkspaceError>): Promise<A | WorkspaceError> => {
    const exit = await Effect.runPromiseExit(Effect.result(effect))
    if (Exit.isFailure(exit)) throw new Error("a defect", { cause: exit.cause })
    return exit.value._tag === "Success" ? exit.value.success : exit.value.failure
  }
  const run = async <A>(effect: Effect.Effect<A, WorkspaceError>): Promise<A> => {
    const result = await settle(effect)
    if (result instanceof WorkspaceError) throw result
    return result
  }
  /** The error's reason; fails where there is none. */
  const reasonOf = async (effect: Effect.Effect<unknown, WorkspaceError>): Promise<string> => {
    const result = await settle(effect)
    if (!(result instanceof WorkspaceError)) throw new Error(`it succeeded: ${JSON.stringify(result)}`)
    if (!result.path.includes(top) && result.message.includes(top))
      throw new Error(`the message tells where it is: ${result.message}`)
    return result.reason
  }
  const read = (name: string, options?: ReadOptions) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { bytes, ...rest } = yield* files.read(name, options)
        const parts = yield* Stream.runCollect(bytes)
        return { ...rest, content: Buffer.concat(parts) }
      })
    )
  const write = (name: string, text: string | Uint8Array, options?: WriteOptions) =>
    files.write(name, Stream.succeed(typeof text === "string" ? Buffer.from(text) : text), options)

  return {
    top,
    path,
    outside,
    workspaces,
    sessionId,
    files,
    exec,
    settle,
    run,
    reasonOf,
    read,
    write,
    [Symbol.asyncDispose]: () => rm(top, { recursive: true, force: true })
  }
}
