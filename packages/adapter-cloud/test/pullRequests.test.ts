/** A repository behind a password, worked in from a sandbox, and its pull request: git and the forge are real counterparts. */
import { makeMemory, type SessionId } from "@holdfast/core"
import { forgeOf, tokenCredentials } from "@holdfast/git"
import { makeHoldfast } from "@holdfast/runtime"
import { startGitServer } from "@holdfast/testkit"
import { Effect } from "effect"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { gitHubServer } from "../../git/test/support/gitHubServer.ts"
import { openCloudHouse } from "./support/cloudHouse.ts"

const secret = "ghp_only-ever-lent"
const branch = "holdfast/work"

/** Every file below a folder. */
const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)

it("A sandbox clones and pushes with credentials that are lent, and its pull request is the session's artifact", async () => {
  const git = await startGitServer({ credentials: { username: "x-access-token", password: secret } })
  onTestFinished(() => git.close())
  const repository = await git.repository("app")
  await repository.commit("main", { "README.md": "Hello\n" })
  const gitHub = await gitHubServer("acme/app", secret, ["main", branch])
  const page = "https://github.com/acme/app"
  const broker = tokenCredentials({ [git.url]: secret, [page]: secret })
  // The forge's pages are elsewhere than this test's git server.
  const forge = ({ sessionId }: { readonly sessionId: SessionId }) =>
    forgeOf(page, { sessionId, broker, gitHub: { "https://github.com": gitHub.url } })
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { backend, folder } = yield* openCloudHouse({
          credentials: broker,
          pullRequestPollMs: 50,
          forge: (_repository, sessionId) => forge({ sessionId: sessionId as SessionId })
        })
        const holdfast = yield* makeHoldfast(makeMemory(), { backends: [backend] })
        const source = "echo changed > README.md; echo new > new.txt; echo ready; read end"
        const { sessionId } = yield* holdfast.create({
          backend: "cloud",
          owner: { participantId: "ada" as never, name: "Ada Lovelace" },
          spec: {
            inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", source] } },
            workspace: { repository: repository.url, base: "main", branch }
          }
        })
        yield* holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > 0)
        const by = { actor: "ada" as never }
        const changed = yield* holdfast.workspace(sessionId, { do: "changes" }, by)
        expect(changed).toMatchObject({ changes: [{ path: "README.md" }, { path: "new.txt" }] })
        yield* holdfast.workspace(sessionId, { do: "commit", message: "Change it" }, by)
        const asked = { do: "pullRequest", title: "Change it", draft: true } as const
        const opened = yield* holdfast.workspace(sessionId, asked, by)
        expect(opened).toMatchObject({ done: "pullRequest", number: 1 })

        expect(yield* Effect.promise(() => repository.git("log", "-1", "--format=%an %s", branch))).toBe(
          "Ada Lovelace Change it"
        )
        const state = yield* holdfast.until(sessionId, ({ artifacts }) => Object.keys(artifacts).length > 0)
        expect(Object.values(state.artifacts)).toMatchObject([
          { kind: "pull_request", title: "#1 Change it", state: "draft" }
        ])

        // Asked for again it is brought up to date, also to what has become of it meanwhile.
        gitHub.pulls[0]!.draft = false
        yield* holdfast.workspace(sessionId, { ...asked, title: "Change all of it" }, by)
        const later = yield* holdfast.until(sessionId, ({ artifacts }) =>
          Object.values(artifacts).some(({ title }) => title === "#1 Change all of it")
        )
        expect(Object.values(later.artifacts)).toMatchObject([{ state: "open" }])
        expect(gitHub.pulls).toHaveLength(1)

        // Somebody looks on while it is made a draft again and closed on the forge: each is told once.
        const inState = (wanted: string) =>
          holdfast.until(sessionId, ({ artifacts }) => Object.values(artifacts)[0]?.state === wanted)
        yield* holdfast.signal(sessionId, { type: "watched", people: 1 })
        gitHub.pulls[0]!.draft = true
        yield* inState("draft")
        gitHub.answerOnce({ status: 429, headers: { "retry-after": "0" } })
        Object.assign(gitHub.pulls[0]!, { draft: false, state: "closed" })
        yield* inState("closed")
        yield* holdfast.signal(sessionId, { type: "watched", people: 0 })

        const holding = filesBelow(folder).filter((path) => readFileSync(path).includes(secret))
        expect(holding, "nothing in the sandbox has the credentials").toEqual([])
        const refused = yield* Effect.flip(holdfast.workspace(sessionId, { do: "diff", path: "../../etc/passwd" }, by))
        expect(refused.message).toContain("path")
        yield* holdfast.command(sessionId, { type: "session.close", data: { force: true } })
        yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")

        // Merged long after: who comes to look at what is left of the session sees it.
        gitHub.pulls[0]!.merged_at = "2026-01-01T00:00:00Z"
        yield* holdfast.signal(sessionId, { type: "watched", people: 1 })
        yield* inState("merged")
        const { timeline } = yield* Effect.map(holdfast.read(sessionId, 0), (page) => ({
          timeline: page.answer === "gap" ? [] : page.events
        }))
        const states = timeline.flatMap(({ data, type }) =>
          type.startsWith("artifact.")
            ? [(data as { readonly artifact: { readonly state: string } }).artifact.state]
            : []
        )
        expect(states).toEqual(["draft", "open", "draft", "closed", "merged"])
      })
    )
  )
})
