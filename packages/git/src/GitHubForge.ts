/**
 * Pull requests on GitHub and GitHub Enterprise Server, by the REST API of version 2022-11-28
 * (https://docs.github.com/en/rest/pulls/pulls?apiVersion=2022-11-28). What that API cannot do, this does not do: turning a
 * draft into a pull request that is ready for review, or back, needs GraphQL.
 */
import { Effect, Schema } from "effect"
import type { CredentialsUnavailable } from "./CredentialBroker.ts"
import type { Forge, PullRequest, PullRequestContent, PullRequestRefresh, PullRequestState } from "./Forge.ts"
import { ForgeError } from "./Forge.ts"
import { type GitHubAnswer, type GitHubClient, type GitHubOptions, makeGitHubClient } from "./GitHubClient.ts"

/** Pull requests that are listed at most. */
const maxListed = 1_000

/** The API's longest page. */
const pageSize = 100

/** Of a pull request, as all answers have it. Merged is what has a time of merging: lists have no `merged`. */
const PullRequestJson = Schema.Struct({
  number: Schema.Int,
  html_url: Schema.String,
  title: Schema.String,
  state: Schema.String,
  draft: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  merged_at: Schema.optionalKey(Schema.NullOr(Schema.String)),
  head: Schema.Struct({ ref: Schema.String, sha: Schema.String }),
  base: Schema.Struct({ ref: Schema.String })
})

const pullRequestOf = ({
  base,
  head,
  html_url: url,
  number,
  title,
  ...json
}: typeof PullRequestJson.Type): PullRequest => {
  const over: PullRequestState = typeof json.merged_at === "string" ? "merged" : "closed"
  const state = json.state === "open" ? (json.draft === true ? "draft" : "open") : over
  return { number, url, title, state, branch: head.ref, base: base.ref, sha: head.sha }
}

/** The owner and name of a repository by its URL; undefined where it has no such two parts. */
export const gitHubRepository = (
  repository: string
): { readonly origin: string; readonly owner: string; readonly name: string } | undefined => {
  if (!/^https?:\/\//i.test(repository) || !URL.canParse(repository)) return undefined
  const { origin, pathname } = new URL(repository)
  const [, owner, name] = /^\/([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/.exec(pathname) ?? []
  return owner === undefined || name === undefined || /^\.+$/.test(owner + name) ? undefined : { origin, owner, name }
}

/** Makes the forge of one repository. */
export const makeGitHubForge = (options: GitHubOptions): Forge => {
  const client = makeGitHubClient(options)
  const { name, owner } = options
  const path = `/repos/${owner}/${name}/pulls`

  const find = (operation: string, branch: string, state: "open" | "closed" | "all") =>
    // `head` wants the owner too; of another owner's fork a branch of the same name is not meant.
    list(client, operation, path, { head: `${owner}:${branch}`, state }, 1)

  const update = (number: number, { base, body, title }: PullRequestContent) =>
    client
      .request("open", "PATCH", `${path}/${number}`, { body: { title, base, ...(body === undefined ? {} : { body }) } })
      .pipe(
        Effect.flatMap(decodeOne("open")),
        Effect.map((pullRequest) => ({ ...pullRequest, isNew: false }))
      )

  const openPullRequest = Effect.fn("GitHubForge.openPullRequest")(function* (
    content: PullRequestContent
  ): Effect.fn.Return<PullRequest & { readonly isNew: boolean }, ForgeError | CredentialsUnavailable> {
    const [existing] = yield* find("open", content.branch, "open")
    if (existing !== undefined) return yield* update(existing.number, content)
    const { base, body, branch, draft, title } = content
    const created = client.request("open", "POST", path, {
      body: { head: branch, base, title, ...(body === undefined ? {} : { body }), ...(draft === true ? { draft } : {}) }
    })
    return yield* Effect.flatMap(created, decodeOne("open")).pipe(
      Effect.map((pullRequest) => ({ ...pullRequest, isNew: true })),
      // Somebody else opened one in between: GitHub answers 422 "A pull request already exists".
      Effect.catchIf(
        (error) => error._tag === "ForgeError" && error.failure === "invalid",
        (error) =>
          Effect.flatMap(find("open", branch, "open"), ([other]) =>
            other === undefined ? Effect.fail(error) : update(other.number, content)
          )
      )
    )
  })

  const get = (number: number, etag?: string) =>
    Number.isSafeInteger(number) && number > 0
      ? client.request("state", "GET", `${path}/${number}`, etag === undefined ? {} : { etag })
      : Effect.fail(notNumber(number))

  return {
    name: "github",
    repository: options.repository,
    openPullRequest,
    pullRequest: (number) => Effect.flatMap(get(number), decodeOne("state")),
    refreshPullRequest: (number, version) =>
      Effect.flatMap(get(number, version), (answer): Effect.Effect<PullRequestRefresh, ForgeError> =>
        answer.json === undefined
          ? Effect.succeed({ pullRequest: null, version })
          : Effect.map(decodeOne("state")(answer), (pullRequest) => ({ pullRequest, version: answer.etag }))
      ),
    findPullRequest: Effect.fn("GitHubForge.findPullRequest")(function* (branch: string) {
      const [open] = yield* find("find", branch, "open")
      if (open !== undefined) return open
      const [over] = yield* find("find", branch, "closed")
      return over ?? null
    }),
    listPullRequests: ({ limit = 100, state = "open" } = {}) =>
      list(client, "list", path, { state }, Math.max(0, Math.min(limit, maxListed)))
  }
}

const notNumber = (number: number) =>
  new ForgeError({
    forge: "github",
    operation: "state",
    failure: "invalid",
    detail: `expected a pull request's number, not ${number}`,
    retryable: false
  })

/** Reads pages until there are enough, the newest first. */
const list = Effect.fnUntraced(function* (
  client: GitHubClient,
  operation: string,
  path: string,
  query: Readonly<Record<string, string>>,
  limit: number
): Effect.fn.Return<ReadonlyArray<PullRequest>, ForgeError | CredentialsUnavailable> {
  const found: Array<PullRequest> = []
  for (let page = 1; found.length < limit; page++) {
    const answer = yield* client.request(operation, "GET", path, {
      query: {
        ...query,
        sort: "created",
        direction: "desc",
        per_page: String(Math.min(limit, pageSize)),
        page: String(page)
      }
    })
    found.push(...(yield* decodeMany(operation)(answer)))
    if (!answer.hasNext) break
  }
  return found.slice(0, limit)
})

const unexpected = (operation: string) => (error: Schema.SchemaError) =>
  new ForgeError({
    forge: "github",
    operation,
    failure: "unexpected",
    detail: `its answer is not what this version understands: ${error.message.slice(0, 500)}`,
    retryable: false
  })

const decodeOne =
  (operation: string) =>
  ({ json }: GitHubAnswer): Effect.Effect<PullRequest, ForgeError> =>
    Schema.decodeUnknownEffect(PullRequestJson)(json).pipe(
      Effect.mapBoth({ onFailure: unexpected(operation), onSuccess: pullRequestOf })
    )

const decodeMany =
  (operation: string) =>
  ({ json }: GitHubAnswer): Effect.Effect<ReadonlyArray<PullRequest>, ForgeError> =>
    Schema.decodeUnknownEffect(Schema.Array(PullRequestJson))(json).pipe(
      Effect.mapBoth({ onFailure: unexpected(operation), onSuccess: (all) => all.map(pullRequestOf) })
    )
