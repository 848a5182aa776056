import { Effect } from "effect"
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { authorEmail, openWorkspace, prepareWorkspace } from "../src/index.ts"
import { gitIn, temporaryFolder, tryGitIn } from "./support/workTree.ts"
import { failureOf, newFolder, optionsOf, serverOfTest } from "./support/workspaces.ts"

const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at}\n`).join("")

/** A workspace with a few files, and the repository it is from. */
const workspaceOfTest = async () => {
  const server = await serverOfTest()
  const repository = await server.repository("app")
  await repository.commit("main", {
    "README.md": lines(20),
    "src/old name": lines(30),
    gone: "1\n",
    ".gitignore": "*.log\n"
  })
  const folder = newFolder()
  const { options } = optionsOf()
  const spec = { repository: repository.url }
  const workspace = await Effect.runPromise(prepareWorkspace(folder, spec, options))
  return { folder, options, repository, spec, workspace }
}

const changeFiles = (folder: string) => {
  writeFileSync(join(folder, "README.md"), `${lines(20)}more\n`)
  renameSync(join(folder, "src", "old name"), join(folder, "src", "new\nname"))
  rmSync(join(folder, "gone"))
  writeFileSync(join(folder, "image"), Buffer.from([0, 1, 2, 3]))
  writeFileSync(join(folder, "noise.log"), "ignored")
  writeFileSync(join(folder, "-x"), "one\ntwo\n")
}

describe("a workspace's changes", () => {
  test("are those since the branch began, the uncommitted and the untracked ones too, with their lines", async () => {
    const { folder, workspace } = await workspaceOfTest()
    changeFiles(folder)
    const before = gitIn(folder, "ls-files", "--stage")
    const expected = [
      { path: "-x", change: "untracked", added: 2, removed: 0 },
      { path: "README.md", change: "modified", added: 1, removed: 0 },
      { path: "gone", change: "deleted", added: 0, removed: 1 },
      { path: "image", change: "untracked" },
      { path: "src/new\nname", from: "src/old name", change: "renamed", added: 0, removed: 0 }
    ]
    expect(await Effect.runPromise(workspace.changes)).toEqual({ changes: expected, truncated: false })
    // The index is the agent's: it was not touched.
    expect(gitIn(folder, "ls-files", "--stage")).toBe(before)
    await Effect.runPromise(workspace.commit("All"))
    const committed = expected.map((change) =>
      change.change === "untracked" ? { ...change, change: "added" } : change
    )
    expect(await Effect.runPromise(workspace.changes)).toEqual({ changes: committed, truncated: false })
  })

  test("are a diff of one file or of all, with binary files only named", async () => {
    const { folder, workspace } = await workspaceOfTest()
    changeFiles(folder)
    const { diff, truncated } = await Effect.runPromise(workspace.diff())
    expect(truncated).toBe(false)
    expect(diff).toContain("+more")
    expect(diff).toContain("rename from src/old name")
    expect(diff).toContain("Binary files /dev/null and b/image differ")
    expect(diff).not.toContain("noise.log")
    const one = await Effect.runPromise(workspace.diff("-x"))
    expect(one.diff).toMatch(/^diff --git a\/-x b\/-x\n/)
    expect(one.diff.match(/^diff --git/gm)).toHaveLength(1)
    // No pattern, and no way out.
    expect((await Effect.runPromise(workspace.diff("*"))).diff).toBe("")
    for (const path of ["../beside/README.md", "/etc/passwd", "", "a\0b"]) {
      expect(await failureOf(workspace.diff(path))).toMatchObject({ failure: "invalid" })
    }
  })

  test("are bounded: 10,000 files, and 1 MiB of diff cut at a line's end", async () => {
    const { folder, workspace } = await workspaceOfTest()
    writeFileSync(join(folder, "README.md"), Buffer.from(`${"ü".repeat(99)}\n`.repeat(10_000)))
    const { diff, truncated } = await Effect.runPromise(workspace.diff())
    expect(truncated).toBe(true)
    expect(Buffer.byteLength(diff)).toBeLessThanOrEqual(1024 * 1024)
    expect(diff.endsWith("ü\n")).toBe(true)
    mkdirSync(join(folder, "many"))
    for (let at = 0; at < 10_050; at++) symlinkSync("x", join(folder, "many", String(at)))
    const listed = await Effect.runPromise(workspace.changes)
    expect(listed.truncated).toBe(true)
    expect(listed.changes).toHaveLength(10_000)
  })
})

describe("a commit", () => {
  test("has all changes that are not ignored, by the one who is named, and runs no hook", async () => {
    const { folder, workspace } = await workspaceOfTest()
    changeFiles(folder)
    gitIn(folder, "config", "user.name", "Agent")
    mkdirSync(join(folder, ".git", "hooks"))
    writeFileSync(join(folder, ".git", "hooks", "pre-commit"), "#!/bin/sh\nexit 1\n", { mode: 0o755 })
    const message = "Do it: größer\n\n# not a comment\n--amend\n"
    const sha = await Effect.runPromise(
      workspace.commit(message, { name: "Ada <Lovelace>\n", email: "ada@example.com" })
    )
    expect(gitIn(folder, "log", "-1", "--format=%H|%an|%ae|%cn|%ce|%B").trim()).toBe(
      `${sha}|Ada  Lovelace|ada@example.com|Ada  Lovelace|ada@example.com|${message.trim()}`
    )
    expect(gitIn(folder, "status", "--porcelain")).toBe("")
    expect(gitIn(folder, "ls-files").includes("noise.log")).toBe(false)
    // The identity is in the commit only.
    expect(gitIn(folder, "config", "user.name").trim()).toBe("Agent")
    expect(await Effect.runPromise(workspace.commit("Nothing", { name: "Ada" }))).toBeNull()
  })

  test("names an address for authors who gave none, and Holdfast where nobody is named", async () => {
    expect(authorEmail({ name: "Ada Löve" })).toBe("ada-love@users.noreply.holdfast.dev")
    expect(authorEmail({ name: "Ada", email: "a@b.c" })).toBe("a@b.c")
    expect(authorEmail({ name: "艾达" })).toMatch(/^[0-9a-f]{12}@users\.noreply\.holdfast\.dev$/)
    expect(authorEmail({ name: "艾达" })).not.toBe(authorEmail({ name: "艾" }))
    const { folder, workspace } = await workspaceOfTest()
    writeFileSync(join(folder, "a"), "1")
    await Effect.runPromise(workspace.commit("More"))
    expect(gitIn(folder, "log", "-1", "--format=%an <%ae>").trim()).toBe(
      "Holdfast <holdfast@users.noreply.holdfast.dev>"
    )
  })

  test("is not made of conflicts, on another branch, without a message or an author", async () => {
    const { folder, repository, workspace } = await workspaceOfTest()
    writeFileSync(join(folder, "gone"), "mine\n")
    await Effect.runPromise(workspace.commit("Mine"))
    const theirs = await repository.commit("main", { gone: "theirs\n" })
    gitIn(folder, "fetch", "--quiet", repository.path, "main")
    tryGitIn(folder, "merge", "--quiet", theirs)
    expect(await failureOf(workspace.commit("Merge"))).toMatchObject({ failure: "unfinished" })
    gitIn(folder, "checkout", "--ours", "gone")
    gitIn(folder, "add", "gone")
    const merged = await Effect.runPromise(workspace.commit("Merge"))
    expect(gitIn(folder, "rev-parse", `${merged}^2`).trim()).toBe(theirs)

    writeFileSync(join(folder, "more"), "1")
    expect(await failureOf(workspace.commit(" \n"))).toMatchObject({ failure: "invalid" })
    expect(await failureOf(workspace.commit("a", { name: "<>" }))).toMatchObject({ failure: "invalid" })
    gitIn(folder, "checkout", "--quiet", "-b", "elsewhere")
    const error = await failureOf(workspace.commit("Elsewhere"))
    expect(error).toMatchObject({ failure: "other_branch" })
    expect(error.detail).toContain("elsewhere")
    gitIn(folder, "checkout", "--quiet", "--detach")
    expect(await failureOf(workspace.commit("Nowhere"))).toMatchObject({ failure: "other_branch" })
    expect(await Effect.runPromise(workspace.head)).toEqual({ sha: merged, branch: null })
  })
})

describe("a push", () => {
  test("takes the session's branch, from a shallow clone too", async () => {
    const { options, repository } = await workspaceOfTest()
    await repository.commit("main", { more: "1" })
    const folder = newFolder()
    const workspace = await Effect.runPromise(
      prepareWorkspace(folder, { repository: repository.url, depth: 1, branch: "work/ada" }, options)
    )
    writeFileSync(join(folder, "a"), "1")
    const sha = await Effect.runPromise(workspace.commit("A"))
    expect(await Effect.runPromise(workspace.push())).toEqual({ branch: "work/ada", sha })
    expect(await repository.git("rev-list", "--count", "work/ada")).toBe("3")
    // Again is no error.
    expect(await Effect.runPromise(workspace.push())).toEqual({ branch: "work/ada", sha })
  })

  test("is refused in the server's own words, and the commits stay", async () => {
    const { folder, options, repository, spec, workspace } = await workspaceOfTest()
    writeFileSync(join(folder, "a"), "1")
    const sha = await Effect.runPromise(workspace.commit("A"))
    await repository.refusePushes("Protected: ask Grace first")
    const declined = await failureOf(workspace.push())
    expect(declined).toMatchObject({ _tag: "PushRefused", refusal: "declined", branch: workspace.branch })
    expect(declined.message).toContain("Protected: ask Grace first")
    await repository.refusePushes(null)
    await Effect.runPromise(workspace.push())

    const theirs = await repository.commit(workspace.branch, { b: "theirs" })
    writeFileSync(join(folder, "a"), "2")
    const mine = await Effect.runPromise(workspace.commit("B"))
    expect(await failureOf(workspace.push())).toMatchObject({ _tag: "PushRefused", refusal: "non_fast_forward" })
    // Nobody here has seen theirs: not even by force.
    expect(await failureOf(workspace.push({ force: true }))).toMatchObject({ _tag: "PushRefused", refusal: "stale" })
    expect(await repository.git("rev-parse", workspace.branch)).toBe(theirs)
    const again = await Effect.runPromise(prepareWorkspace(folder, spec, options))
    expect(await failureOf(again.push())).toMatchObject({ refusal: "non_fast_forward" })
    await Effect.runPromise(again.push({ force: true }))
    expect(await repository.git("rev-parse", workspace.branch)).toBe(mine)
    expect(gitIn(folder, "rev-parse", "HEAD~1").trim()).toBe(sha)
  })

  test("needs a commit, and the session's branch", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("empty")
    const folder = newFolder()
    const workspace = await Effect.runPromise(
      prepareWorkspace(folder, { repository: repository.url }, optionsOf().options)
    )
    expect(await failureOf(workspace.push())).toMatchObject({ failure: "invalid" })
    writeFileSync(join(folder, "a"), "1")
    await Effect.runPromise(workspace.commit("A"))
    gitIn(folder, "checkout", "--quiet", "-b", "elsewhere")
    expect(await failureOf(workspace.push())).toMatchObject({ failure: "other_branch" })
  })
})

describe("opening a workspace that is there", () => {
  test("asks no server, and changes nothing", async () => {
    const { folder, options, repository, spec, workspace } = await workspaceOfTest()
    writeFileSync(join(folder, "new"), "1\n")
    const again = await Effect.runPromise(openWorkspace(join(folder, "src"), { repository: repository.url }, options))
    expect(again).toMatchObject({ folder, branch: workspace.branch, base: "main", isNewBranch: false })
    expect((await Effect.runPromise(again.changes)).changes).toEqual([
      { path: "new", change: "untracked", added: 1, removed: 0 }
    ])
    expect(await failureOf(openWorkspace(temporaryFolder(), spec, options))).toMatchObject({ failure: "folder_taken" })
  })
})
