/**
 * Files that the program has inside and that have to be files: unpacked into a private folder when they are first needed. The
 * build has node-pty and `@holdfast/process` call these; from the sources nobody does.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { embeddedFiles } from "./embeddedFiles.ts"

let folder: string | undefined

/** Says below which folder to unpack. */
export const unpackBelow = (data: string): void => {
  folder = join(data, "unpacked")
}

/** A name that says what is in it: another version of the program has other files. A half-written one is never seen. */
const unpack = (name: string, base64: string): string => {
  if (folder === undefined) throw new Error("it is not known where to unpack")
  const content = Buffer.from(base64, "base64")
  const path = join(folder, createHash("sha256").update(content).digest("hex").slice(0, 16), name)
  if (existsSync(path) && statSync(path).size === content.byteLength) return path
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, content, { mode: 0o700 })
  renameSync(temporary, path)
  return path
}

const platform = `${process.platform}-${process.arch}`

const load = (path: string): unknown => {
  const module = { exports: {} }
  process.dlopen(module, path)
  return module.exports
}

/** node-pty's addon: the one inside, or that of a node-pty which is installed where the program is. */
export const loadAddon = (name: string): { readonly dir: string; readonly module: unknown } => {
  const files = embeddedFiles?.addons[platform]
  if (files === undefined) {
    const root = dirname(createRequire(import.meta.url).resolve("node-pty/package.json"))
    const dir = join(root, "build", "Release")
    return { dir, module: load(join(dir, `${name}.node`)) }
  }
  const paths = Object.entries(files).map(([file, base64]) => unpack(file, base64))
  const addon = paths.find((path) => path.endsWith(`${name}.node`))
  if (addon === undefined) throw new Error(`this program has no ${name}.node for ${platform}`)
  // Where macOS finds its helper.
  const helper = paths.find((path) => path.endsWith("spawn-helper"))
  return { dir: dirname(helper ?? addon), module: load(addon) }
}

/** The keeper's file. */
export const keeperFile = (): string => {
  if (embeddedFiles === undefined) throw new Error("the keeper is only inside of the built program")
  return unpack("keeper.mjs", embeddedFiles.keeper)
}
