/** Where the log is, and where its owner listens. */
import { createHash } from "node:crypto"
import { closeSync, lstatSync, mkdirSync, openSync, realpathSync } from "node:fs"
import { homedir, tmpdir, userInfo } from "node:os"
import { basename, dirname, join, resolve } from "node:path"

/**
 * The log's file: what was asked for, else HOLDFAST_STORE, else `holdfast/holdfast.db` below XDG_STATE_HOME or
 * `~/.local/state`.
 */
export const storePath = (asked: string | undefined, env: { readonly [name: string]: string | undefined }): string => {
  const given = asked ?? (env["HOLDFAST_STORE"] || undefined)
  if (given !== undefined) return resolve(given)
  return join(resolve(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state")), "holdfast", "holdfast.db")
}

/** One name for a file that has several: links are followed as far as they exist. */
const realStore = (store: string): string => {
  for (let path = store; ; path = dirname(path)) {
    try {
      return join(realpathSync(path), store.slice(path.length))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) return store
    }
  }
}

/** Longest path of a socket that every system takes (macOS: 104 bytes with the NUL), with some to spare. */
const maxSocketPath = 100

/** Where the owner of a store listens, and where it writes what goes wrong. */
export interface OwnerPlace {
  /** A directory of its own: only its user can enter it. */
  readonly directory: string
  readonly socket: string
  readonly log: string
}

/** The place of a store's owner: beside the store, or below the temporary directory where that path is too long. */
export const ownerPlace = (store: string): OwnerPlace => {
  const real = realStore(store)
  let directory = join(dirname(real), `${basename(real)}-owner`)
  if (Buffer.byteLength(join(directory, "bridges", "socket")) > maxSocketPath) {
    const digest = createHash("sha256").update(real).digest("hex").slice(0, 16)
    directory = join(tmpdir(), `holdfast-${userInfo().uid}-${digest}`)
  }
  return { directory, socket: join(directory, "socket"), log: join(directory, "log") }
}

/** Where the sandboxes of a store's sessions are, and how they reach its owner. */
export interface SandboxPlace {
  /** By whose name whoever makes sandboxes knows them: the same as long as the store is where it is. */
  readonly owner: string
  /** Files of the sandboxes that are processes of this machine. */
  readonly folder: string
  /** What sessions take along when they move. */
  readonly moving: string
  /** Where their bridges find the owner: alone in its directory, which sandboxes are shown. */
  readonly socket: string
}

/** The place of a store's sandboxes. */
export const sandboxPlace = (store: string): SandboxPlace => {
  const real = realStore(store)
  const digest = createHash("sha256").update(real).digest("hex").slice(0, 24)
  return {
    owner: `cli-${digest}`,
    folder: join(dirname(real), `${basename(real)}-sandboxes`),
    moving: join(dirname(real), `${basename(real)}-moving`),
    socket: join(ownerPlace(store).directory, "bridges", "socket")
  }
}

/** Why a directory is not safe to put a socket in; undefined where it is. */
export const placeProblem = ({ directory }: OwnerPlace): string | undefined => {
  const { uid } = userInfo()
  const stat = lstatSync(directory, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (!stat.isDirectory()) return `${directory} is no directory: remove it`
  if (uid >= 0 && stat.uid !== uid) return `${directory} belongs to another user: choose another --store`
  if (uid >= 0 && (stat.mode & 0o077) !== 0) return `${directory} is open to other users: chmod 700 ${directory}`
  return undefined
}

/** Makes the directories of a store and of its owner, for this user alone where they are new. */
export const makePlace = (store: string): OwnerPlace => {
  mkdirSync(dirname(store), { recursive: true, mode: 0o700 })
  const place = ownerPlace(store)
  mkdirSync(place.directory, { recursive: true, mode: 0o700 })
  // An empty file is a new log. Made here, it and what SQLite puts beside it are for this user alone.
  closeSync(openSync(store, "a", 0o600))
  return place
}
