/** Builds the published packages and packs them as they would be published. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Manifest, readPackages, repository } from "./workspaces.ts"

/** Runs a command with its output shown, and throws when it fails. */
export const run = (command: string, args: ReadonlyArray<string>, cwd: string = repository): void => {
  const { error, signal, status } = spawnSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${signal ?? status}`)
}

/** Runs a command that is of interest only when it fails: then its output is in the error. */
export const runQuietly = (command: string, args: ReadonlyArray<string>): void => {
  const { error, signal, status, stderr, stdout } = spawnSync(command, args, { cwd: repository, encoding: "utf8" })
  if (error !== undefined) throw error
  if (status !== 0)
    throw new Error(`${[command, ...args].join(" ")} ended with ${signal ?? status}:\n${stdout}${stderr}`)
}

/** A package and its tarball's path. */
export interface Packed {
  readonly manifest: Manifest
  readonly tarball: string
}

/** Builds and packs every published package, and hands the tarballs to `use`; they are gone when it is done. */
export const withTarballs = (use: (packed: ReadonlyArray<Packed>) => void): void => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-pack-"))
  try {
    run("npm", ["run", "--silent", "build"])
    const packages = readPackages(repository)
    const chosen = packages.flatMap(({ manifest }) => ["--workspace", manifest.name])
    run("npm", ["pack", "--silent", "--pack-destination", folder, ...chosen])
    use(
      packages.map(({ manifest }) => {
        const tarball = join(folder, `${manifest.name.slice(1).replace("/", "-")}-${manifest.version}.tgz`)
        if (!existsSync(tarball)) throw new Error(`npm pack made no ${tarball}`)
        return { manifest, tarball }
      })
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}
