/**
 * Installs the tarballs into an empty app, and type-checks and runs the README's first example there and the bridge's one file
 * alone, on this Node and on the oldest that the packages are for.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run, withTarballs } from "./pack.ts"
import { readFirstExample } from "./readme.ts"
import { repository } from "./workspaces.ts"

/** Milliseconds that the example may run: it starts a program or two and ends. */
const exampleDeadline = 60_000

/** The oldest Node that the packages name in their `engines`. */
const oldestNode = "22.19.0"

/** Puts the oldest Node into a folder; npm has one package for each platform. */
const installOldestNode = (folder: string): string => {
  const platform = process.platform === "win32" ? "win" : process.platform
  const name = `node-${platform}-${process.arch}`
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "oldest", private: true }))
  run(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", `${name}@${oldestNode}`],
    folder
  )
  return join(folder, "node_modules", name, "bin", platform === "win" ? "node.exe" : "node")
}

const { output, source } = readFirstExample(join(repository, "README.md"))

withTarballs((packed) => {
  const app = mkdtempSync(join(tmpdir(), "holdfast-app-"))
  const oldest = mkdtempSync(join(tmpdir(), "holdfast-node-"))
  try {
    // npm 12 runs no install script that the app does not allow.
    const manifest = { name: "app", private: true, type: "module", allowScripts: { "node-pty": true } }
    const compilerOptions = {
      module: "NodeNext",
      target: "ES2023",
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [join(repository, "node_modules/@types")]
    }
    writeFileSync(join(app, "package.json"), JSON.stringify(manifest))
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["example.ts"] }))
    writeFileSync(join(app, "example.ts"), source)

    const tarballs = packed.map(({ tarball }) => tarball)
    run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", ...tarballs], app)
    run("npx", ["--no", "--", "tsc", "--project", app])

    for (const node of [process.execPath, installOldestNode(oldest)]) {
      const env = { ...process.env, NODE_NO_WARNINGS: "1" }
      const example = spawnSync(node, ["example.ts"], {
        cwd: app,
        env,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
        timeout: exampleDeadline
      })
      const { stdout: version } = spawnSync(node, ["--version"], { encoding: "utf8" })
      process.stdout.write(example.stdout)
      rmSync(join(app, "sessions.db"))
      if (example.error !== undefined) throw example.error
      if (example.status !== 0) throw new Error(`The README's example ended with ${example.signal ?? example.status}`)
      if (example.stdout.trimEnd() !== output.trimEnd()) {
        throw new Error(`The README's example printed something else than the README says:\n${output}`)
      }
      console.log(`The README's example runs on the packed packages with Node ${version.trim()}.`)
      // One file, for sandboxes: it runs without any of the packages beside it.
      const program = join(oldest, "holdfast-bridge.mjs")
      copyFileSync(join(app, "node_modules/@holdfast/bridge/dist/holdfast-bridge.mjs"), program)
      run(node, [program, "--version"], oldest)
    }
  } finally {
    rmSync(app, { recursive: true })
    rmSync(oldest, { recursive: true })
  }
})
