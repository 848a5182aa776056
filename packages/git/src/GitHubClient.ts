/** GitHub's REST API: who we are to it, how long it may take, and what its refusals mean. */
import type { SessionId } from "@holdfast/core"
import { Clock, Effect, Stream } from "effect"
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse
} from "effect/http"
import type { CredentialBroker, CredentialsUnavailable } from "./CredentialBroker.ts"
import { ForgeError, type ForgeFailure } from "./Forge.ts"

/** Milliseconds that an answer may take: 30 s. GitHub itself gives up after ten. */
const answerTimeoutMs = 30_000

/** Bytes of an answer: 16 MiB. A page of a hundred pull requests has two or three. */
const maxAnswer = 16 * 1024 * 1024

/**
 * What to wait where a limit was met and no time was given: a minute
 * (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit).
 */
const unknownWaitMs = 60_000

/** Which repository, and in whose name. */
export interface GitHubOptions {
  /** As the workspace's spec has it: the broker is asked for it. */
  readonly repository: string
  readonly owner: string
  readonly name: string
  /** `https://api.github.com`, or `https://<host>/api/v3` of an Enterprise Server. */
  readonly apiUrl: string
  readonly sessionId: SessionId
  readonly broker: CredentialBroker
}

/** An answer that was a success. */
export interface GitHubAnswer {
  /** Undefined where nothing has changed since the `etag` that was asked with. */
  readonly json: unknown
  /** By which the same can be asked for again; undefined where the answer has none. */
  readonly etag: string | undefined
  /** There is another page (RFC 8288 `Link`, relation `next`). */
  readonly hasNext: boolean
}

/** Sends requests. */
export interface GitHubClient {
  readonly request: (
    operation: string,
    method: "GET" | "POST" | "PATCH",
    path: string,
    content?: {
      readonly query?: Readonly<Record<string, string>>
      readonly body?: unknown
      /** Of an earlier answer, to be told no more than that it still holds: such an answer costs nothing of the limit. */
      readonly etag?: string
    }
  ) => Effect.Effect<GitHubAnswer, ForgeError | CredentialsUnavailable>
}

/** Makes a client; nothing is sent yet. Credentials are asked for before each request. */
export const makeGitHubClient = ({ apiUrl, broker, repository, sessionId }: GitHubOptions): GitHubClient => {
  const base = apiUrl.replace(/\/+$/, "")

  const request: GitHubClient["request"] = (operation, method, path, { body, etag, query } = {}) => {
    const fail = (failure: ForgeFailure, detail: string, retryAt?: number) =>
      new ForgeError({
        forge: "github",
        operation,
        failure,
        detail,
        retryable: failure === "rate_limited" || failure === "unavailable" || failure === "timeout",
        ...(retryAt === undefined ? {} : { retryAt })
      })
    return Effect.gen(function* () {
      const http = yield* HttpClient.HttpClient
      const credentials = yield* broker.credentials({ sessionId, operation: "api", repository })
      const plain = HttpClientRequest.make(method)(`${base}${path}`, {
        urlParams: Object.entries(query ?? {}),
        headers: {
          accept: "application/vnd.github+json",
          "x-github-api-version": "2022-11-28",
          "user-agent": "holdfast",
          ...(etag === undefined ? {} : { "if-none-match": etag }),
          ...(credentials === null ? {} : { authorization: `Bearer ${credentials.password}` })
        }
      })
      const response = yield* http
        .execute(body === undefined ? plain : HttpClientRequest.bodyJsonUnsafe(plain, body))
        .pipe(
          // No trace: its spans would name the repository to whoever collects them, and GitHub knows none.
          Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
          Effect.provideService(HttpClient.TracerPropagationEnabled, false),
          Effect.mapError((error) => fail("unavailable", `${base} cannot be reached: ${reasonOf(error)}`))
        )
      const text = yield* readText(response).pipe(
        Effect.mapError((reason) =>
          reason === "too long"
            ? fail("unexpected", `its answer is longer than ${maxAnswer} bytes`)
            : fail("unavailable", "the connection broke within the answer")
        )
      )
      const { headers, status } = response
      if (status === 304 && etag !== undefined) return { json: undefined, etag, hasNext: false }
      const json = yield* parse(text)
      if (status < 200 || status > 299) {
        const refusal = refusalOf(status, headers, yield* Clock.currentTimeMillis, credentials !== null)
        const words = wordsOf(json)
        return yield* fail(refusal.failure, `${refusal.advice}${words === "" ? "" : ` (${words})`}`, refusal.retryAt)
      }
      if (json === undefined)
        return yield* fail("unexpected", "its answer is not JSON: is this the URL of a GitHub API?")
      return { json, etag: headers["etag"], hasNext: /<[^>]*>;\s*rel="next"/.test(headers["link"] ?? "") }
    }).pipe(
      Effect.timeoutOrElse({
        duration: answerTimeoutMs,
        orElse: () => Effect.fail(fail("timeout", `${base} did not answer within ${answerTimeoutMs / 1_000} s`))
      }),
      Effect.provide(FetchHttpClient.layer)
    )
  }
  return { request }
}

/** Node says "fetch failed" and keeps what happened some causes below. */
const reasonOf = (error: HttpClientError.HttpClientError): string => {
  for (let at: unknown = error.reason; at instanceof Object; at = (at as { readonly cause?: unknown }).cause) {
    const { code } = at as { readonly code?: unknown }
    if (typeof code === "string") return code
  }
  return "the connection broke"
}

const readText = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string, "too long" | "broken"> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  const take = (chunk: Uint8Array): Effect.Effect<void, "too long"> => {
    size += chunk.byteLength
    chunks.push(chunk)
    return size > maxAnswer ? Effect.fail("too long") : Effect.void
  }
  return Stream.runForEach(response.stream, take).pipe(
    Effect.catch((error) => {
      if (error === "too long") return Effect.fail(error)
      return error.reason._tag === "EmptyBodyError" ? Effect.void : Effect.fail("broken" as const)
    }),
    Effect.map(() => Buffer.concat(chunks).toString())
  )
}

const parse = (text: string): Effect.Effect<unknown> =>
  Effect.orElseSucceed(Effect.try({ try: (): unknown => JSON.parse(text), catch: () => undefined }), () => undefined)

/**
 * What a status means
 * (https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api): a limit is a 403 or 429 with either
 * `retry-after`, or `x-ratelimit-remaining: 0` and the time of `x-ratelimit-reset`; a repository that must not be seen is 404.
 */
const refusalOf = (
  status: number,
  headers: Readonly<Record<string, string | undefined>>,
  now: number,
  hasCredentials: boolean
): { readonly failure: ForgeFailure; readonly advice: string; readonly retryAt?: number } => {
  const seconds = (name: string) => (/^\d{1,12}$/.test(headers[name] ?? "") ? Number(headers[name]) : undefined)
  const [after, reset] = [seconds("retry-after"), seconds("x-ratelimit-reset")]
  const isLimit = after !== undefined || headers["x-ratelimit-remaining"] === "0"
  if (status === 429 || (status === 403 && isLimit)) {
    const known = after !== undefined ? now + after * 1_000 : reset === undefined ? undefined : reset * 1_000
    const retryAt = Math.max(known ?? now + unknownWaitMs, now)
    const advice = `too many requests: try again at ${new Date(retryAt).toISOString()}`
    return { failure: "rate_limited", advice, retryAt }
  }
  if (status === 401) {
    return {
      failure: "unauthorized",
      advice: hasCredentials
        ? "GitHub does not accept the token: it is wrong, expired or revoked; give the broker another"
        : "there is no token for this repository: give the broker one that may read and write pull requests"
    }
  }
  if (status === 403) {
    return {
      failure: "forbidden",
      advice: "the token may not do this: it needs to write pull requests of this repository"
    }
  }
  if (status === 404) {
    return {
      failure: "not_found",
      advice: "there is no such repository or pull request, or this token does not see it"
    }
  }
  if (status === 410 || status === 422 || status === 400) {
    return {
      failure: "invalid",
      advice: "GitHub refuses it: push commits that the base does not have, and check the branches"
    }
  }
  if (status >= 500)
    return { failure: "unavailable", advice: `GitHub has an error of its own (${status}): try again later` }
  return { failure: "unexpected", advice: `it answered with status ${status}` }
}

/** Errors come as `{ message, errors: [{ message, code, field }] }`, which may both be absent. At most 1,000 characters. */
const wordsOf = (json: unknown): string => {
  if (!(json instanceof Object)) return ""
  const { errors, message } = json as { readonly errors?: unknown; readonly message?: unknown }
  const more = (Array.isArray(errors) ? errors : []).map((error: unknown) => {
    if (typeof error === "string") return error
    if (!(error instanceof Object)) return ""
    const { code, field, message: words } = error as Readonly<Record<string, unknown>>
    return typeof words === "string" ? words : [field, code].filter((part) => typeof part === "string").join(" ")
  })
  return [typeof message === "string" ? message : "", ...more]
    .filter((words) => words !== "")
    .join("; ")
    .slice(0, 1_000)
}
