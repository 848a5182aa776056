/**
 * What Node's compiler made of the bridge, kept on disk, so that a sandbox starts without compiling a megabyte first: some
 * 100 ms and 15 MB less. Made by the host and only shown to sandboxes: none can put code into another one's way.
 */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"

/** How long one run of the program may take that does nothing but load it, in milliseconds. */
const loadTimeoutMs = 10_000

const run = promisify(execFile)

/**
 * Gives the folder for `NODE_COMPILE_CACHE`, filled once for a version of the program and of Node; undefined where that does
 * not work, and then sandboxes start as they did. `words` are Node and the program's file. The newest folder alone is kept.
 */
export const makeCompileCache = (below: string) => {
  let ready: { readonly key: string; readonly folder: string | undefined } | undefined

  const fill = async (words: ReadonlyArray<string>): Promise<string | undefined> => {
    const [node, file] = words as [string, string]
    const { mtimeMs, size } = await stat(file)
    const key = createHash("sha256")
      .update(JSON.stringify([node, file, mtimeMs, size, process.version]))
      .digest("hex")
    if (ready?.key === key) return ready.folder
    const folder = join(below, key.slice(0, 16))
    const isThere = await stat(folder).then(
      () => true,
      () => false
    )
    if (!isThere) {
      await mkdir(below, { recursive: true, mode: 0o700 })
      const made = join(below, `${key.slice(0, 16)}.${process.pid}`)
      await run(node, [file, "--version"], {
        env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: made },
        timeout: loadTimeoutMs
      })
      for (const other of await readdir(below)) {
        if (join(below, other) !== made) await rm(join(below, other), { recursive: true, force: true })
      }
      await rename(made, folder)
    }
    ready = { key, folder }
    return folder
  }

  return (words: ReadonlyArray<string>): Effect.Effect<string | undefined> =>
    Effect.tryPromise(() => fill(words)).pipe(
      Effect.catch((error) => Effect.as(Effect.logDebug("the bridge starts without a compile cache", error), undefined))
    )
}
