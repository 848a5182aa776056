/** Calls of the HTTP API: with a token, within a time, tried again where that is harmless, and every answer checked. */
import { Problem } from "@holdfast/core"
import * as Schema from "effect/Schema"
import { ClientError, clientError } from "./ClientError.ts"
import { messageOf, type TokenSource } from "./TokenSource.ts"

/** Tries of a call that may be repeated, and the first pause between two, which doubles. */
const tries = 3
const pauseMs = 250

/** Longest pause that a server may ask for within a call; a longer one is left to the app. */
const maxPauseMs = 10_000

/** What a call sends. */
export interface HttpCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** Below `/api/v1`, each part encoded. */
  readonly path: string
  readonly query?: { readonly [name: string]: string | number | boolean | ReadonlyArray<string> | undefined }
  readonly json?: unknown
  readonly body?: Uint8Array<ArrayBuffer> | FormData
  readonly headers?: { readonly [name: string]: string }
  /** Repeating it has no second effect. Default: of GET and DELETE. */
  readonly repeatable?: boolean
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

/** What a caller is made of. */
export interface HttpCallerOptions {
  /** Of the API: `https://…/api/v1`. */
  readonly url: string
  readonly tokens: TokenSource
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMs: number
}

const isProblem = Schema.is(Problem)

/** Makes HTTP calls. All reject with {@link ClientError}, or with the reason of the call's signal. */
export class HttpCaller {
  readonly #options: HttpCallerOptions

  constructor(options: HttpCallerOptions) {
    this.#options = options
  }

  /** The address of something below the API. */
  urlOf(path: string, query: HttpCall["query"] = {}): string {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue
      for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one))
    }
    const text = search.toString()
    return `${this.#options.url}${path}${text === "" ? "" : `?${text}`}`
  }

  /** Calls, and reads the JSON of the answer. */
  async json<A>(schema: Schema.ConstraintDecoder<A>, call: HttpCall): Promise<A> {
    return this.#attempts(call, async (response) => {
      const json: unknown = await response.json()
      try {
        return Schema.decodeUnknownSync(schema)(json)
      } catch (error) {
        const detail = `the server's answer is not what the API says of it: ${messageOf(error)}`
        throw clientError("internal", detail, { cause: error })
      }
    })
  }

  /** Calls for nothing but that it is done. */
  async done(call: HttpCall): Promise<void> {
    return this.#attempts(call, async (response) => {
      await response.body?.cancel()
    })
  }

  /** Calls for bytes. */
  async bytes(call: HttpCall): Promise<{ readonly bytes: Uint8Array; readonly headers: Headers }> {
    return this.#attempts(call, async (response) => ({
      bytes: new Uint8Array(await response.arrayBuffer()),
      headers: response.headers
    }))
  }

  /** Calls for an answer whose body the app reads itself: only the signal ends that. */
  async response(call: HttpCall): Promise<Response> {
    const response = await this.#send(call, call.signal)
    if (!response.ok) throw await refusal(response)
    return response
  }

  async #attempts<A>(call: HttpCall, read: (response: Response) => Promise<A>): Promise<A> {
    const repeatable = call.repeatable ?? (call.method === "GET" || call.method === "DELETE")
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(call, read)
      } catch (error) {
        call.signal?.throwIfAborted()
        const pause = attempt < tries && repeatable ? pauseAfter(error, attempt) : undefined
        if (pause === undefined) throw error
        await wait(pause, call.signal)
      }
    }
  }

  async #attempt<A>(call: HttpCall, read: (response: Response) => Promise<A>): Promise<A> {
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    const signal = call.signal === undefined ? late.signal : AbortSignal.any([call.signal, late.signal])
    try {
      const response = await this.#send(call, signal)
      if (!response.ok) throw await refusal(response)
      return await read(response)
    } catch (error) {
      if (error instanceof ClientError || call.signal?.aborted === true) throw error
      const detail = late.signal.aborted
        ? `the server did not answer within ${timeoutMs / 1000} seconds`
        : `the server cannot be reached: ${messageOf(error)}`
      throw clientError("unavailable", detail, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  /** One request, or a second one with a new token where the first is not taken. */
  async #send(call: HttpCall, signal: AbortSignal | undefined): Promise<Response> {
    const { tokens } = this.#options
    const token = await tokens.current()
    const response = await this.#fetch(call, token, signal)
    if (response.status !== 401 || !tokens.renews) return response
    tokens.forget(token)
    const newer = await tokens.current()
    if (newer === token) return response
    await response.body?.cancel()
    return this.#fetch(call, newer, signal)
  }

  #fetch(call: HttpCall, token: string | undefined, signal: AbortSignal | undefined): Promise<Response> {
    const headers = new Headers(call.headers)
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`)
    let body: RequestInit["body"] = call.body ?? null
    if (call.json !== undefined) {
      headers.set("content-type", "application/json")
      body = textOf(call.json)
    }
    const fetch = this.#options.fetch
    return fetch(this.urlOf(call.path, call.query), { method: call.method, headers, body, signal: signal ?? null })
  }
}

const textOf = (json: unknown): string => {
  try {
    return JSON.stringify(json)
  } catch (error) {
    throw clientError("invalid", `this cannot be sent as JSON: ${messageOf(error)}`, { cause: error })
  }
}

/** What a server's answer refuses with: its problem, or one made of the status where something between has answered. */
const refusal = async (response: Response): Promise<ClientError> => {
  const { status } = response
  let json: unknown
  try {
    json = await response.json()
  } catch {
    // A page of a proxy, or nothing at all: the status says enough.
  }
  if (isProblem(json)) return new ClientError(json)
  const kind =
    status === 401
      ? "unauthenticated"
      : status === 403
        ? "forbidden"
        : status === 404
          ? "not_found"
          : status === 413
            ? "too_large"
            : status === 429
              ? "busy"
              : status === 502 || status === 503 || status === 504
                ? "unavailable"
                : status >= 500
                  ? "internal"
                  : "invalid"
  return clientError(kind, `the server answered with the status ${status}`)
}

/** How long to wait before another try; undefined where there is no point in one. */
const pauseAfter = (error: unknown, attempt: number): number | undefined => {
  if (!(error instanceof ClientError)) return undefined
  const { kind, retryAfterMs } = error.problem
  if (kind !== "unavailable" && kind !== "busy") return undefined
  if (retryAfterMs !== undefined && retryAfterMs > maxPauseMs) return undefined
  return (retryAfterMs ?? 0) + Math.random() * pauseMs * 2 ** attempt
}

const wait = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort)
      resolve()
    }, ms)
    signal?.addEventListener("abort", onAbort, { once: true })
  })
