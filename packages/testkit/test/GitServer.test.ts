import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { startGitServer } from "../src/GitServer.ts"

const env = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com"
}
const git = async (cwd: string, ...args: ReadonlyArray<string>) =>
  (await promisify(execFile)("git", args, { cwd, env })).stdout.trim()

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-git-client-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe("the git server of tests", () => {
  test("serves clones and takes pushes, as a real server does", async () => {
    await using server = await startGitServer()
    const repository = await server.repository("app")
    const first = await repository.commit("main", { "a b": "1\n", run: { content: "#!/bin/sh\n", mode: "100755" } })
    const second = await repository.commit("main", { "a b": "2\n", run: null }, { message: "Two" })
    expect(await repository.git("rev-list", "main")).toBe(`${second}\n${first}`)
    await git(folder, "clone", "--quiet", repository.url, "work")
    const work = join(folder, "work")
    expect(readFileSync(join(work, "a b"), "utf8")).toBe("2\n")
    writeFileSync(join(work, "c"), "3")
    await git(work, "add", "c")
    await git(work, "commit", "--quiet", "--message=three")
    await git(work, "push", "--quiet", "origin", "main")
    expect(await repository.git("rev-parse", "main")).toBe(await git(work, "rev-parse", "HEAD"))
    await repository.refusePushes("Not today")
    await expect(git(work, "push", "origin", "HEAD:other")).rejects.toThrow(/Not today/)
  })

  test("wants its password, answers with a status, and holds requests back until it is told", async () => {
    await using server = await startGitServer({ credentials: { username: "ada", password: "right" } })
    const repository = await server.repository("app")
    await repository.commit("main", { a: "1" })
    await expect(git(folder, "ls-remote", repository.url)).rejects.toThrow(/could not read Username/)
    const open = repository.url.replace("http://", "http://ada:right@")
    expect(await git(folder, "ls-remote", open)).toContain("refs/heads/main")
    expect(server.requests().map(({ isAuthorised }) => isAuthorised)).toContain(true)
    server.answerWith(503)
    await expect(git(folder, "ls-remote", open)).rejects.toThrow(/503/)
    server.answerWith(null)
    const held = server.hold("info/refs")
    let isAnswered = false
    const listing = git(folder, "ls-remote", open).finally(() => (isAnswered = true))
    await held.arrived
    expect(isAnswered).toBe(false)
    held.release()
    expect(await listing).toContain("refs/heads/main")
  })
})
