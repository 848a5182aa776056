/**
 * E2B's API, as far as sandboxes need it: the requests of its OpenAPI description (`components` and `paths` of the package
 * `e2b`), sent by the SDK's own client. Its classes are not used here, since they forget `Retry-After` and statuses.
 */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import { Clock, Effect, Schema } from "effect"
import { type Fail, within } from "../provider/ProviderErrors.ts"
import { failedBy, makeScrub, readRetryAfter, refusedBy, type Scrub } from "./E2bFailures.ts"
import { type E2bAccount, type E2bSdk, sdkOptions } from "./E2bSdk.ts"

/** Entries of one page, and the most pages that are read: 10,000 entries, the contract's bound. */
const pageSize = 100
const maxPages = 100

const Instant = Schema.String.pipe(Schema.check(Schema.makeFilter((text: string) => !Number.isNaN(Date.parse(text)))))

/** What is read of a sandbox. */
const E2bSandbox = Schema.Struct({
  sandboxID: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)),
  metadata: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.String))),
  startedAt: Instant,
  endAt: Instant,
  /** `running` or `paused` today. */
  state: Schema.String
})
export type E2bSandbox = typeof E2bSandbox.Type

/** How a sandbox's own daemon is reached. */
const E2bAccess = Schema.Struct({
  sandboxID: E2bSandbox.fields.sandboxID,
  envdVersion: Schema.String,
  envdAccessToken: Schema.optionalKey(Schema.NullOr(Schema.String)),
  domain: Schema.optionalKey(Schema.NullOr(Schema.String))
})
export type E2bAccess = typeof E2bAccess.Type

const E2bSandboxDetail = Schema.Struct({ ...E2bSandbox.fields, ...E2bAccess.fields })

const E2bSnapshot = Schema.Struct({
  snapshotID: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)),
  names: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))
})
export type E2bSnapshot = typeof E2bSnapshot.Type

/** The API for one call of the provider. */
export interface E2bApi {
  readonly fail: Fail
  readonly scrub: Scrub
  readonly sdk: E2bSdk
  readonly account: E2bAccount
  readonly client: InstanceType<E2bSdk["ApiClient"]>["api"]
}

/** A client; making one costs nothing. */
export const makeE2bApi = (fail: Fail, sdk: E2bSdk, account: E2bAccount): E2bApi => ({
  fail,
  sdk,
  account,
  scrub: makeScrub([account.apiKey]),
  client: new sdk.ApiClient(new sdk.ConnectionConfig(sdkOptions(account))).api
})

interface Answered {
  readonly data?: unknown
  readonly error?: unknown
  readonly response: Response
}

/** Sends a request. A status that is no success is an error, unless it is in `also`. */
const send = (
  { client, fail, scrub }: E2bApi,
  request: (client: E2bApi["client"], signal: AbortSignal) => Promise<Answered>,
  also: ReadonlyArray<number> = []
): Effect.Effect<Answered, SandboxProviderError> =>
  Effect.gen(function* () {
    const answered = yield* Effect.tryPromise({
      try: (signal) => request(client, signal),
      catch: (thrown) => failedBy(fail, scrub, thrown)
    })
    const { error, response } = answered
    if (response.ok || also.includes(response.status)) return answered
    const retryAfter = readRetryAfter(response.headers.get("retry-after"), yield* Clock.currentTimeMillis)
    const said = (error as { readonly message?: unknown } | undefined)?.message ?? error
    return yield* refusedBy(fail, scrub, {
      status: response.status,
      detail: typeof said === "string" && said !== "" ? said : response.statusText,
      ...(retryAfter === undefined ? {} : { retryAfter })
    })
  })

const decoded = <A, I>({ fail }: E2bApi, schema: Schema.Codec<A, I>, data: unknown) =>
  Schema.decodeUnknownEffect(schema)(data).pipe(
    Effect.mapError((cause) =>
      fail("unexpected", `E2B answered what this version does not understand: ${cause.message}`)
    )
  )

/** All pages of a list. */
const pages = Effect.fnUntraced(function* <A, I>(
  api: E2bApi,
  schema: Schema.Codec<A, I>,
  page: (
    client: E2bApi["client"],
    query: { limit: number; nextToken?: string },
    signal: AbortSignal
  ) => Promise<Answered>
) {
  const all: Array<A> = []
  let nextToken: string | undefined
  for (let count = 0; count < maxPages; count++) {
    const query = { limit: pageSize, ...(nextToken === undefined ? {} : { nextToken }) }
    const { data, response } = yield* send(api, (client, signal) => page(client, query, signal))
    all.push(...(yield* decoded(api, Schema.Array(schema), data)))
    nextToken = response.headers.get("x-next-token") ?? undefined
    if (nextToken === undefined || nextToken === "") return all
  }
  return yield* api.fail("exhausted", `E2B lists more than ${maxPages * pageSize} entries`)
})

/** Each key and value is encoded, and the whole once more: so the API's description has it. */
const metadataQuery = (metadata: Readonly<Record<string, string>>): string =>
  new URLSearchParams(
    Object.entries(metadata).map(([key, value]): [string, string] => [
      encodeURIComponent(key),
      encodeURIComponent(value)
    ])
  ).toString()

/** Sandboxes with this metadata, paused ones too. */
export const listSandboxes = (api: E2bApi, metadata: Readonly<Record<string, string>>) =>
  Effect.map(
    pages(api, E2bSandbox, (client, query, signal) =>
      client.GET("/v2/sandboxes", {
        params: { query: { ...query, metadata: metadataQuery(metadata), state: ["running", "paused"] } },
        signal
      })
    ),
    (found) => found.filter((each) => Object.entries(metadata).every(([key, value]) => each.metadata?.[key] === value))
  )

/** Whether the key is good. */
export const checkAccount = (api: E2bApi) =>
  Effect.asVoid(send(api, (client, signal) => client.GET("/v2/sandboxes", { params: { query: { limit: 1 } }, signal })))

/** What can be the name of a sandbox. Nothing else is asked for: it would be another request. */
const isSandboxId = (name: string): boolean => /^[A-Za-z0-9_-]{1,256}$/.test(name)

/** A sandbox, or undefined where there is none. */
export const getSandbox = Effect.fnUntraced(function* (api: E2bApi, sandboxID: string) {
  if (!isSandboxId(sandboxID)) return undefined
  const { data, response } = yield* send(
    api,
    (client, signal) => client.GET("/sandboxes/{sandboxID}", { params: { path: { sandboxID } }, signal }),
    [404]
  )
  return response.status === 404 ? undefined : yield* decoded(api, E2bSandboxDetail, data)
})

/** How long making a sandbox may take, in milliseconds: E2B says itself after about a minute that it found no place. */
const createMs = 90_000

/**
 * Makes a sandbox of a template or a snapshot. It is not to be interrupted, since E2B goes on whether or not we hear of it, and
 * so has a deadline of its own.
 */
export const createSandbox = Effect.fnUntraced(function* (
  api: E2bApi,
  template: string,
  metadata: Readonly<Record<string, string>>,
  lifetimeMs: number
) {
  const body = { templateID: template, metadata, timeout: Math.ceil(lifetimeMs / 1_000), autoPause: false }
  const { data } = yield* send(api, (client, signal) => client.POST("/v2/sandboxes", { body, signal })).pipe(
    within(api.fail, createMs)
  )
  return yield* decoded(api, E2bAccess, data)
})

/** Has a sandbox live so long from now on, or as long as the account's plan takes. */
export const extendSandbox = (api: E2bApi, sandboxID: string, lifetimeMs: number) =>
  Effect.asVoid(
    send(
      api,
      (client, signal) =>
        client.POST("/sandboxes/{sandboxID}/timeout", {
          params: { path: { sandboxID } },
          body: { timeout: Math.ceil(lifetimeMs / 1_000) },
          signal
        }),
      [404]
    )
  )

/** Ends a sandbox; one that is gone is fine. */
export const killSandbox = (api: E2bApi, sandboxID: string): Effect.Effect<void, SandboxProviderError> =>
  isSandboxId(sandboxID)
    ? Effect.asVoid(
        send(
          api,
          (client, signal) => client.DELETE("/sandboxes/{sandboxID}", { params: { path: { sandboxID } }, signal }),
          [404]
        )
      )
    : Effect.void

/** Stores memory and file system under a name; the sandbox stands still meanwhile. */
export const createSnapshot = Effect.fnUntraced(function* (api: E2bApi, sandboxID: string, name: string) {
  const { data } = yield* send(api, (client, signal) =>
    client.POST("/sandboxes/{sandboxID}/snapshots", { params: { path: { sandboxID } }, body: { name }, signal })
  )
  return yield* decoded(api, E2bSnapshot, data)
})

/** All snapshots of the account. */
export const listSnapshots = (api: E2bApi) =>
  pages(api, E2bSnapshot, (client, query, signal) => client.GET("/snapshots", { params: { query }, signal }))

/** Removes a snapshot, which is a template to E2B; one that is gone is fine. */
export const deleteSnapshot = (api: E2bApi, templateID: string) =>
  Effect.asVoid(
    send(
      api,
      (client, signal) => client.DELETE("/templates/{templateID}", { params: { path: { templateID } }, signal }),
      [404]
    )
  )
