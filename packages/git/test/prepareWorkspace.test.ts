import { Effect, Fiber } from "effect"
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, test } from "vitest"
import { prepareWorkspace } from "../src/index.ts"
import { filesOf, gitIn, temporaryFolder } from "./support/workTree.ts"
import { visibleTexts } from "./support/processes.ts"
import { failureOf, newFolder, optionsOf, serverOfTest } from "./support/workspaces.ts"

const prepare = (...args: Parameters<typeof prepareWorkspace>) => Effect.runPromise(prepareWorkspace(...args))
const head = (folder: string) => gitIn(folder, "rev-parse", "HEAD").trim()

describe("preparing a workspace", () => {
  test("clones the default branch and goes on a branch of the session's own", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    const sha = await repository.commit("main", {
      "README.md": "Hello\n",
      "bin/run": { content: "#!/bin/sh\n", mode: "100755" },
      link: { content: "README.md", mode: "120000" },
      "new\nline ü": "odd\n"
    })
    await repository.commit("other", { a: "b" })
    const folder = newFolder()
    const { options } = optionsOf()
    const workspace = await prepare(folder, { repository: repository.url }, options)

    const branch = `holdfast/${options.sessionId}`
    expect(workspace).toMatchObject({ folder, branch, base: "main", isNewBranch: true })
    expect(await Effect.runPromise(workspace.head)).toEqual({ sha, branch })
    expect(filesOf(folder)).toEqual({
      "README.md": Buffer.from("Hello\n").toString("base64"),
      "bin/run": `executable ${Buffer.from("#!/bin/sh\n").toString("base64")}`,
      link: "-> README.md",
      "new\nline ü": Buffer.from("odd\n").toString("base64")
    })
    expect(gitIn(folder, "status", "--porcelain")).toBe("")
    // Only the base was fetched.
    expect(gitIn(folder, "for-each-ref", "--format=%(refname)", "refs/remotes").trim()).toBe("refs/remotes/origin/main")
    expect(gitIn(folder, "remote", "get-url", "origin").trim()).toBe(repository.url)
  })

  test("fetches as much history, and as many branches, as its spec says", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    for (const content of ["1", "2", "3"]) await repository.commit("main", { file: content })
    const last = await repository.commit("release/1", { file: "4" })

    const shallow = newFolder()
    await prepare(shallow, { repository: repository.url, depth: 2 }, optionsOf().options)
    expect(gitIn(shallow, "rev-list", "--count", "HEAD").trim()).toBe("2")

    const whole = newFolder()
    const spec = { repository: repository.url, base: "release/1", singleBranch: false }
    const workspace = await prepare(whole, spec, optionsOf().options)
    expect(head(whole)).toBe(last)
    expect((await Effect.runPromise(workspace.branches)).branches.toSorted()).toEqual([
      workspace.branch,
      "main",
      "release/1"
    ])
  })

  test("again in the same folder keeps commits, changes and the branch, and brings what is new of the base", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const folder = newFolder()
    const { options } = optionsOf()
    const spec = { repository: repository.url, depth: 1 }
    const first = await prepare(folder, spec, options)
    writeFileSync(join(folder, "mine"), "committed")
    const mine = await Effect.runPromise(first.commit("Mine", { name: "Ada" }))
    writeFileSync(join(folder, "file"), "changed")
    writeFileSync(join(folder, "new"), "untracked")
    // A git that was killed with the sandbox.
    writeFileSync(join(folder, ".git", "index.lock"), "")
    const news = await repository.commit("main", { other: "2" })

    const again = await prepare(folder, spec, options)
    expect(again.isNewBranch).toBe(false)
    expect(head(folder)).toBe(mine)
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("changed")
    expect(readFileSync(join(folder, "new"), "utf8")).toBe("untracked")
    expect(gitIn(folder, "rev-parse", "refs/remotes/origin/main").trim()).toBe(news)
    // What others did on the base is not a change of the session's.
    const { changes } = await Effect.runPromise(again.changes)
    expect(changes.map(({ path }) => path)).toEqual(["file", "mine", "new"])
  })

  test("goes on with the session's branch where the remote has it already", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    const base = await repository.commit("main", { file: "1" })
    const sha = await repository.commit("work/ada", { file: "2" }, { from: base })
    const folder = newFolder()
    const workspace = await prepare(folder, { repository: repository.url, branch: "work/ada" }, optionsOf().options)
    expect(workspace.isNewBranch).toBe(false)
    expect(head(folder)).toBe(sha)
  })

  test("begins in a repository that has no commit yet", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("empty")
    const folder = newFolder()
    const workspace = await prepare(folder, { repository: repository.url }, optionsOf().options)
    expect(workspace).toMatchObject({ base: null, isNewBranch: true })
    writeFileSync(join(folder, "first"), "1\n")
    expect((await Effect.runPromise(workspace.changes)).changes).toEqual([
      { path: "first", change: "untracked", added: 1, removed: 0 }
    ])
    const sha = await Effect.runPromise(workspace.commit("First"))
    expect(await Effect.runPromise(workspace.push())).toEqual({ branch: workspace.branch, sha })
    expect(await repository.git("rev-parse", workspace.branch)).toBe(sha)
  })

  test("works with a repository on this machine, and with one that names objects by SHA-256", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app", { objectFormat: "sha256" })
    const sha = await repository.commit("main", { file: "1" })
    for (const url of [repository.path, `file://${repository.path}`, repository.url]) {
      const folder = newFolder()
      const workspace = await prepare(folder, { repository: url }, optionsOf().options)
      expect(head(folder)).toBe(sha)
      writeFileSync(join(folder, "file"), "2")
      const mine = await Effect.runPromise(workspace.commit("Mine"))
      await Effect.runPromise(workspace.push())
      expect(await repository.git("rev-parse", workspace.branch)).toBe(mine)
    }
  })

  test("tells of its progress", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const lines: Array<string> = []
    const onProgress = (line: string) => Effect.sync(() => lines.push(line))
    await prepare(newFolder(), { repository: repository.url }, optionsOf(null, { onProgress }).options)
    expect(lines.length).toBeGreaterThan(0)
  })
})

describe("a workspace that cannot be prepared", () => {
  const attempt = async (spec: object, files: Readonly<Record<string, string>> = { file: "1" }) => {
    const server = await serverOfTest({ credentials: { username: "ada", password: "right" } })
    const repository = await server.repository("app")
    await repository.commit("main", files)
    const folder = newFolder()
    const { options } = optionsOf({ username: "ada", password: "right" })
    const error = await failureOf(prepareWorkspace(folder, { repository: repository.url, ...spec }, options))
    // Nothing is left of the try.
    expect(existsSync(folder)).toBe(false)
    return { error, repository, server }
  }

  test("says that there is no such repository, or no such branch", async () => {
    const { error, server } = await attempt({ base: "nowhere" })
    expect(error).toMatchObject({ failure: "base_missing", retryable: false })
    const missing = prepareWorkspace(
      newFolder(),
      { repository: `${server.url}/other.git` },
      optionsOf({ username: "ada", password: "right" }).options
    )
    expect(await failureOf(missing)).toMatchObject({ failure: "repository_missing", retryable: false })
    const nowhere = prepareWorkspace(newFolder(), { repository: "/nowhere/at/all" }, optionsOf().options)
    expect(await failureOf(nowhere)).toMatchObject({ failure: "repository_missing" })
  })

  test("says whether credentials are missing or wrong", async () => {
    const server = await serverOfTest({ credentials: { username: "ada", password: "right" } })
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const spec = { repository: repository.url }
    const errors = [
      await failureOf(prepareWorkspace(newFolder(), spec, optionsOf(null).options)),
      await failureOf(
        prepareWorkspace(newFolder(), spec, optionsOf({ username: "ada", password: "wrong-one" }).options)
      ),
      await failureOf(
        prepareWorkspace(newFolder(), spec, optionsOf({ username: "a\nhost=evil", password: "x" }).options)
      )
    ]
    for (const error of errors) expect(error).toMatchObject({ failure: "credentials_refused", retryable: false })
    expect(new Set(errors.map((error) => error.detail)).size).toBe(3)
    server.answerWith(403)
    expect(await failureOf(prepareWorkspace(newFolder(), spec, optionsOf().options))).toMatchObject({
      failure: "credentials_refused"
    })
  })

  test("says which branch is in the way of the session's", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    const sha = await repository.commit("main", { file: "1" })
    await repository.commit("holdfast", { file: "2" }, { from: sha })
    const spec = { repository: repository.url }
    const above = await failureOf(prepareWorkspace(newFolder(), spec, optionsOf().options))
    expect(above).toMatchObject({ failure: "branch_conflict" })
    expect(above.detail).toContain("refs/heads/holdfast")
    await repository.commit("deep/er/still", { file: "2" }, { from: sha })
    const below = prepareWorkspace(newFolder(), { ...spec, branch: "deep/er" }, optionsOf().options)
    expect(await failureOf(below)).toMatchObject({ failure: "branch_conflict" })
    const same = prepareWorkspace(newFolder(), { ...spec, branch: "main" }, optionsOf().options)
    expect(await failureOf(same)).toMatchObject({ failure: "branch_conflict" })
  })

  test("says that the server cannot be reached or has an error, and that trying again can help", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    server.answerWith(503)
    const failing = prepareWorkspace(newFolder(), { repository: repository.url }, optionsOf().options)
    expect(await failureOf(failing)).toMatchObject({ failure: "network", retryable: true })
    await server.close()
    const gone = prepareWorkspace(newFolder(), { repository: repository.url }, optionsOf().options)
    expect(await failureOf(gone)).toMatchObject({ failure: "network", retryable: true })
  })

  test("gives up after its time, ends git, and leaves nothing behind; the same when it is interrupted", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const held = server.hold("git-upload-pack")
    const folder = newFolder()
    const { options } = optionsOf()
    const spec = { repository: repository.url }
    expect(await failureOf(prepareWorkspace(folder, spec, { ...options, timeoutMs: 400 }))).toMatchObject({
      failure: "timeout",
      retryable: true
    })
    const fiber = Effect.runFork(prepareWorkspace(folder, spec, options))
    await held.arrived
    await Effect.runPromise(Fiber.interrupt(fiber))
    held.release()
    expect(existsSync(folder)).toBe(false)
    expect(visibleTexts().filter((line) => line.includes(repository.url))).toEqual([])
  })

  test("says that the disk is full", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    // It does not compress: the second half of it does not fit.
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))
    await repository.commit(
      "main",
      Object.fromEntries(
        Array.from({ length: 60 }, (_, at) => [
          `${at}`,
          { content: Buffer.concat([noise, Buffer.from(`${at}`)]), mode: "100644" as const }
        ])
      )
    )
    const small = temporaryFolder()
    const program = fileURLToPath(new URL("support/prepareOnce.ts", import.meta.url))
    const { stdout } = await promisify(execFile)("bwrap", [
      "--dev-bind",
      "/",
      "/",
      "--size",
      "2000000",
      "--tmpfs",
      small,
      process.execPath,
      "--conditions=@holdfast/source",
      "--disable-warning=ExperimentalWarning",
      program,
      repository.url,
      join(small, "work")
    ])
    expect(JSON.parse(stdout)).toEqual({ failure: "disk_full", retryable: false, left: [] })
  })

  test("leaves a folder alone that has something else in it", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const other = await server.repository("other")
    await other.commit("main", { file: "2" })
    const spec = { repository: repository.url }
    const { options } = optionsOf()

    const files = temporaryFolder()
    writeFileSync(join(files, "precious"), "1")
    expect(await failureOf(prepareWorkspace(files, spec, options))).toMatchObject({ failure: "folder_taken" })
    expect(readdirSync(files)).toEqual(["precious"])

    const clone = newFolder()
    await prepare(clone, { repository: other.url }, options)
    expect(await failureOf(prepareWorkspace(clone, spec, options))).toMatchObject({ failure: "folder_taken" })
    expect(readFileSync(join(clone, "file"), "utf8")).toBe("2")

    const file = join(temporaryFolder(), "file")
    writeFileSync(file, "1")
    expect(await failureOf(prepareWorkspace(file, spec, options))).toMatchObject({ _tag: "GitError" })
    const dangling = join(temporaryFolder(), "link")
    symlinkSync("/nowhere", dangling)
    expect(await failureOf(prepareWorkspace(dangling, spec, options))).toMatchObject({ _tag: "GitError" })
  })

  test("is not half a workspace to whoever comes after a crash", async () => {
    const server = await serverOfTest()
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const folder = newFolder()
    const { options } = optionsOf()
    await prepare(folder, { repository: repository.url }, options)
    // As a clone that was killed while it wrote files leaves it.
    writeFileSync(join(folder, ".git", "holdfast-unfinished"), "")
    rmSync(join(folder, ".git", "refs"), { recursive: true })
    writeFileSync(join(folder, "file"), "half")
    mkdirSync(join(folder, "dir"))
    await prepare(folder, { repository: repository.url }, options)
    expect(gitIn(folder, "status", "--porcelain")).toBe("")
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("1")
  })

  test("refuses repositories and branches that git would take for something else", async () => {
    const { options } = optionsOf()
    const specs = [
      { repository: "https://ada:secret@example.com/app.git" },
      { repository: "ext::sh -c 'touch /tmp/owned'" },
      { repository: "--upload-pack=touch /tmp/owned" },
      { repository: "ssh://example.com/app.git" },
      { repository: "relative/app.git" },
      { repository: "file://elsewhere/app.git" },
      { repository: "https://example.com/a\nb" },
      { repository: "/app.git", base: "--force" },
      { repository: "/app.git", base: "a..b" },
      { repository: "/app.git", branch: "-x" },
      { repository: "/app.git", branch: "a b" },
      { repository: "/app.git", branch: "refs/../x" },
      { repository: "/app.git", branch: "x.lock" },
      { repository: "/app.git", branch: "a", base: "a" }
    ]
    for (const spec of specs) {
      const error = await failureOf(prepareWorkspace(newFolder(), spec, options))
      expect({ spec, failure: error.failure, retryable: error.retryable }).toEqual({
        spec,
        failure: "invalid",
        retryable: false
      })
      expect(error.message).not.toContain("secret")
    }
  })

  test("says that there is no git, and what to do", async () => {
    const { options } = optionsOf(null, { env: { PATH: temporaryFolder() } })
    const error = await failureOf(prepareWorkspace(newFolder(), { repository: "/app.git" }, options))
    expect(error).toMatchObject({ failure: "git_missing" })
    expect(error.detail).toContain("install git")
  })
})
