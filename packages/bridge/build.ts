/**
 * Bundles the bridge into one file: `node build.ts`, or `buildBridge(outfile)` for tests and images.
 *
 * What is no JavaScript, or has to be a file of its own, is inside as base64 and unpacked when it is first needed: node-pty's
 * addon (and its helper on macOS), and the keeper of `@holdfast/process`.
 */
import { build, type BuildOptions, type Plugin } from "esbuild"
import { chmodSync, existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const here = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)

const common: BuildOptions = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  // The workspace's packages as source, so that nothing has to be built before.
  conditions: ["@holdfast/source", "module"]
}

/** The keeper with all that it imports. */
const buildKeeper = async (): Promise<Uint8Array> => {
  const entryPoints = [join(here, "../process/src/keeper.ts")]
  return (await build({ ...common, entryPoints, write: false })).outputFiles[0]!.contents
}

/** The addons of node-pty that there are here, by platform: those that it is shipped with, and the one that was compiled. */
const readAddons = (): Readonly<Record<string, Readonly<Record<string, string>>>> => {
  const root = dirname(require.resolve("node-pty/package.json"))
  const own = `${process.platform}-${process.arch}`
  const addons: Record<string, Record<string, string>> = {}
  // Windows has other files, and no bridge.
  for (const platform of new Set([own, "darwin-arm64", "darwin-x64"])) {
    const folders = [...(platform === own ? [join(root, "build/Release")] : []), join(root, "prebuilds", platform)]
    const folder = folders.find((each) => existsSync(join(each, "pty.node")))
    if (folder === undefined) continue
    const names = ["pty.node", "spawn-helper"].filter((name) => existsSync(join(folder, name)))
    addons[platform] = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "base64")]))
  }
  if (addons[own] === undefined) throw new Error(`node-pty has no addon for ${own}: install it with its build script`)
  return addons
}

/** Puts `from` in place of `to`, which has to be there: a dependency that has changed must not be bundled unseen. */
const replaced = (path: string, from: string, to: string): string => {
  const text = readFileSync(path, "utf8")
  if (text.split(from).length !== 2) throw new Error(`${path} does not have exactly one ${from}: adapt build.ts`)
  return text.replace(from, () => to)
}

/** Has the places where files are looked for beside the program ask for the unpacked ones. */
const embed = (unpacked: string, content: string): Plugin => ({
  name: "embed",
  setup: (bundle) => {
    bundle.onLoad({ filter: /[/\\]packages[/\\]process[/\\]src[/\\]ServerProcess\.ts$/ }, ({ path }) => ({
      contents: `import { keeperFile } from ${JSON.stringify(unpacked)}\n${replaced(path, "fileURLToPath(keeperUrl)", "keeperFile()")}`,
      loader: "ts",
      resolveDir: dirname(path)
    }))
    bundle.onLoad({ filter: /[/\\]node-pty[/\\]lib[/\\]utils\.js$/ }, ({ path }) => ({
      contents: `${replaced(path, "function loadNativeModule(name) {", "function loadNativeModule(name) {\n    return require(" + JSON.stringify(unpacked) + ").loadAddon(name);")}`,
      loader: "js",
      resolveDir: dirname(path)
    }))
    bundle.onLoad({ filter: /[/\\]embeddedFiles\.ts$/ }, ({ path }) => ({
      contents: replaced(path, "undefined as Embedded | undefined", content),
      loader: "ts",
      resolveDir: dirname(path)
    }))
  }
})

/** Builds the program into a file, which may be run by itself. */
export const buildBridge = async (outfile: string = join(here, "dist/holdfast-bridge.mjs")): Promise<void> => {
  const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8")) as { readonly version: string }
  const embedded = { addons: readAddons(), keeper: Buffer.from(await buildKeeper()).toString("base64") }
  await build({
    ...common,
    outfile,
    entryPoints: [join(here, "src/main.ts")],
    define: { HOLDFAST_BRIDGE_VERSION: JSON.stringify(version) },
    plugins: [embed(join(here, "src/UnpackedFiles.ts"), JSON.stringify(embedded))],
    // ws's native helpers, which it does without.
    external: ["bufferutil", "utf-8-validate"],
    banner: {
      js:
        "#!/usr/bin/env node\n" +
        'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' +
        "const __dirname = import.meta.dirname, __filename = import.meta.filename;"
    }
  })
  chmodSync(outfile, 0o755)
}

if (import.meta.main) await buildBridge()
