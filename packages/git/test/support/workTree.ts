/** Folders and repositories of tests, looked at with git as the tests have it. */
import { execFileSync } from "node:child_process"
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

const env = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com"
}

/** A folder that is gone after the test. */
export const temporaryFolder = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-git-test-")))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/** Runs git; throws where it fails. Nothing else runs meanwhile, so it cannot ask a server of the test. */
export const gitIn = (folder: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, { cwd: folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 })

/** Runs git, whatever comes of it: a step of a random history need not be possible. */
export const tryGitIn = (folder: string, ...args: ReadonlyArray<string>): void => {
  try {
    gitIn(folder, ...args)
  } catch (error) {
    if ((error as { status?: unknown }).status === undefined) throw error
  }
}

/** Files below a folder, with what they are: without `.git`, and without what git ignores. */
export const filesOf = (folder: string, ignored: ReadonlySet<string> = new Set()): Record<string, string> => {
  const files: Record<string, string> = {}
  const walk = (below: string) => {
    for (const name of readdirSync(join(folder, below)).toSorted()) {
      const path = below === "" ? name : `${below}/${name}`
      if (name === ".git" || ignored.has(path)) continue
      const stats = lstatSync(join(folder, path))
      if (stats.isDirectory()) walk(path)
      else if (stats.isSymbolicLink()) files[path] = `-> ${readlinkSync(join(folder, path))}`
      else {
        const content = readFileSync(join(folder, path)).toString("base64")
        files[path] = `${(stats.mode & 0o100) === 0 ? "" : "executable "}${content}`
      }
    }
  }
  walk("")
  return files
}

/** All that git tells of a repository and its work tree. */
export const gitViewOf = (folder: string) => ({
  status: gitIn(folder, "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--show-stash"),
  head: readFileSync(join(folder, ".git", "HEAD"), "utf8"),
  refs: gitIn(folder, "for-each-ref", "--format=%(refname) %(objectname) %(symref)"),
  stash: gitIn(folder, "stash", "list", "--format=%H %gs"),
  index: gitIn(folder, "ls-files", "--stage", "-z"),
  flags: gitIn(folder, "ls-files", "-v", "-z"),
  staged: gitIn(folder, "diff", "--cached"),
  unstaged: gitIn(folder, "diff")
})
