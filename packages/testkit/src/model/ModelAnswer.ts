/** Plays the steps of one answer onto an HTTP response. */
import type { ServerResponse } from "node:http"
import { Effect } from "effect"
import type { ContentFrames, MakeId, ModelDialect } from "./ModelDialect.ts"
import type { AnswerState } from "./ModelRequest.ts"
import { defaultUsage, type FinishReason, type ModelContent, type ModelStep } from "./ModelStep.ts"

/** What an answer is played with. */
export interface AnswerPlace {
  readonly response: ServerResponse
  readonly dialect: ModelDialect
  /** The model's name, as the client gave it. */
  readonly model: string
  readonly stream: boolean
  readonly makeId: MakeId
  /** Waits for the gate; fails when it stayed closed for too long. */
  readonly pass: (gate: string) => Effect.Effect<void, string>
  /** Hears how the answer ends, just before the client can know. */
  readonly ends: (state: AnswerState) => void
}

/**
 * Resolves when the text has been handed to the system: so a slow client holds the answer back, and what was written before
 * a connection is broken arrives. Never resolves when the client has gone; its `close` event ends the answer.
 */
const send = (response: ServerResponse, text: string): Effect.Effect<void> =>
  text === ""
    ? Effect.void
    : Effect.callback((resume) => {
        response.write(text, (error) => {
          if (error === undefined || error === null) resume(Effect.void)
        })
      })

/** Answers with a status and a JSON body. */
export const sendJson = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<void> =>
  Effect.callback((resume) => {
    response
      .writeHead(status, { "content-type": "application/json", ...headers })
      .end(JSON.stringify(body), () => resume(Effect.void))
  })

const end = (response: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    response.end(() => resume(Effect.void))
  })

const sendContent = Effect.fnUntraced(function* (response: ServerResponse, frames: ContentFrames, delayMs: number) {
  if (delayMs === 0) return yield* send(response, frames.open + frames.pieces.join("") + frames.close)
  yield* send(response, frames.open)
  for (const [at, piece] of frames.pieces.entries()) {
    if (at > 0) yield* Effect.sleep(delayMs)
    yield* send(response, piece)
  }
  yield* send(response, frames.close)
})

const usageOf = (steps: ReadonlyArray<ModelStep>) => {
  const step = steps.findLast(({ type }) => type === "usage")
  return step?.type === "usage" ? step.usage : defaultUsage
}

/** Plays an answer to its end. Fails with what `pass` failed with. */
export const playAnswer = Effect.fnUntraced(function* (
  steps: ReadonlyArray<ModelStep>,
  place: AnswerPlace
): Effect.fn.Return<void, string> {
  const { dialect, ends, makeId, model, response, stream } = place
  const writer = dialect.write(model, makeId)
  const usage = usageOf(steps)
  const content: Array<ModelContent> = []

  /** Sends the headers and what comes first, unless they are sent. */
  const begin = Effect.suspend(() => {
    if (response.headersSent) return Effect.void
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
    return send(response, writer.start())
  })

  /** Ends the stream with these words. */
  const endStream = (words: string) => begin.pipe(Effect.andThen(send(response, words)), Effect.andThen(end(response)))

  const finish = (reason: FinishReason) => {
    ends("answered")
    return stream
      ? endStream(writer.finish(reason, usage))
      : sendJson(response, 200, dialect.whole({ content, reason, usage }, model, makeId))
  }

  for (const step of steps) {
    switch (step.type) {
      case "usage":
        break
      case "pause":
        yield* Effect.sleep(step.milliseconds)
        break
      case "gate":
        yield* place.pass(step.name)
        break
      case "text":
      case "reasoning":
      case "toolCall":
      case "customToolCall": {
        content.push(step)
        if (!stream) break
        yield* begin
        yield* sendContent(response, writer.content(step), "delayMs" in step ? step.delayMs : 0)
        break
      }
      case "finish":
        return yield* finish(step.reason)
      case "fail":
        ends("broken")
        return yield* stream ? endStream(writer.fail(step.error)) : sendJson(response, 500, dialect.error(step.error))
      case "endWithoutFinish":
        ends("broken")
        return yield* stream ? endStream("") : end(response)
      case "hang":
        return yield* Effect.never
      case "drop":
        if (stream && step.when === "mid stream") yield* begin
        ends("broken")
        response.destroy()
        return
      case "httpError": {
        const { error, retryAfter, status } = step
        const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }
        ends("broken")
        return yield* sendJson(response, status, dialect.error(error), headers)
      }
    }
  }
  const calls = content.some(({ type }) => type === "toolCall" || type === "customToolCall")
  return yield* finish(calls ? "tool-calls" : "stop")
})
