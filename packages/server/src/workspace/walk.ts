/** Finds what a path in a workspace names, beneath its root whatever links say: as `openat2` does with `RESOLVE_BENEATH`. */
import { mkdir, readlink } from "node:fs/promises"
import { isAbsolute, sep } from "node:path"
import type { Entry, OpenRoot } from "./Entry.ts"
import { workspaceLimits } from "./Workspace.ts"
import { type Names, pathError, pathOf } from "./WorkspacePath.ts"

/**
 * Names that are looked up at most for one path, with all that its links say: five times the most that a path without links
 * can have. A chain of long links would take minutes.
 */
const maxSteps = 10_000

/** How to walk. */
export interface WalkOptions {
  /** Default true: where the last name is a link, to what it leads to. */
  readonly followLast?: boolean
  /** Directories to make where they are missing: those on the way, or the last one too. Default none. */
  readonly make?: "none" | "parents" | "all"
}

/** Where a walk ended. Whoever has it closes it. */
export interface Walked {
  /** From the root, with links followed. */
  readonly names: Names
  /** The directory that the last name is in; the root for itself. */
  readonly parent: Entry
  /** The last name, in the parent; null for the root. */
  readonly name: string | null
  /** What is there: null where there is nothing. The parent, for the root. */
  readonly entry: Entry | null
  readonly close: () => Promise<void>
}

const steps = (path: string): Array<string> => path.split(sep).filter((name) => name !== "" && name !== ".")

/** The steps of an absolute link from the root on; null where it leads out. */
const stepsBelow = (target: string, roots: ReadonlyArray<string>): Array<string> | null => {
  const root = roots.find((path) => target === path || target.startsWith(path.endsWith(sep) ? path : path + sep))
  return root === undefined ? null : steps(target.slice(root.length))
}

/** Walks from the root. Rejects with a `WorkspaceError`, or with what the system says. */
export const walk = async (
  open: OpenRoot,
  rootPath: string,
  wanted: Names,
  { followLast = true, make = "none" }: WalkOptions = {}
): Promise<Walked> => {
  const path = pathOf(wanted)
  const root = await open(rootPath)
  const isRoot = (entry: Entry) => entry === root
  const closeUnlessRoot = (entry: Entry) => (isRoot(entry) ? Promise.resolve() : entry.close())
  let directory = root
  const outside = () => pathError("outside", path, "is, or leads through, a link that leads out of the workspace")
  /** Opened last, and not yet in anybody's hands. */
  let entry: Entry | null = null
  try {
    const roots = [rootPath, await root.where()]
    let pending = [...wanted]
    let names: Array<string> = []
    let links = 0
    const fromRoot = async () => {
      names = []
      const left = directory
      directory = root
      await closeUnlessRoot(left)
    }
    for (let step = 0; ; step++) {
      if (step >= maxSteps) throw pathError("invalid", path, "leads through too many directories and links")
      const back = pending.findIndex((next) => next !== "..")
      const up = back === -1 ? pending.length : back
      if (up > names.length) throw outside()
      if (up > 0 || (pending.length === 0 && names.length > 0)) {
        // What is above is found from the root on: the directory may have been moved meanwhile. Its names were no links, but
        // may have become some.
        pending = [...names.slice(0, names.length - up), ...pending.slice(up)]
        await fromRoot()
      }
      const name = pending.shift()
      if (name === undefined) return { names: [], parent: root, name: null, entry: root, close: () => root.close() }
      const isLast = pending.length === 0
      entry = await directory.lookUp(name)
      if (entry === null && make !== "none" && (!isLast || make === "all")) {
        await makeDirectory(directory, name)
        entry = await directory.lookUp(name)
      }
      if (entry === null && !isLast) throw pathError("not_found", path, "is not there")
      if (entry?.stats.isSymbolicLink() === true && (!isLast || followLast)) {
        await entry.close()
        entry = null
        if (++links > workspaceLimits.maxLinks) throw pathError("invalid", path, "leads through too many links")
        const target = await readLink(directory, name)
        const to = isAbsolute(target) ? stepsBelow(target, roots) : steps(target)
        if (to === null) throw outside()
        pending = [...to, ...pending]
        if (isAbsolute(target)) await fromRoot()
        continue
      }
      if (isLast) {
        const found = { parent: directory, entry }
        return {
          names: [...names, name],
          name,
          ...found,
          close: async () => {
            await found.entry?.close()
            await closeUnlessRoot(found.parent)
            await root.close()
          }
        }
      }
      if (!entry!.stats.isDirectory())
        throw pathError("not_a_directory", path, "leads through something that is no directory")
      await closeUnlessRoot(directory)
      directory = entry!
      entry = null
      names.push(name)
    }
  } catch (error) {
    await entry?.close()
    await closeUnlessRoot(directory)
    await root.close()
    throw error
  }
}

const makeDirectory = async (directory: Entry, name: string): Promise<void> => {
  try {
    await mkdir(directory.child(name))
    await directory.verify()
  } catch (error) {
    // Somebody else was quicker, which is as good.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  }
}

const readLink = async (directory: Entry, name: string): Promise<string> => {
  try {
    return await readlink(directory.child(name))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // It is no link any more: look again.
    if (code === "EINVAL" || code === "ENOENT") return name
    throw error
  }
}
