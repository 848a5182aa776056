import { Effect, Exit, Scope } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { movedWorkspaces } from "../src/index.ts"
import { filesOf, gitIn, gitViewOf, temporaryFolder } from "./support/workTree.ts"

const workspaces = movedWorkspaces()

/** A repository with something of each kind in it, its folder beside nothing else. */
const project = (): string => {
  const folder = join(temporaryFolder(), "project")
  mkdirSync(folder)
  gitIn(folder, "init", "--quiet", "--initial-branch=main")
  writeFileSync(join(folder, ".gitignore"), "secret.env\nbuild/\n")
  writeFileSync(join(folder, "a"), "one\n")
  gitIn(folder, "add", "--all")
  gitIn(folder, "commit", "--quiet", "--message=first")
  writeFileSync(join(folder, "a"), "two\n")
  writeFileSync(join(folder, "new"), "staged\n")
  gitIn(folder, "add", "new")
  writeFileSync(join(folder, "other"), "untracked\n")
  writeFileSync(join(folder, "secret.env"), "KEY=1\n")
  mkdirSync(join(folder, "build"))
  writeFileSync(join(folder, "build", "out"), "made\n")
  gitIn(folder, "config", "user.email", "own@example.com")
  writeFileSync(join(folder, ".git", "hooks", "own"), "#!/bin/sh\n")
  return folder
}

const pack = (folder: string) => {
  const file = join(temporaryFolder(), "workspace.pack")
  return Effect.runPromise(workspaces.pack(folder, file)).then((packed) => ({ file, packed }))
}

/** Brings it there; the scope ends well, or with a failure. */
const bring = (
  { file, packed }: Awaited<ReturnType<typeof pack>>,
  folder: string,
  known?: string,
  end: Exit.Exit<void> = Exit.void
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const brought = yield* Scope.provide(workspaces.unpack(file, folder, { packed, known }), scope)
      yield* Scope.close(scope, end)
      return brought
    })
  )

const failed = Exit.die(new Error("it was not recorded"))
const everything = (folder: string) => ({ files: filesOf(folder), git: gitViewOf(folder) })
const beside = (folder: string) => readdirSync(join(folder, ".."))

describe("A workspace that moves", () => {
  test("comes back into the folder that it left, with what was done elsewhere and what never came along", async () => {
    const home = project()
    const there = join(temporaryFolder(), "there")
    const left = await pack(home)
    await bring(left, there)
    writeFileSync(join(there, "a"), "three\n")
    gitIn(there, "commit", "--quiet", "--message=second", "--", "new")
    gitIn(there, "config", "branch.main.merge", "refs/heads/upstream")
    expect(existsSync(join(there, "secret.env"))).toBe(false)

    const brought = await bring(await pack(there), home, left.packed.fingerprint)
    expect(brought).toEqual({})
    expect(gitIn(home, "status", "--porcelain=v2")).toBe(gitIn(there, "status", "--porcelain=v2"))
    expect(gitIn(home, "log", "--format=%s %H")).toBe(gitIn(there, "log", "--format=%s %H"))
    expect(readFileSync(join(home, "a"), "utf8")).toBe("three\n")
    expect(readFileSync(join(home, "secret.env"), "utf8")).toBe("KEY=1\n")
    expect(readFileSync(join(home, "build", "out"), "utf8")).toBe("made\n")
    expect(gitIn(home, "config", "user.email").trim()).toBe("own@example.com")
    expect(gitIn(home, "config", "branch.main.merge").trim()).toBe("refs/heads/upstream")
    expect(existsSync(join(home, ".git", "hooks", "own"))).toBe(true)
    expect(beside(home)).toEqual(["project"])
  })

  test("takes nothing away that somebody did in that folder meanwhile", async () => {
    const home = project()
    const left = await pack(home)
    writeFileSync(join(home, "mine"), "written meanwhile\n")
    const { aside } = await bring(left, home, left.packed.fingerprint)
    expect(readFileSync(join(aside!, "mine"), "utf8")).toBe("written meanwhile\n")
    expect(gitIn(aside!, "log", "--format=%s")).toBe("first\n")
    expect(existsSync(join(home, "mine"))).toBe(false)
    expect((await pack(home)).packed.fingerprint).toBe(left.packed.fingerprint)
  })

  test("leaves a folder alone that has the very same state", async () => {
    const home = project()
    const inode = () => readFileSync(join(home, ".git", "index")).toString("base64")
    const before = inode()
    expect(await bring(await pack(home), home)).toEqual({})
    expect(inode()).toBe(before)
    expect(beside(home)).toEqual(["project"])
  })

  test("leaves everything as it was where the move fails in the end", async () => {
    const home = project()
    const there = project()
    writeFileSync(join(there, "a"), "of the other\n")
    const before = everything(there)
    await bring(await pack(home), there, undefined, failed)
    expect(everything(there)).toEqual(before)
    expect(readFileSync(join(there, "secret.env"), "utf8")).toBe("KEY=1\n")
    expect(readFileSync(join(there, "build", "out"), "utf8")).toBe("made\n")
    expect(beside(there)).toEqual(["project"])

    const fresh = join(temporaryFolder(), "fresh")
    await bring(await pack(home), fresh, undefined, failed)
    expect(existsSync(fresh)).toBe(false)
    mkdirSync(fresh)
    await bring(await pack(home), fresh, undefined, failed)
    expect(readdirSync(fresh)).toEqual([])
  })

  test("does not take a linked work tree from its repository", async () => {
    const home = project()
    const linked = join(temporaryFolder(), "linked")
    gitIn(home, "worktree", "add", "--quiet", linked, "-b", "side")
    const before = filesOf(linked)
    await expect(bring(await pack(home), linked)).rejects.toMatchObject({ failure: "folder_taken" })
    expect(filesOf(linked)).toEqual(before)
    expect(gitIn(linked, "status", "--porcelain=v2")).toBe("")
  })
})
