/**
 * What a browser loads for `connect` of the client, bundled, minified and gzipped with all that it imports.
 *
 *     node scripts/client-size.ts            the size against its ceiling
 *     node scripts/client-size.ts --what     what it consists of
 */
import { build, type Metafile } from "esbuild"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { repository } from "./workspaces.ts"

/**
 * Most gzipped bytes that the client may have in a browser: what it had when this was set, and 5 %. Whoever raises it says in
 * the changeset what for; `docs/client.md` states the size.
 */
export const maxClientBytes = 72_700

/** A measured bundle. */
export interface ClientSize {
  readonly minified: number
  readonly gzipped: number
  /** Minified bytes by package, the largest first. */
  readonly byPackage: ReadonlyArray<readonly [name: string, bytes: number]>
}

const packageOf = (file: string): string =>
  /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? /packages\/([^/]+)/.exec(file)?.[1] ?? file

const weighPackages = (metafile: Metafile): ClientSize["byPackage"] => {
  const bytes = new Map<string, number>()
  for (const output of Object.values(metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
      const name = packageOf(file)
      bytes.set(name, (bytes.get(name) ?? 0) + bytesInOutput)
    }
  }
  return [...bytes].filter(([, size]) => size > 0).toSorted(([, a], [, b]) => b - a)
}

/** Bundles the client for browsers as an app's bundler does, from the sources, and measures it. */
export const measureClient = async (): Promise<ClientSize> => {
  const { metafile, outputFiles } = await build({
    stdin: {
      contents: `export { connect } from "@holdfast/client"`,
      resolveDir: join(repository, "packages/client")
    },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    // Naming any condition leaves out the one that bundlers have by themselves.
    conditions: ["@holdfast/source", "module"],
    metafile: true,
    write: false
  })
  const bundle = outputFiles[0]!.contents
  return {
    minified: bundle.byteLength,
    gzipped: gzipSync(bundle, { level: 9 }).byteLength,
    byPackage: weighPackages(metafile)
  }
}

if (import.meta.main) {
  const { byPackage, gzipped, minified } = await measureClient()
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`
  console.log(
    `The client has ${kilobytes(gzipped)} gzipped (${kilobytes(minified)} minified); ${kilobytes(maxClientBytes)} are allowed.`
  )
  if (process.argv.includes("--what")) for (const [name, bytes] of byPackage) console.log(`${kilobytes(bytes)} ${name}`)
  if (gzipped > maxClientBytes) {
    console.error("It has grown: look at what it consists of with --what, and leave out what is not needed.")
    process.exitCode = 1
  }
}
