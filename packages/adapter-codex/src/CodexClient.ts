/**
 * Requests and answers of the app-server's protocol: JSON-RPC without its version field, one message a line. Knows nothing of
 * processes: lines come in and go out.
 */
import { Effect, Result, Schedule, Schema, Semaphore } from "effect"
import { calls, type CodexMethod, type ParamsOf, type ResultOf } from "./CodexCalls.ts"
import type { Deadlines } from "./Deadlines.ts"
import type { CodexMessage, CodexReply } from "./CodexNormaliser.ts"

/** Requests that wait for their answers at once: 50. Of bursts of 1,000 an app-server leaves one in seven unanswered. */
export const maxInFlight = 50

/** Requests that wait for their turn: 1,000, some dozens for each of many sessions. Past it a request fails at once. */
export const maxQueued = 1_000

/** Milliseconds that an answer may take: 30,000. The slowest that were seen took a second. */
export const defaultRequestTimeoutMs = 30_000

/** Characters of an error's message that are kept: that of an unknown method lists all methods, which is several thousand. */
const maxErrorMessage = 500

/** The error code by which a server says that it is too busy; it has not looked at the request. */
const overloaded = -32_001

/** A busy server is asked again this often, after 50 ms and then ever longer: some three seconds in all. */
const overloadedTries = 6

/** The app-server answered with an error, or with what is no answer. */
export class CodexError extends Schema.TaggedError<CodexError>("@holdfast/adapter-codex/CodexError")("CodexError", {
  method: Schema.String,
  code: Schema.Finite,
  detail: Schema.String,
  data: Schema.optionalKey(Schema.Unknown)
}) {
  override get message() {
    return `${this.method}: ${this.detail}`
  }
}

/** There is no answer: none came in time, or there is nobody who could give one. */
export class CodexSilent extends Schema.TaggedError<CodexSilent>("@holdfast/adapter-codex/CodexSilent")("CodexSilent", {
  method: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: ${this.reason}`
  }
}

/** What a client needs. */
export interface CodexClientOptions {
  /** Sends a line, its end included. */
  readonly write: (line: string) => void
  /** A notification, or a request where it has an id; in order, and before the answers that come after it. */
  readonly onMessage: (message: CodexMessage) => void
  readonly deadlines: Deadlines
  /** A line that is no message; it is left out. */
  readonly onGarbage: (line: string) => void
  /** No answer came in time. */
  readonly onSilence?: () => void
  /** Default {@link defaultRequestTimeoutMs}. */
  readonly requestTimeoutMs?: number
}

/** How a request is sent. */
export interface CodexRequestOptions<R> {
  /** Called in the same step in which the answer comes, before any later message is handed out. */
  readonly onResult?: (result: R) => void
  /** Milliseconds that the answer may take, if not those of the client. */
  readonly timeoutMs?: number
}

/** Sends a request. */
export type CodexRequest = <M extends CodexMethod>(
  method: M,
  params: ParamsOf<M>,
  options?: CodexRequestOptions<ResultOf<M>>
) => Effect.Effect<ResultOf<M>, CodexError | CodexSilent>

/** A client. */
export interface CodexClient {
  readonly request: CodexRequest
  readonly notify: (method: string) => void
  /** Answers a request of the server. */
  readonly reply: (reply: CodexReply) => void
  /** Takes a line of the server. */
  readonly take: (line: string) => void
  /** Fails all that wait, and whatever is asked later. */
  readonly end: (reason: string) => void
}

interface Pending {
  readonly method: CodexMethod
  readonly onResult: CodexRequestOptions<never>["onResult"]
  readonly settle: (outcome: Effect.Effect<unknown, CodexError | CodexSilent>) => void
}

interface Answer {
  readonly id: unknown
  readonly result?: unknown
  readonly error?: unknown
}

const decoders = new Map(
  Object.entries(calls).map(([method, { result }]) => [
    method,
    Schema.decodeUnknownResult(result as Schema.Codec<unknown>)
  ])
)

const WireError = Schema.Struct({
  code: Schema.Finite,
  message: Schema.String,
  data: Schema.optionalKey(Schema.Unknown)
})
const readError = Schema.decodeUnknownResult(WireError)

/** Makes a client. */
export const makeCodexClient = (options: CodexClientOptions): CodexClient => {
  const { onGarbage, onMessage, requestTimeoutMs = defaultRequestTimeoutMs } = options
  const pending = new Map<number, Pending>()
  const slots = Semaphore.makeUnsafe(maxInFlight)
  let lastId = 0
  let queued = 0
  let ended: string | undefined

  const write = (message: object) => options.write(`${encode(message)}\n`)

  const send = (method: CodexMethod, params: unknown, how: CodexRequestOptions<never>) => {
    const { onResult, timeoutMs = requestTimeoutMs } = how
    return Effect.callback<unknown, CodexError | CodexSilent>((resume) => {
      if (ended !== undefined) return resume(Effect.fail(new CodexSilent({ method, reason: ended })))
      lastId += 1
      const id = lastId
      const cancel = options.deadlines.set(timeoutMs, () => {
        pending.delete(id)
        options.onSilence?.()
        resume(Effect.fail(new CodexSilent({ method, reason: `no answer within ${timeoutMs} ms` })))
      })
      const settle: Pending["settle"] = (outcome) => {
        cancel()
        resume(outcome)
      }
      pending.set(id, { method, onResult, settle })
      write({ id, method, params })
      return Effect.sync(() => {
        cancel()
        pending.delete(id)
      })
    })
  }

  const inTurn = (method: CodexMethod, params: unknown, how: CodexRequestOptions<never>) =>
    Effect.suspend(() => {
      if (queued >= maxQueued) {
        return Effect.fail(new CodexSilent({ method, reason: `${maxQueued} requests wait already` }))
      }
      queued += 1
      return Effect.ensuring(
        slots.withPermit(send(method, params, how)),
        Effect.sync(() => {
          queued -= 1
        })
      )
    })

  const request: CodexRequest = (method, params, how = {}) =>
    Effect.retry(inTurn(method, params, how as CodexRequestOptions<never>), {
      while: (error) => error._tag === "CodexError" && error.code === overloaded,
      times: overloadedTries,
      schedule: Schedule.exponential(50)
    }) as never

  const answer = ({ error, id, result }: Answer) => {
    const waiting = typeof id === "number" ? pending.get(id) : undefined
    // The answer to what nobody waits for any more.
    if (waiting === undefined) return
    pending.delete(id as number)
    const { method, onResult, settle } = waiting
    if (error !== undefined) return settle(Effect.fail(errorOf(method, error)))
    const read = decoders.get(method)!(result)
    if (Result.isFailure(read)) {
      const detail = shorten(`its answer cannot be read: ${read.failure.message}`)
      return settle(Effect.fail(new CodexError({ method, code: 0, detail })))
    }
    onResult?.(read.success as never)
    settle(Effect.succeed(read.success))
  }

  return {
    request,
    notify: (method) => write({ method }),
    reply: (reply) => {
      if (ended === undefined) write(reply)
    },
    take: (line) => {
      const message = parse(line)
      // By what it has, not by its id: the server counts its own requests from 0, and ours would be taken for them.
      if (message === undefined) onGarbage(line)
      else if (typeof message["method"] === "string") onMessage(message as unknown as CodexMessage)
      else if ("id" in message && ("result" in message || "error" in message)) answer(message as unknown as Answer)
      else onGarbage(line)
    },
    end: (reason) => {
      if (ended !== undefined) return
      ended = reason
      const waiting = [...pending.values()]
      pending.clear()
      for (const { method, settle } of waiting) settle(Effect.fail(new CodexSilent({ method, reason })))
    }
  }
}

const parse = (line: string): { readonly [key: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const errorOf = (method: string, error: unknown): CodexError => {
  const read = readError(error)
  if (Result.isFailure(read)) return new CodexError({ method, code: 0, detail: "an error without a message" })
  const { code, data, message } = read.success
  return new CodexError({ method, code, detail: shorten(message), ...(data === undefined ? {} : { data }) })
}

const shorten = (message: string): string =>
  message.length > maxErrorMessage ? `${message.slice(0, maxErrorMessage - 1)}…` : message

/**
 * JSON that the server can read: half of a surrogate pair, as a text cut in the middle of an emoji has it, is valid in
 * JavaScript's strings and in no UTF-8, and a line with it would never be answered.
 */
const encode = (message: object): string => {
  const json = JSON.stringify(message)
  return json.includes("\\ud") ? JSON.stringify(message, wellFormed) : json
}

const wellFormed = (_key: string, value: unknown): unknown => (typeof value === "string" ? value.toWellFormed() : value)
