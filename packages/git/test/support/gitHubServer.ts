/**
 * A local counterpart of the part of GitHub's REST API that pull requests need. What it does is what GitHub documents:
 *
 * - create, list, get, update: https://docs.github.com/en/rest/pulls/pulls?apiVersion=2022-11-28
 * - pages and their `link` header: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
 * - limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 * - conditional requests, which cost nothing of a limit where nothing has changed:
 *   https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
 * - 401, 404 and 422: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
 * - versions: https://docs.github.com/en/rest/about-the-rest-api/api-versions
 */
import { createHash } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { onTestFinished } from "vitest"

interface StoredPull {
  number: number
  title: string
  body: string | null
  draft: boolean
  state: "open" | "closed"
  merged_at: string | null
  head: string
  base: string
}

/** An answer that is given instead of the usual one, once. */
export interface OddAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Starts one with a repository, its token and its branches; it is closed after the test. */
export const gitHubServer = async (repository: string, token: string, branches: ReadonlyArray<string>) => {
  const pulls: Array<StoredPull> = []
  const odd: Array<OddAnswer> = []
  const requests: Array<{ method: string; path: string; body: unknown; version: string | undefined }> = []
  let spent = 0
  let limit = 5_000
  /** Called before a request is answered. */
  let before: ((method: string) => void) | undefined
  const [owner] = repository.split("/")

  const shown = (pull: StoredPull, isWhole: boolean) => ({
    number: pull.number,
    html_url: `https://github.com/${repository}/pull/${pull.number}`,
    title: pull.title,
    body: pull.body,
    state: pull.state,
    draft: pull.draft,
    merged_at: pull.merged_at,
    // Only where one pull request is asked for.
    ...(isWhole ? { merged: pull.merged_at !== null } : {}),
    head: { label: `${owner}:${pull.head}`, ref: pull.head, sha: `${pull.number}`.padStart(40, "0"), repo: null },
    base: { label: `${owner}:${pull.base}`, ref: pull.base, sha: "f".repeat(40) },
    user: { login: "ada" }
  })

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    const body = await text(request)
    const json = body === "" ? undefined : (JSON.parse(body) as Record<string, unknown>)
    const method = request.method ?? ""
    const version = request.headers["x-github-api-version"] as string | undefined
    requests.push({ method, path: url.pathname + url.search, body: json, version })
    before?.(method)
    const send = (status: number, content: unknown, headers: Readonly<Record<string, string>> = {}) =>
      response
        .writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers })
        .end(typeof content === "string" ? content : JSON.stringify(content))
    const instead = odd.shift()
    if (instead !== undefined) return send(instead.status, instead.body ?? "", instead.headers)
    if (spent >= limit) {
      const reset = String(Math.ceil(Date.now() / 1_000))
      const words = { message: "API rate limit exceeded for user ID 1." }
      return send(403, words, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset })
    }
    spent++
    const { authorization } = request.headers
    if (authorization !== undefined && authorization !== `Bearer ${token}`) {
      return send(401, { message: "Bad credentials", documentation_url: "https://docs.github.com/rest" })
    }
    const found = new RegExp(`^/repos/${repository}/pulls(?:/(\\d+))?$`).exec(url.pathname)
    // A private repository is not told of to those who may not see it.
    if (found === null || authorization === undefined) return send(404, { message: "Not Found" })
    const invalid = (message: string) =>
      send(422, {
        message: "Validation Failed",
        errors: [{ resource: "PullRequest", code: "custom", message }],
        documentation_url: "https://docs.github.com/rest/pulls/pulls#create-a-pull-request"
      })
    if (found[1] !== undefined) {
      const pull = pulls.find(({ number }) => number === Number(found[1]))
      if (pull === undefined) return send(404, { message: "Not Found" })
      if (method === "PATCH") {
        // `draft` is no parameter of an update.
        for (const name of ["title", "body", "base", "state"] as const) {
          if (json?.[name] !== undefined) Object.assign(pull, { [name]: json[name] })
        }
      }
      const content = JSON.stringify(shown(pull, true))
      const etag = `W/"${createHash("sha256").update(`${authorization} ${content}`).digest("hex")}"`
      if (method === "GET" && request.headers["if-none-match"] === etag) {
        spent--
        return response.writeHead(304, { etag }).end()
      }
      return send(200, content, { etag })
    }
    if (method === "POST") {
      const { head, base, title, body: words = null, draft = false } = json as unknown as StoredPull
      if (!branches.includes(head) || !branches.includes(base)) {
        return send(422, {
          message: "Validation Failed",
          errors: [{ resource: "PullRequest", field: branches.includes(head) ? "base" : "head", code: "invalid" }]
        })
      }
      if (pulls.some((pull) => pull.state === "open" && pull.head === head && pull.base === base)) {
        return invalid(`A pull request already exists for ${owner}:${head}.`)
      }
      const pull: StoredPull = {
        number: pulls.length + 1,
        title,
        body: words,
        draft,
        state: "open",
        merged_at: null,
        head,
        base
      }
      pulls.push(pull)
      return send(201, shown(pull, true))
    }
    const [state, head] = [url.searchParams.get("state") ?? "open", url.searchParams.get("head")]
    const size = Math.min(Number(url.searchParams.get("per_page") ?? 30), 100)
    const page = Number(url.searchParams.get("page") ?? 1)
    const all = pulls
      .filter(
        (pull) => (state === "all" || pull.state === state) && (head === null || head === `${owner}:${pull.head}`)
      )
      .toReversed()
    const next = new URL(url)
    next.searchParams.set("page", String(page + 1))
    return send(
      200,
      all.slice((page - 1) * size, page * size).map((pull) => shown(pull, false)),
      page * size < all.length ? { link: `<${next.href}>; rel="next", <${next.href}>; rel="last"` } : {}
    )
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(close)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pulls,
    requests,
    /** How many of the requests counted against the limit. */
    spent: () => spent,
    /** From now on so many more may; past them they are refused, until it is set again. */
    allow: (more: number) => (limit = spent + more),
    answerOnce: (instead: OddAnswer) => odd.push(instead),
    beforeAnswer: (call: typeof before) => (before = call),
    close
  }
}
