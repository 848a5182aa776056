import { makeSessionId } from "@holdfast/core"
import { Effect } from "effect"
import { describe, expect, test } from "vitest"
import {
  CredentialsUnavailable,
  type Forge,
  forgeOf,
  noCredentials,
  pullRequestArtifact,
  tokenCredentials
} from "../src/index.ts"
import { gitHubServer } from "./support/gitHubServer.ts"
import { failureOf } from "./support/workspaces.ts"

const repository = "https://github.com/acme/app.git"
const token = "ghs_token"
const broker = tokenCredentials({ "https://github.com/acme": token })
const sessionId = makeSessionId()

const forgeOfTest = async () => {
  const server = await gitHubServer("acme/app", token, ["main", "work", "other"])
  const options = { sessionId, broker, gitHub: { "https://github.com": server.url } }
  return { server, options, forge: forgeOf(repository, options)! }
}

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)
const content = { branch: "work", base: "main", title: "Do it" }

describe("pull requests on GitHub", () => {
  test("are opened once for a branch, and updated after", async () => {
    const { forge, server } = await forgeOfTest()
    const opened = await run(forge.openPullRequest({ ...content, body: "Why", draft: true }))
    expect(opened).toEqual({
      number: 1,
      url: "https://github.com/acme/app/pull/1",
      title: "Do it",
      state: "draft",
      branch: "work",
      base: "main",
      sha: "1".padStart(40, "0"),
      isNew: true
    })
    const updated = await run(forge.openPullRequest({ ...content, title: "Done" }))
    expect(updated).toMatchObject({ number: 1, title: "Done", state: "draft", isNew: false })
    expect(server.pulls).toHaveLength(1)
    expect(server.pulls[0]).toMatchObject({ title: "Done", body: "Why" })
    expect(new Set(server.requests.map(({ version }) => version))).toEqual(new Set(["2022-11-28"]))
    expect(pullRequestArtifact(updated)).toEqual({
      kind: "pull_request",
      title: "#1 Done",
      url: "https://github.com/acme/app/pull/1",
      state: "draft"
    })
  })

  test("that somebody else opens in between are updated, too", async () => {
    const { forge, server } = await forgeOfTest()
    server.beforeAnswer((method) => {
      if (method !== "POST" || server.pulls.length > 0) return
      const rest = { body: null, draft: false, state: "open", merged_at: null } as const
      server.pulls.push({ number: 1, title: "Theirs", head: "work", base: "main", ...rest })
    })
    expect(await run(forge.openPullRequest(content))).toMatchObject({ number: 1, title: "Do it", isNew: false })
  })

  test("tell whether they are open, drafts, merged or closed", async () => {
    const { forge, server } = await forgeOfTest()
    await run(forge.openPullRequest(content))
    const state = async () => (await run(forge.pullRequest(1))).state
    const [pull] = server.pulls
    expect(await state()).toBe("open")
    Object.assign(pull!, { draft: true })
    expect(await state()).toBe("draft")
    Object.assign(pull!, { state: "closed" })
    expect(await state()).toBe("closed")
    Object.assign(pull!, { merged_at: "2026-01-01T00:00:00Z" })
    expect(await state()).toBe("merged")
  })

  test("are asked for again at no cost as long as nothing has changed", async () => {
    const { forge, server } = await forgeOfTest()
    await run(forge.openPullRequest(content))
    const first = await run(forge.refreshPullRequest(1))
    expect(first).toMatchObject({ pullRequest: { number: 1, state: "open" }, version: expect.any(String) })
    const spent = server.spent()
    expect(await run(forge.refreshPullRequest(1, first.version))).toEqual({
      pullRequest: null,
      version: first.version
    })
    expect(server.spent()).toBe(spent)
    server.pulls[0]!.state = "closed"
    const second = await run(forge.refreshPullRequest(1, first.version))
    expect(second.pullRequest).toMatchObject({ state: "closed" })
    expect(second.version).not.toBe(first.version)
    // A limit that is met does not hide behind what is known already.
    server.allow(0)
    expect(await failureOf(forge.refreshPullRequest(1, second.version))).toMatchObject({ failure: "rate_limited" })
    server.answerOnce({ status: 304 })
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({ failure: "unexpected" })
  })

  test("are found by their branch: the open one, else the newest that is over", async () => {
    const { forge, server } = await forgeOfTest()
    expect(await run(forge.findPullRequest("work"))).toBeNull()
    await run(forge.openPullRequest({ ...content, branch: "other" }))
    for (const title of ["one", "two"]) {
      await run(forge.openPullRequest({ ...content, title }))
      server.pulls.at(-1)!.state = "closed"
    }
    expect(await run(forge.findPullRequest("work"))).toMatchObject({ title: "two", state: "closed" })
    await run(forge.openPullRequest({ ...content, title: "three" }))
    expect(await run(forge.findPullRequest("work"))).toMatchObject({ title: "three", state: "open" })
  })

  test("are listed over all pages, up to a bound", async () => {
    const { forge, server } = await forgeOfTest()
    for (let number = 1; number <= 250; number++) {
      const rest = { title: `${number}`, body: null, draft: false, state: "open", merged_at: null } as const
      server.pulls.push({ number, head: "work", base: "main", ...rest })
    }
    const numbers = async (list: ReturnType<Forge["listPullRequests"]>) => (await run(list)).map(({ number }) => number)
    expect(await numbers(forge.listPullRequests({ limit: 1_000 }))).toEqual(
      Array.from({ length: 250 }, (_, at) => 250 - at)
    )
    expect(server.requests).toHaveLength(3)
    expect(await numbers(forge.listPullRequests())).toHaveLength(100)
    expect(await numbers(forge.listPullRequests({ limit: 2, state: "all" }))).toEqual([250, 249])
    expect(await numbers(forge.listPullRequests({ state: "closed" }))).toEqual([])
  })
})

describe("what GitHub refuses", () => {
  test("says what to do about tokens that are missing, wrong or too weak", async () => {
    const { forge, options, server } = await forgeOfTest()
    const wrong = forgeOf(repository, { ...options, broker: tokenCredentials({ "https://github.com": "wrong" }) })!
    expect(await failureOf(wrong.pullRequest(1))).toMatchObject({ failure: "unauthorized", retryable: false })
    const none = forgeOf(repository, { ...options, broker: noCredentials })!
    expect(await failureOf(none.pullRequest(1))).toMatchObject({ failure: "not_found", retryable: false })
    server.answerOnce({ status: 403, body: '{"message":"Resource not accessible by integration"}' })
    const weak = await failureOf(forge.openPullRequest(content))
    expect(weak).toMatchObject({ failure: "forbidden", retryable: false })
    expect(weak.message).toContain("Resource not accessible by integration")
    const vault = {
      credentials: () =>
        Effect.fail(new CredentialsUnavailable({ repository, detail: "the vault is shut", retryable: true }))
    }
    expect(await failureOf(forgeOf(repository, { ...options, broker: vault })!.pullRequest(1))).toMatchObject({
      _tag: "CredentialsUnavailable"
    })
    expect(JSON.stringify(weak)).not.toContain(token)
  })

  test("says what is not there or not valid", async () => {
    const { forge } = await forgeOfTest()
    expect(await failureOf(forge.pullRequest(7))).toMatchObject({ failure: "not_found", retryable: false })
    expect(await failureOf(forge.pullRequest(-1))).toMatchObject({ failure: "invalid" })
    const error = await failureOf(forge.openPullRequest({ ...content, base: "nowhere" }))
    expect(error).toMatchObject({ failure: "invalid", retryable: false })
    expect(error.message).toContain("base invalid")
  })

  test("says when to try again after a limit", async () => {
    const { forge, server } = await forgeOfTest()
    const reset = Math.ceil(Date.now() / 1_000) + 600
    server.answerOnce({
      status: 403,
      headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(reset) },
      body: '{"message":"API rate limit exceeded"}'
    })
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({
      failure: "rate_limited",
      retryable: true,
      retryAt: reset * 1_000
    })
    const secondsUntil = async (headers: Readonly<Record<string, string>>) => {
      server.answerOnce({ status: 429, headers })
      const error = await failureOf(forge.pullRequest(1))
      if (error._tag !== "ForgeError" || error.retryAt === undefined) throw new Error(`no time: ${error.message}`)
      return (error.retryAt - Date.now()) / 1_000
    }
    const told = await secondsUntil({ "retry-after": "30" })
    expect(told).toBeGreaterThan(20)
    expect(told).toBeLessThanOrEqual(30)
    // Where no time is given GitHub asks for a minute at least.
    expect(await secondsUntil({})).toBeGreaterThan(50)
  })

  test("says that GitHub is not there, has an error, or is something else", async () => {
    const { forge, server } = await forgeOfTest()
    server.answerOnce({ status: 502, body: "<html>" })
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({ failure: "unavailable", retryable: true })
    server.answerOnce({ status: 200, body: "<html>" })
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({ failure: "unexpected", retryable: false })
    server.answerOnce({ status: 200, body: '{"number":"one"}' })
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({ failure: "unexpected" })
    server.answerOnce({ status: 204 })
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({ failure: "unexpected" })
    await server.close()
    expect(await failureOf(forge.pullRequest(1))).toMatchObject({ failure: "unavailable", retryable: true })
  })
})

describe("forgeOf", () => {
  test("finds GitHub and the Enterprise Servers that a host names, and nothing else", () => {
    const options = { sessionId, broker, gitHub: { "https://git.acme.example": "https://git.acme.example/api/v3" } }
    expect(forgeOf("https://github.com/acme/app", options)?.name).toBe("github")
    expect(forgeOf("https://git.acme.example/acme/app.git", options)?.repository).toBe(
      "https://git.acme.example/acme/app.git"
    )
    for (const url of [
      "https://gitlab.com/acme/app.git",
      "https://github.com/acme",
      "https://github.com/acme/app/more",
      "https://github.com/acme/..",
      "https://github.com.evil.example/acme/app",
      "/srv/git/acme/app.git",
      "https://constructor/acme/app"
    ]) {
      expect(forgeOf(url, options)).toBeUndefined()
    }
  })
})
