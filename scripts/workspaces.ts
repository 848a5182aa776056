/** The packages of this repository, as npm sees them. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The part of a `package.json` that the checks look at. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly [field: string]: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** One workspace: its folder below the root, with forward slashes, and what its `package.json` says. */
export interface Workspace {
  readonly folder: string
  readonly manifest: Manifest
}

/** The root of this repository. */
export const repository = fileURLToPath(new URL("..", import.meta.url))

/** Reads a `package.json`. */
export const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/** Every workspace that the root's `package.json` names, in the order of their folders. */
export const readWorkspaces = (root: string): ReadonlyArray<Workspace> => {
  const patterns = readManifest(root)["workspaces"] as ReadonlyArray<string>
  return globSync(patterns, { cwd: root })
    .filter((folder) => existsSync(join(root, folder, "package.json")))
    .map((folder) => ({ folder: folder.replaceAll("\\", "/"), manifest: readManifest(join(root, folder)) }))
    .toSorted((a, b) => a.folder.localeCompare(b.folder))
}

/** The workspaces that are published. */
export const readPackages = (root: string): ReadonlyArray<Workspace> =>
  readWorkspaces(root).filter((workspace) => workspace.manifest.private !== true)
