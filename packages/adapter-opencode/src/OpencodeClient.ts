/** The HTTP API of an Opencode server: one place for authentication, deadlines, and what its error answers mean. */
import { Effect, Schema, type Scope, Stream } from "effect"
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse
} from "effect/http"

/** Where a server listens, and who we are to it. */
export interface OpencodeAddress {
  /** `http://127.0.0.1:4096`, without a path. */
  readonly url: string
  /** Default `opencode`, as the server's own. */
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** A request did not bring what it should; the message says which and why. */
export class OpencodeError extends Schema.TaggedError<OpencodeError>("@holdfast/adapter-opencode/OpencodeError")(
  "OpencodeError",
  {
    /** Method and path. */
    request: Schema.String,
    /**
     * - `unreachable`: no connection, or it broke. Whether the server did what was asked is unknown.
     * - `deadline`: no answer in time. As unknown.
     * - `unauthorized`: wrong password or username.
     * - `not found`: no such session, message, permission or question.
     * - `busy`: the session is, and cannot do that now.
     * - `refused`: the request is not valid.
     * - `failed`: an error inside the server.
     * - `unexpected`: the answer is not what this API gives: another program, or another version.
     */
    reason: Schema.Literals([
      "unreachable",
      "deadline",
      "unauthorized",
      "not found",
      "busy",
      "refused",
      "failed",
      "unexpected"
    ]),
    detail: Schema.String,
    cause: Schema.optionalKey(Schema.Defect())
  }
) {
  override get message() {
    return `${this.request}: ${this.reason === "failed" ? "it failed" : this.reason}${this.detail === "" ? "" : `: ${this.detail}`}`
  }
}

/** What a request may say besides its path. */
export interface OpencodeCall {
  /** Whose instance is asked: everything below a session's path is in its own directory anyway. */
  readonly directory?: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** Milliseconds; default {@link callDeadlineMs}. */
  readonly deadlineMs?: number
}

/** A page of an answer that comes in pages. */
export interface OpencodePage<A> {
  readonly value: A
  /** Where the next page begins; undefined on the last. */
  readonly next: string | undefined
}

/** The client. Every method fails with {@link OpencodeError} alone. */
export interface OpencodeClient {
  readonly address: OpencodeAddress
  /** Reads. A broken connection is tried again, twice. */
  readonly get: <A>(path: string, answer: Schema.Decoder<A>, call?: OpencodeCall) => Effect.Effect<A, OpencodeError>
  /** Reads one page. */
  readonly page: <A>(
    path: string,
    answer: Schema.Decoder<A>,
    call?: OpencodeCall
  ) => Effect.Effect<OpencodePage<A>, OpencodeError>
  /** Changes something. Sent once: whoever gets `unreachable` or `deadline` has to look what became of it. */
  readonly send: <A>(
    method: "POST" | "PATCH" | "DELETE",
    path: string,
    answer: Schema.Decoder<A>,
    call?: OpencodeCall
  ) => Effect.Effect<A, OpencodeError>
  /** Opens a stream of server-sent events; it ends with the scope. Its chunks have no deadline here. */
  readonly openStream: (
    path: string,
    call?: OpencodeCall
  ) => Effect.Effect<Stream.Stream<Uint8Array, OpencodeError>, OpencodeError, Scope.Scope>
}

/** An answer may take this long, 30 s by default: the first request to a directory starts an instance, which takes 1 s on an idle machine. */
export const callDeadlineMs = 30_000

/** Longest answer that is read: 64 MiB. Fifty messages with images are far below it. */
const maxAnswerBytes = 64 * 1024 * 1024

/** Waits before a read is tried again after a broken connection. */
const readRetryMs = [100, 400]

/** Most characters of an error's own words that go into ours. */
const maxDetail = 500

/** Makes a client; nothing is sent yet. */
export const makeOpencodeClient = (address: OpencodeAddress): Effect.Effect<OpencodeClient> =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const base = address.url.replace(/\/+$/, "")

    const execute = (method: Method, path: string, { body, directory, query }: OpencodeCall, accept: string) => {
      const request = HttpClientRequest.make(method)(`${base}${path}`, {
        urlParams: Object.entries({ ...query, directory }).flatMap(([name, value]): Array<[string, string]> =>
          value === undefined ? [] : [[name, String(value)]]
        ),
        accept: accept
      })
      const authorised =
        address.password === undefined
          ? request
          : HttpClientRequest.basicAuth(request, address.username ?? "opencode", address.password)
      return http.execute(body === undefined ? authorised : HttpClientRequest.bodyJsonUnsafe(authorised, body)).pipe(
        // Neither a trace nor its headers: the server knows no trace, and the turns are many.
        Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
        Effect.provideService(HttpClient.TracerPropagationEnabled, false),
        Effect.mapError((cause) => failure(method, path, "unreachable", unreachableBecause(cause), cause))
      )
    }

    const exchange = <A>(method: Method, path: string, answer: Schema.Decoder<A>, call: OpencodeCall) => {
      const deadline = call.deadlineMs ?? callDeadlineMs
      const decode = Schema.decodeUnknownEffect(answer)
      return Effect.gen(function* () {
        const response = yield* execute(method, path, call, "application/json")
        const text = yield* readText(method, path, response)
        yield* check(method, path, response, text)
        const json = yield* parse(method, path, response, text)
        const value = yield* Effect.mapError(decode(json), (error) =>
          failure(method, path, "unexpected", `its answer is not as expected: ${error.message}`)
        )
        return { value, next: response.headers["x-next-cursor"] }
      }).pipe(
        Effect.timeoutOrElse({
          duration: deadline,
          orElse: () => Effect.fail(failure(method, path, "deadline", `no answer within ${deadline} ms`))
        })
      )
    }

    const page = <A>(
      path: string,
      answer: Schema.Decoder<A>,
      call: OpencodeCall = {},
      tries = 0
    ): Effect.Effect<OpencodePage<A>, OpencodeError> =>
      Effect.catchIf(
        exchange("GET", path, answer, call),
        (error) => error.reason === "unreachable" && tries < readRetryMs.length,
        () => Effect.andThen(Effect.sleep(readRetryMs[tries]!), page(path, answer, call, tries + 1))
      )

    return {
      address,
      page: (path, answer, call) => page(path, answer, call),
      get: (path, answer, call) => Effect.map(page(path, answer, call), ({ value }) => value),
      send: (method, path, answer, call = {}) => Effect.map(exchange(method, path, answer, call), ({ value }) => value),
      openStream: (path, call = {}) =>
        Effect.gen(function* () {
          const deadline = call.deadlineMs ?? callDeadlineMs
          const response = yield* execute("GET", path, call, "text/event-stream").pipe(
            Effect.timeoutOrElse({
              duration: deadline,
              orElse: () => Effect.fail(failure("GET", path, "deadline", `no answer within ${deadline} ms`))
            })
          )
          const isStream = contentType(response).startsWith("text/event-stream")
          if (response.status !== 200 || !isStream) {
            yield* check("GET", path, response, yield* readText("GET", path, response))
            return yield* failure("GET", path, "unexpected", `its answer is ${contentType(response)}, not events`)
          }
          return Stream.mapError(response.stream, (cause) =>
            failure("GET", path, "unreachable", "the connection broke", cause)
          )
        })
    } satisfies OpencodeClient
  }).pipe(Effect.provide(FetchHttpClient.layer))

type Method = "GET" | "POST" | "PATCH" | "DELETE"

const failure = (method: Method, path: string, reason: OpencodeError["reason"], detail: string, cause?: unknown) =>
  new OpencodeError({ request: `${method} ${path}`, reason, detail, ...(cause === undefined ? {} : { cause }) })

/** Node says "fetch failed" and keeps what happened some causes below. */
const unreachableBecause = (error: HttpClientError.HttpClientError): string => {
  let words = error.message
  for (let at: unknown = error.reason; at instanceof Object; at = (at as { readonly cause?: unknown }).cause) {
    const { code, message } = at as { readonly code?: unknown; readonly message?: unknown }
    if (typeof code === "string") return code
    if (typeof message === "string" && message !== "") words = message
  }
  return words
}

const contentType = (response: HttpClientResponse.HttpClientResponse) => response.headers["content-type"] ?? "nothing"

const readText = (method: Method, path: string, response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let size = 0
    yield* Stream.runForEach(response.stream, (chunk) => {
      size += chunk.byteLength
      if (size > maxAnswerBytes) {
        return Effect.fail(failure(method, path, "unexpected", `its answer is longer than ${maxAnswerBytes} bytes`))
      }
      chunks.push(chunk)
      return Effect.void
    }).pipe(
      Effect.catch((error) => {
        if (error instanceof OpencodeError) return Effect.fail(error)
        // As 204 has it.
        if (error.reason._tag === "EmptyBodyError") return Effect.void
        return Effect.fail(failure(method, path, "unreachable", "the connection broke within the answer", error))
      })
    )
    return Buffer.concat(chunks).toString("utf8")
  })

/** A route that does not exist is answered with 200 and the web UI: only JSON is an answer. */
const parse = (method: Method, path: string, response: HttpClientResponse.HttpClientResponse, text: string) => {
  if (response.status === 204 || text === "") return Effect.undefined
  if (!contentType(response).startsWith("application/json")) {
    const detail = `there is no such route, its answer is ${contentType(response)}: is this an Opencode server?`
    return Effect.fail(failure(method, path, "unexpected", detail))
  }
  return Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => failure(method, path, "unexpected", "its answer is not JSON", cause)
  })
}

const reasons: ReadonlyMap<number, OpencodeError["reason"]> = new Map([
  [401, "unauthorized"],
  [403, "unauthorized"],
  [404, "not found"],
  [409, "busy"]
])

const check = (method: Method, path: string, response: HttpClientResponse.HttpClientResponse, text: string) => {
  const { status } = response
  if (status >= 200 && status < 300) return Effect.void
  const reason = reasons.get(status) ?? (status >= 500 ? "failed" : status >= 400 ? "refused" : "unexpected")
  const words = reason === "unauthorized" ? "wrong username or password" : wordsOf(text)
  return Effect.fail(failure(method, path, reason, words === "" ? `status ${status}` : words.slice(0, maxDetail)))
}

/** Errors come as `{name, data: {message}}` or `{_tag, message}`, and now and then as text. */
const wordsOf = (text: string): string => {
  try {
    const { data, message, name, _tag } = JSON.parse(text) as {
      readonly data?: { readonly message?: unknown }
      readonly message?: unknown
      readonly name?: unknown
      readonly _tag?: unknown
    }
    const words = data?.message ?? message ?? name ?? _tag
    return typeof words === "string" ? words : text
  } catch {
    return text
  }
}
