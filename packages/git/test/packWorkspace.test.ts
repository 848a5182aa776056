import { Effect } from "effect"
import * as fc from "fast-check"
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, test } from "vitest"
import { packWorkspace, unpackWorkspace } from "../src/index.ts"
import { failureOf } from "./support/workspaces.ts"
import { filesOf, gitIn, gitViewOf, temporaryFolder, tryGitIn } from "./support/workTree.ts"

const names = [
  "a",
  "b.txt",
  "dir/c",
  "dir/sub/d",
  "we ird",
  "ü/ñ",
  "new\nline",
  "-x",
  'quo"te\\',
  "tab\there",
  "*.x",
  ":(top)"
]
const contents = ["", "one\n", "one\r\ntwo\n", "\0binary\xff", "x".repeat(70_000)]

type Step =
  | { readonly do: "write"; readonly name: string; readonly content: string; readonly isExecutable: boolean }
  | { readonly do: "link"; readonly name: string; readonly to: string }
  | { readonly do: "remove"; readonly name: string }
  | { readonly do: "git"; readonly args: ReadonlyArray<string> }

const name = fc.constantFrom(...names)
const withName = (...args: ReadonlyArray<string>) =>
  name.map((each): Step => ({ do: "git", args: ["--literal-pathspecs", ...args, "--", each] }))
const gitSteps: ReadonlyArray<ReadonlyArray<string>> = [
  ["add", "--all"],
  ["commit", "--quiet", "--message=more"],
  ["checkout", "--quiet", "-b", "side"],
  ["checkout", "--quiet", "side"],
  ["checkout", "--quiet", "main"],
  ["checkout", "--quiet", "--detach"],
  ["merge", "--quiet", "side"],
  ["stash", "push", "--quiet", "--include-untracked"],
  ["tag", "--force", "v1"],
  ["reset", "--quiet", "--mixed", "HEAD"]
]
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      name,
      content: fc.constantFrom(...contents),
      isExecutable: fc.boolean()
    })
  },
  fc.record({ do: fc.constant("link" as const), name, to: fc.constantFrom("a", "../outside", "dir", "ü") }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), name }) },
  { weight: 3, arbitrary: withName("add") },
  withName("add", "--intent-to-add"),
  withName("rm", "--cached", "--quiet"),
  withName("update-index", "--assume-unchanged"),
  withName("update-index", "--skip-worktree"),
  { weight: 8, arbitrary: fc.constantFrom(...gitSteps).map((args): Step => ({ do: "git", args })) }
)

const perform = (folder: string, each: Step) => {
  if (each.do === "git") return tryGitIn(folder, ...each.args)
  const path = join(folder, each.name)
  // A link or a file where a folder has to be gives way.
  const parent = dirname(path)
  if (parent !== folder && filesOf(folder)[each.name.split("/")[0]!] !== undefined) rmSync(parent, { force: true })
  rmSync(path, { recursive: true, force: true })
  if (each.do === "remove") return
  mkdirSync(parent, { recursive: true })
  if (each.do === "link") return symlinkSync(each.to, path)
  writeFileSync(path, Buffer.from(each.content, "latin1"))
  chmodSync(path, each.isExecutable ? 0o755 : 0o644)
}

const newRepository = () => {
  const folder = join(temporaryFolder(), "work")
  mkdirSync(folder)
  gitIn(folder, "init", "--quiet", "--initial-branch=main")
  return folder
}

const move = async (folder: string, options = {}) => {
  const place = temporaryFolder()
  const packed = await Effect.runPromise(packWorkspace(folder, join(place, "packed"), options))
  const target = join(place, "there", "work")
  const unpacked = await Effect.runPromise(unpackWorkspace(join(place, "packed"), target, options))
  expect(unpacked).toEqual(packed)
  return { packed, target, file: join(place, "packed") }
}

describe("a packed repository", () => {
  test("is the same repository where it is unpacked, whatever its history, its index and its files are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const folder = newRepository()
        for (const each of steps) perform(folder, each)
        const before = { git: gitViewOf(folder), files: filesOf(folder) }
        const { target } = await move(folder)
        expect({ git: gitViewOf(target), files: filesOf(target) }).toEqual(before)
        // It was only read.
        expect({ git: gitViewOf(folder), files: filesOf(folder) }).toEqual(before)
      }),
      { numRuns: 10 }
    )
  })

  test("has what is only meant to be added, also where its file has become something else since, or is gone", async () => {
    const folder = newRepository()
    const write = (name: string, content = "") => writeFileSync(join(folder, name), content)
    for (const name of ["plain", "executable", "gone", "becomes a link", ":(top)", ".gitignore", "ignored"]) write(name)
    symlinkSync("plain", join(folder, "becomes a file"))
    write("known")
    gitIn(folder, "add", "known")
    gitIn(folder, "commit", "--quiet", "--message=one")
    gitIn(folder, "rm", "--quiet", "--cached", "known")
    gitIn(
      folder,
      "--literal-pathspecs",
      "add",
      "--force",
      "--intent-to-add",
      "--",
      ...readdirSync(folder).filter((each) => each !== ".git")
    )
    chmodSync(join(folder, "executable"), 0o755)
    for (const name of ["gone", "becomes a link", "becomes a file"]) rmSync(join(folder, name))
    symlinkSync("plain", join(folder, "becomes a link"))
    write("becomes a file", "one\n")
    write(".gitignore", "ignored\n")
    const { target } = await move(folder)
    expect({ git: gitViewOf(target), files: filesOf(target) }).toEqual({
      git: gitViewOf(folder),
      files: filesOf(folder)
    })
  })

  test("comes along in the middle of a merge, with a detached HEAD, and before its first commit", async () => {
    const folder = newRepository()
    const same = async () => {
      const { target } = await move(folder)
      expect({ git: gitViewOf(target), files: filesOf(target) }).toEqual({
        git: gitViewOf(folder),
        files: filesOf(folder)
      })
      return target
    }
    writeFileSync(join(folder, "a"), "1\n")
    await same()
    gitIn(folder, "add", "a")
    await same()
    gitIn(folder, "commit", "--quiet", "--message=one")
    gitIn(folder, "checkout", "--quiet", "-b", "side")
    writeFileSync(join(folder, "a"), "2\n")
    gitIn(folder, "commit", "--quiet", "--all", "--message=two")
    gitIn(folder, "checkout", "--quiet", "main")
    writeFileSync(join(folder, "a"), "3\n")
    gitIn(folder, "commit", "--quiet", "--all", "--message=three")
    tryGitIn(folder, "merge", "side")
    const target = await same()
    writeFileSync(join(target, "a"), "merged\n")
    gitIn(target, "add", "a")
    gitIn(target, "commit", "--quiet", "--no-edit")
    expect(gitIn(target, "log", "-1", "--format=%P").trim().split(" ")).toHaveLength(2)
    gitIn(folder, "merge", "--abort")
    gitIn(folder, "checkout", "--quiet", "--detach", "side")
    await same()
  })

  test("comes along from a shallow clone, from a linked work tree, and from a folder below its root", async () => {
    const origin = newRepository()
    for (const content of ["1", "2", "3"]) {
      mkdirSync(join(origin, "packages", "app"), { recursive: true })
      writeFileSync(join(origin, "packages", "app", "file"), content)
      gitIn(origin, "add", "--all")
      gitIn(origin, "commit", "--quiet", "--message=more")
    }
    const shallow = join(temporaryFolder(), "shallow")
    gitIn(origin, "clone", "--quiet", "--depth=2", `file://${origin}`, shallow)
    writeFileSync(join(shallow, "new"), "1")
    const { packed, target } = await move(join(shallow, "packages", "app"))
    expect(packed).toMatchObject({ kind: "git", prefix: "packages/app", left: [] })
    expect(gitViewOf(target)).toEqual(gitViewOf(shallow))
    expect(gitIn(target, "rev-list", "--count", "HEAD").trim()).toBe("2")
    expect(gitIn(target, "remote", "get-url", "origin").trim()).toBe(`file://${origin}`)

    const linked = join(temporaryFolder(), "linked")
    gitIn(origin, "worktree", "add", "--quiet", "-b", "linked", linked)
    writeFileSync(join(linked, "new"), "1")
    gitIn(linked, "add", "new")
    const moved = await move(linked)
    expect(gitIn(moved.target, "status", "--porcelain=v2", "--branch")).toBe(
      gitIn(linked, "status", "--porcelain=v2", "--branch")
    )
  })

  test("brings no password, no hook, no program of its configuration and no ignored file along", async () => {
    const folder = newRepository()
    writeFileSync(join(folder, ".gitignore"), "ignored\n")
    writeFileSync(join(folder, "ignored"), "x".repeat(1_000_000))
    writeFileSync(join(folder, ".git", "info", "exclude"), "private\n")
    writeFileSync(join(folder, "private"), "mine")
    const settings = {
      "remote.origin.url": "https://ada:s3cret@example.com/app.git",
      "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*",
      "remote.bad.url": "ext::sh -c 'touch /tmp/owned'",
      "remote.worse.url": "ssh://-oProxyCommand=touch/x",
      "remote.origin.uploadpack": "touch /tmp/owned",
      "branch.main.remote": "origin",
      "branch.main.merge": "refs/heads/main",
      "user.name": 'Ada "the" \\ first',
      "user.email": "ada@example.com",
      "core.fsmonitor": "touch /tmp/owned",
      "core.hooksPath": "/tmp",
      "filter.x.smudge": "touch /tmp/owned",
      "alias.status": "!touch /tmp/owned",
      "http.extraHeader": "Authorization: s3cret",
      "credential.helper": "store"
    }
    for (const [setting, value] of Object.entries(settings)) gitIn(folder, "config", setting, value)
    mkdirSync(join(folder, ".git", "hooks"), { recursive: true })
    writeFileSync(join(folder, ".git", "hooks", "post-checkout"), "#!/bin/sh\n", { mode: 0o755 })
    const { file, packed, target } = await move(folder)
    expect(packed.bytes).toBeLessThan(10_000)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const config = readFileSync(join(target, ".git", "config"), "utf8") + manifestOf(file)
    for (const word of ["s3cret", "owned", "/tmp", "filter", "alias", "helper", "bad", "worse"]) {
      expect(config).not.toContain(word)
    }
    const read = (setting: string) => gitIn(target, "config", setting).trim()
    expect(read("remote.origin.url")).toBe("https://example.com/app.git")
    expect(read("remote.origin.fetch")).toBe("+refs/heads/*:refs/remotes/origin/*")
    expect(read("branch.main.merge")).toBe("refs/heads/main")
    expect(read("user.name")).toBe('Ada "the" \\ first')
    expect(existsSync(join(target, ".git", "hooks"))).toBe(false)
    expect(readdirSync(target).toSorted()).toEqual([".git", ".gitignore"])
    expect(readFileSync(join(target, ".git", "info", "exclude"), "utf8")).toBe("private\n")
  })

  test("keeps bytes as they are, whatever attributes say, and big files", async () => {
    const folder = newRepository()
    writeFileSync(join(folder, ".gitattributes"), "*.txt text eol=crlf\n*.id ident\n")
    writeFileSync(join(folder, "a.txt"), "mixed\r\nends\n")
    writeFileSync(join(folder, "b.id"), "$Id$\n")
    gitIn(folder, "add", "--all")
    gitIn(folder, "commit", "--quiet", "--message=one")
    writeFileSync(join(folder, "c.txt"), "only\nLF\n")
    writeFileSync(join(folder, "b.id"), "$Id: mine$\nmore\n")
    const big = Buffer.alloc(40 * 1024 * 1024, "0123456789abcdef\n")
    writeFileSync(join(folder, "big"), big)
    const { target } = await move(folder)
    expect(readFileSync(join(target, "big")).equals(big)).toBe(true)
    for (const file of ["c.txt", "b.id"])
      expect(readFileSync(join(target, file))).toEqual(readFileSync(join(folder, file)))
    expect(gitViewOf(target)).toEqual(gitViewOf(folder))
  })

  test("names what cannot come along", async () => {
    const folder = newRepository()
    mkdirSync(join(folder, "inner"))
    gitIn(join(folder, "inner"), "init", "--quiet")
    gitIn(join(folder, "inner"), "commit", "--quiet", "--allow-empty", "--message=one")
    writeFileSync(join(folder, "a"), "1")
    const { packed, target } = await move(folder)
    expect(packed.left).toEqual(["inner/"])
    expect(readdirSync(target).toSorted()).toEqual([".git", "a"])
  })
})

describe("a packed folder that is no repository", () => {
  test("has the same files, links and empty folders where it is unpacked", async () => {
    const folder = join(temporaryFolder(), "plain")
    for (const below of ["a/b/empty", "we ird/new\nline", "repo/.git"])
      mkdirSync(join(folder, below), { recursive: true })
    writeFileSync(join(folder, "a", "run"), "#!/bin/sh\n", { mode: 0o755 })
    writeFileSync(join(folder, "we ird", "new\nline", "ü"), "1")
    writeFileSync(join(folder, "repo", ".git", "config"), "[core]\n\tfsmonitor = touch /tmp/owned\n")
    writeFileSync(join(folder, "repo", "file"), "1")
    writeFileSync(join(folder, ".gitignore"), "*\n")
    symlinkSync("../elsewhere", join(folder, "a", "link"))
    const { packed, target } = await move(folder)
    expect(packed).toMatchObject({ kind: "folder", prefix: "", left: ["repo/.git"] })
    expect(filesOf(target)).toEqual(filesOf(folder))
    expect(existsSync(join(target, "a", "b", "empty"))).toBe(true)
    expect(existsSync(join(target, ".git"))).toBe(false)
    expect(existsSync(join(target, "repo", ".git"))).toBe(false)
  })
})

describe("packing and unpacking that cannot be done", () => {
  test("says so, and leaves neither half a file nor half a folder", async () => {
    const folder = newRepository()
    writeFileSync(join(folder, "noise"), crypto.getRandomValues(new Uint8Array(50_000)))
    const place = temporaryFolder()
    const file = join(place, "packed")
    const target = join(place, "there")
    expect(await failureOf(packWorkspace(folder, file, { maxBytes: 40_000 }))).toMatchObject({ failure: "too_large" })
    gitIn(folder, "add", "--all")
    gitIn(folder, "commit", "--quiet", "--message=one")
    expect(await failureOf(packWorkspace(folder, file, { maxBytes: 40_000 }))).toMatchObject({ failure: "too_large" })
    gitIn(folder, "rm", "--quiet", "noise")
    gitIn(folder, "commit", "--quiet", "--message=two")
    expect(await failureOf(packWorkspace(folder, file, { maxBytes: 40_000 }))).toMatchObject({ failure: "too_large" })
    mkdirSync(join(folder, ".git", "rebase-merge"))
    expect(await failureOf(packWorkspace(folder, file))).toMatchObject({ failure: "unfinished" })
    rmSync(join(folder, ".git", "rebase-merge"), { recursive: true })
    expect(readdirSync(place)).toEqual([])
    symlinkSync("/dev/full", join(place, "full"))
    expect(await failureOf(packWorkspace(folder, join(place, "full")))).toMatchObject({ failure: "disk_full" })
    expect(readdirSync(place)).toEqual([])

    await Effect.runPromise(packWorkspace(folder, file))
    const whole = readFileSync(file)
    expect(await failureOf(unpackWorkspace(file, target, { maxBytes: 1_000 }))).toMatchObject({ failure: "too_large" })
    const damaged = {
      empty: Buffer.alloc(0),
      "something else": Buffer.from("PK\u0003\u0004 and more\n"),
      "a newer version": Buffer.concat([Buffer.from("holdfast-workspace 2"), whole.subarray(20)]),
      "cut off": whole.subarray(0, whole.byteLength - 100),
      "another tree": Buffer.concat([
        Buffer.from(
          whole
            .subarray(0, 200)
            .toString("latin1")
            .replace(/[0-9a-f]{40}\n/, `${"0".repeat(40)}\n`),
          "latin1"
        ),
        whole.subarray(200)
      ])
    }
    for (const [name, bytes] of Object.entries(damaged)) {
      writeFileSync(file, bytes)
      const { failure, retryable } = await failureOf(unpackWorkspace(file, target))
      const left = readdirSync(place)
      expect({ name, failure, retryable, left }).toEqual({
        name,
        failure: "malformed",
        retryable: false,
        left: ["packed"]
      })
    }
    writeFileSync(file, whole)
    mkdirSync(target)
    writeFileSync(join(target, "precious"), "1")
    expect(await failureOf(unpackWorkspace(file, target))).toMatchObject({ failure: "folder_taken" })
    expect(readdirSync(target)).toEqual(["precious"])
    truncateSync(file, 10)
    rmSync(join(target, "precious"))
    expect(await failureOf(unpackWorkspace(file, target))).toMatchObject({ failure: "malformed" })
    expect(readdirSync(target)).toEqual([])
  })

  test("a file that somebody has made by hand cannot write outside of the folder or into .git", async () => {
    for (const path of ["../out", ".git/hooks/post-checkout", "a/../../out", ".GIT/config", "/out"]) {
      const { file, place } = forged(path)
      const target = join(place, "there")
      const { failure } = await failureOf(unpackWorkspace(file, target))
      const left = readdirSync(place).toSorted()
      expect({ path, failure, left }).toEqual({ path, failure: "malformed", left: ["forge", "packed"] })
    }
  })
})

/** The manifest in a packed file. */
const manifestOf = (file: string): string => {
  const bytes = readFileSync(file)
  const end = bytes.indexOf("\n")
  const tree = bytes.subarray(0, end).toString().split(" ").at(-1)!
  const cwd = temporaryFolder()
  gitIn(cwd, "init", "--quiet", "--bare")
  execFileSync("git", ["unpack-objects", "-q"], { cwd, input: bytes.subarray(end + 1) })
  return gitIn(cwd, "cat-file", "blob", `${tree}:manifest.json`)
}

/** A packed folder in which one file has a name that no tree should have. */
const forged = (path: string) => {
  const place = temporaryFolder()
  const repository = join(place, "forge")
  mkdirSync(repository)
  gitIn(repository, "init", "--quiet", "--bare")
  const store = (content: string | Uint8Array, type = "blob") =>
    execFileSync("git", ["hash-object", "-t", type, "-w", "--stdin", "--literally"], {
      cwd: repository,
      input: content
    })
      .toString()
      .trim()
  const tree = (entries: ReadonlyArray<readonly [mode: string, name: string, sha: string]>) =>
    store(
      Buffer.concat(
        entries.flatMap(([mode, name, sha]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(sha, "hex")])
      ),
      "tree"
    )
  const manifest = {
    prefix: "",
    head: { branch: "refs/heads/main" },
    refs: [],
    symbolic: [],
    stash: [],
    shallow: [],
    state: [],
    exclude: "",
    settings: [],
    left: []
  }
  const empty = store("")
  const root = tree([
    ["40000", "files", tree([["100755", path, store("owned")]])],
    ["100644", "folders", empty],
    ["100644", "manifest.json", store(JSON.stringify(manifest))]
  ])
  const pack = execFileSync("git", ["pack-objects", "--revs", "--stdout", "-q"], {
    cwd: repository,
    input: `${root}\n`
  })
  const file = join(place, "packed")
  writeFileSync(file, Buffer.concat([Buffer.from(`holdfast-workspace 1 folder sha1 ${root}\n`), pack]))
  return { file, place }
}
