/**
 * Installs the coding agents that the adapters are tested with, at the versions that `agents/package-lock.json` pins:
 *
 *     npm run agents
 *     node scripts/install-agents.ts FOLDER
 *
 * They stand in a folder of their own, since they are native programs of some 800 MB that nobody needs who only works on
 * the packages. Nothing is done when they are installed already.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { readManifest, repository } from "./workspaces.ts"

/** The folder of this repository's agents. Adapters look into the folder that the variable `HOLDFAST_AGENTS` names. */
export const agentsFolder = join(repository, "agents")

/** Milliseconds for the slowest of the programs to say its version on a loaded machine; an idle one takes 0.7 seconds. */
const versionDeadline = 30_000

/**
 * Where each package keeps its native program for this platform. Its launcher is a Node script, or is linked to the program
 * by an install script, which npm may have been told not to run. Opencode has several builds for one platform, of which a
 * processor without AVX2 runs only the one named `baseline`.
 */
const programPatterns: Readonly<Record<string, string>> = {
  "@openai/codex": `@openai/codex-${process.platform}-${process.arch}/vendor/*/bin/codex{,.exe}`,
  "opencode-ai": `opencode-${process.platform === "win32" ? "windows" : process.platform}-${process.arch}*/bin/opencode{,.exe}`,
  "@vscode/ripgrep": `@vscode/ripgrep-${process.platform}-${process.arch}/bin/rg{,.exe}`
}

const programsOf = (folder: string, name: string): ReadonlyArray<string> => {
  const pattern = programPatterns[name]
  if (pattern === undefined)
    throw new Error(`${name} is in agents/package.json, but install-agents.ts does not know it.`)
  const modules = join(folder, "node_modules")
  return globSync(pattern, { cwd: modules })
    .toSorted((a, b) => a.length - b.length)
    .map((path) => join(modules, path))
}

/** The first of these programs that runs, with what it answers to `--version`; otherwise the reason why none does. */
const firstThatRuns = (programs: ReadonlyArray<string>): { readonly path: string; readonly said: string } | string => {
  // Opencode makes its folders in the home even then.
  const home = mkdtempSync(join(tmpdir(), "holdfast-agents-"))
  try {
    let problem = `there is no build of it for ${process.platform} ${process.arch}`
    for (const path of programs) {
      const { error, signal, status, stdout } = spawnSync(path, ["--version"], {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HOME: home, USERPROFILE: home },
        stdio: ["ignore", "pipe", "ignore"],
        timeout: versionDeadline
      })
      if (status === 0) return { path, said: stdout.trim().split("\n")[0] ?? "" }
      problem = `${path} does not run: ${error?.message ?? `it ended with ${signal ?? status}`}`
    }
    return problem
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** Says that the programs ran once after they were installed from this lock file. `npm ci` removes it with the rest. */
const stampOf = (folder: string) => join(folder, "node_modules", ".holdfast-agents")

const stamp = (folder: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .update(`${process.platform} ${process.arch}`)
    .digest("hex")

const namesOf = (folder: string) => Object.keys(readManifest(folder).dependencies ?? {})

/** Whether the agents that the folder's lock file names are installed there and have run. A look at a few files. */
export const areInstalled = (folder: string): boolean =>
  existsSync(stampOf(folder)) &&
  readFileSync(stampOf(folder), "utf8") === stamp(folder) &&
  namesOf(folder).every((name) => programsOf(folder, name).length > 0)

/** Runs each agent of the folder and says where it is, or throws with every reason why one cannot be used. */
export const verify = (folder: string): ReadonlyArray<string> => {
  const versions = readManifest(folder).dependencies ?? {}
  const problems: Array<string> = []
  const found = namesOf(folder).map((name) => {
    const program = firstThatRuns(programsOf(folder, name))
    if (typeof program === "string") problems.push(`${name}: ${program}`)
    // ripgrep's package has a version of its own.
    else if (name !== "@vscode/ripgrep" && !program.said.split(" ").includes(versions[name] ?? "")) {
      problems.push(`${name}: ${program.path} says that it is ${program.said}, and not ${versions[name]}`)
    } else return `${program.said}: ${program.path}`
    return name
  })
  if (problems.length > 0) throw new Error(problems.join("\n"))
  writeFileSync(stampOf(folder), stamp(folder))
  return found
}

/** Installs what the folder's lock file names, and verifies that it runs. */
export const install = (folder: string): ReadonlyArray<string> => {
  // No install script is needed for the native programs, and so none runs.
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
  const { error, signal, status } = spawnSync("npm", args, {
    cwd: folder,
    shell: process.platform === "win32",
    stdio: ["ignore", "inherit", "inherit"]
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`npm ${args.join(" ")} in ${folder} ended with ${signal ?? status}`)
  return verify(folder)
}

if (import.meta.main) {
  const folder = resolve(process.argv[2] ?? agentsFolder)
  try {
    if (!areInstalled(folder)) {
      console.log(`Installing the coding agents into ${folder}: about 800 MB, once.`)
      for (const line of install(folder)) console.log(line)
    }
  } catch (error) {
    console.error(`The coding agents could not be installed.\n${(error as Error).message}`)
    console.error("Run `npm run agents` again once that is repaired; the tests of the adapters need them.")
    process.exitCode = 1
  }
}
