/** One exchange of a scripted model with a client: read, recorded, and answered as the script says. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Cause, Effect } from "effect"
import { chatDialect } from "./ChatDialect.ts"
import { messagesDialect } from "./MessagesDialect.ts"
import { playAnswer, sendJson } from "./ModelAnswer.ts"
import type { MakeId, ModelDialect } from "./ModelDialect.ts"
import { type ModelScript, stepsOf } from "./ModelScript.ts"
import { objection } from "./ModelStep.ts"
import type { OpenRequest, RequestRecord } from "./RequestRecord.ts"
import { responsesDialect } from "./ResponsesDialect.ts"

/** What exchanges are made with. */
export interface ExchangePlace {
  readonly script: () => ModelScript
  readonly record: RequestRecord
  readonly makeId: MakeId
  /** Waits for a gate, or fails with why it waits no longer. */
  readonly pass: (open: OpenRequest, gate: string) => Effect.Effect<void, string>
  readonly maxCallsPerTurn: number
}

const dialects: ReadonlyArray<ModelDialect> = [responsesDialect, chatDialect, messagesDialect]

/** Bytes of a request's body. Agents send their whole history, and images in it, but no more than a few megabytes. */
const bodyLimit = 64 * 1024 * 1024

const readBody = (request: IncomingMessage): Effect.Effect<unknown, string> =>
  Effect.tryPromise({
    try: async () => {
      const chunks: Array<Uint8Array> = []
      let size = 0
      for await (const chunk of request as AsyncIterable<Uint8Array>) {
        size += chunk.byteLength
        if (size > bodyLimit) throw new RangeError(`it has more than ${bodyLimit} bytes`)
        chunks.push(chunk)
      }
      return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown
    },
    catch: (cause) => `the body cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
  })

/** Headers by name; one that came several times has its values joined. */
const headersOf = (request: IncomingMessage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? "")
    ])
  )

/** What the script has for a request, where that can be played. */
const stepsFor = Effect.fnUntraced(function* (place: ExchangePlace, dialect: ModelDialect, open: OpenRequest) {
  const { maxCallsPerTurn, script } = place
  if (open.calls > maxCallsPerTurn || open.request.step >= maxCallsPerTurn) {
    return yield* Effect.fail(`this turn has made ${maxCallsPerTurn} calls, which is as many as it may`)
  }
  const steps = yield* Effect.try({
    try: () => stepsOf(script(), open.request),
    catch: (cause) => `the script threw ${String(cause)}`
  })
  const problems = [
    objection(steps),
    ...steps.map((step) => ("pieces" in step || step.type === "customToolCall" ? dialect.objection(step) : undefined))
  ]
  const problem = problems.find((problem) => problem !== undefined)
  return problem === undefined ? steps : yield* Effect.fail(`the script cannot be played: ${problem}`)
})

/** Never goes on by itself where the client stays: resolves when the connection is gone before the answer's end. */
const gone = (response: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const close = () => resume(Effect.void)
    response.once("close", close)
    if (response.destroyed) close()
    return Effect.sync(() => response.off("close", close))
  })

/** Makes the function that answers a request. It never fails, and ends at the latest when the client goes. */
export const makeExchange =
  (place: ExchangePlace) =>
  (request: IncomingMessage, response: ServerResponse): Effect.Effect<void> => {
    const [path = "/"] = (request.url ?? "/").split("?")
    const dialect = dialects.find((dialect) => dialect.path === path && request.method === "POST")
    const headers = headersOf(request)
    let open: OpenRequest | undefined

    const refuse = (status: number, problem: string) => {
      open?.ends("refused", problem)
      const error = { message: `The scripted model: ${problem}`, type: "invalid_request_error" }
      return sendJson(response, status, (dialect ?? responsesDialect).error(error))
    }

    const breakOff = (problem: string) =>
      Effect.sync(() => {
        open?.ends("broken", problem)
        response.destroy()
      })

    const answer = (dialect: ModelDialect) =>
      Effect.gen(function* () {
        const body = yield* readBody(request)
        const read = yield* dialect
          .read(body, headers)
          .pipe(Effect.mapError((problem) => `the body is not as ${path} has it: ${problem}`))
        const opened = place.record.add({ dialect: dialect.name, path, headers, body }, read)
        open = opened
        const steps = yield* stepsFor(place, dialect, opened)
        const { model, stream } = read
        const pass = (gate: string) => place.pass(opened, gate)
        yield* playAnswer(steps, {
          response,
          dialect,
          model,
          stream,
          makeId: place.makeId,
          pass,
          ends: opened.ends
        }).pipe(Effect.catch(breakOff))
      }).pipe(
        Effect.catch((problem) => refuse(400, problem)),
        Effect.catchDefect((defect) => breakOff(`a fault of the scripted model: ${Cause.pretty(Cause.die(defect))}`))
      )

    return (dialect === undefined ? refuse(404, `there is no ${request.method} ${path}`) : answer(dialect)).pipe(
      Effect.raceFirst(gone(response)),
      Effect.ensuring(Effect.sync(() => open?.ends("client gone")))
    )
  }
