/** Installs the tarballs into an empty app, and type-checks and runs the README's first example there. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run, withTarballs } from "./pack.ts"
import { readFirstExample } from "./readme.ts"
import { repository } from "./workspaces.ts"

/** Milliseconds that the example may run: it starts a program or two and ends. */
const exampleDeadline = 60_000

const { output, source } = readFirstExample(join(repository, "README.md"))

withTarballs((packed) => {
  const app = mkdtempSync(join(tmpdir(), "holdfast-app-"))
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

    const example = spawnSync(process.execPath, ["example.ts"], {
      cwd: app,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      timeout: exampleDeadline
    })
    process.stdout.write(example.stdout)
    if (example.error !== undefined) throw example.error
    if (example.status !== 0) throw new Error(`The README's example ended with ${example.signal ?? example.status}`)
    if (example.stdout.trimEnd() !== output.trimEnd()) {
      throw new Error(`The README's example printed something else than the README says:\n${output}`)
    }
    console.log(`The README's example runs on the packed packages with Node ${process.version}.`)
  } finally {
    rmSync(app, { recursive: true })
  }
})
