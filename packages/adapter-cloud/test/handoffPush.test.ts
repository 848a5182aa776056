/** A repository behind a password, in a session that moves between a sandbox and this machine: it can be pushed from there again. */
import { ptyBackend } from "@holdfast/adapter-pty"
import { makeMemory, type SessionState } from "@holdfast/core"
import { movedWorkspaces, tokenCredentials } from "@holdfast/git"
import { makeHoldfast } from "@holdfast/runtime"
import { startGitServer } from "@holdfast/testkit"
import { Effect } from "effect"
import { execFile, execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, it, onTestFinished } from "vitest"
import { openCloudHouse } from "./support/cloudHouse.ts"

const secret = "ghp_only-ever-lent"
const branch = "holdfast/work"

const execute = promisify(execFile)

const shell = { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", "echo ready; read end"] } }

const isOpen = (state: SessionState) => state.chart.lifecycle === "open"

it("A session pushes what it was brought with, out of a sandbox and into it again, and its remote has no password anywhere", async () => {
  const git = await startGitServer({ credentials: { username: "x-access-token", password: secret } })
  onTestFinished(() => git.close())
  const repository = await git.repository("app")
  await repository.commit("main", { "README.md": "Hello\n" })
  const pushed = (format: string) => Effect.promise(() => repository.git("log", "-1", `--format=${format}`, branch))
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { backend, folder, provider } = yield* openCloudHouse({
          credentials: tokenCredentials({ [git.url]: secret })
        })
        const holdfast = yield* makeHoldfast(makeMemory(), {
          backends: [backend, ptyBackend()],
          handoff: { folder: join(folder, "bundles"), workspaces: movedWorkspaces() }
        })
        const inCloud = { inner: shell, workspace: { repository: repository.url, base: "main", branch } }
        const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: inCloud })
        yield* Effect.timeout(holdfast.until(sessionId, isOpen), 30_000)
        const here = join(folder, "here")
        const local = { backend: "pty", spec: { ...shell.spec, cwd: here }, restart: true }

        yield* holdfast.handoff(sessionId, local)
        const run = (...args: ReadonlyArray<string>) => execFileSync("git", ["-C", here, ...args], { encoding: "utf8" })
        expect(run("remote", "get-url", "origin").trim()).toBe(repository.url)
        expect(run("branch", "--show-current").trim()).toBe(branch)
        expect(readFileSync(join(here, ".git", "config"), "utf8")).not.toContain(secret)
        writeFileSync(join(here, "local.txt"), "written on this machine\n")
        run("add", "local.txt")
        run("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message=On this machine")
        // With credentials of this machine, as the person who sits at it has them.
        const helper = `credential.helper=!f() { echo username=x-access-token; echo password=${secret}; }; f`
        // The server runs in this process.
        yield* Effect.promise(() => execute("git", ["-C", here, "-c", helper, "push", "--quiet", "origin", branch]))
        expect(yield* pushed("%an %s")).toBe("Ada On this machine")
        writeFileSync(join(here, "late.txt"), "not committed\n")

        const nowhere = { ...inCloud, workspace: { ...inCloud.workspace, branch: "-" } }
        const refused = yield* Effect.flip(
          holdfast.handoff(sessionId, { backend: "cloud", spec: nowhere, restart: true })
        )
        expect(refused).toMatchObject({ _tag: "SpecInvalid", field: "workspace.repository" })
        expect(yield* provider.list("test")).toEqual([])

        yield* holdfast.handoff(sessionId, { backend: "cloud", spec: inCloud, restart: true })
        const changed = yield* holdfast.workspace(sessionId, { do: "changes" })
        expect(changed).toMatchObject({ changes: [{ path: "late.txt" }, { path: "local.txt" }] })
        yield* holdfast.workspace(sessionId, { do: "commit", message: "In a sandbox" })
        yield* holdfast.workspace(sessionId, { do: "push" })
        expect(yield* pushed("%s")).toBe("In a sandbox")

        // From one sandbox into another: both are there for a moment.
        const first = (yield* provider.list("test"))[0]!.sandboxId
        yield* holdfast.handoff(sessionId, { backend: "cloud", spec: inCloud, restart: true })
        yield* holdfast.workspace(sessionId, { do: "commit", message: "Nothing new" })
        yield* holdfast.workspace(sessionId, { do: "push" })
        const isLeft = Effect.map(provider.list("test"), (all) => all.some(({ sandboxId }) => sandboxId === first))
        while (yield* isLeft) yield* Effect.sleep(50)
        expect(yield* provider.list("test")).toHaveLength(1)
        expect(yield* holdfast.state(sessionId)).toMatchObject({
          generation: 4,
          chart: { sandbox: "ready", link: "connected" }
        })

        yield* holdfast.command(sessionId, { type: "session.close", data: { force: true } })
        yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
      })
    )
  )
}, 60_000)
