/**
 * `POST /api/v1/sessions/:sessionId/commands` as plain code at the socket's edge. Whoever scripts a session sends one command after
 * the other, and a router, a request, a body and a response of Effect's own cost twice what the command itself does. Only the form
 * that such a request mostly has is taken here, as its endpoint would take it; any other (with a cookie, a query, a body of no
 * stated length, or under a tracer, which wants a span of each) goes the way of all requests.
 */
import { problem, type Receipt, SessionId } from "@holdfast/core"
import { Cause, Effect, Exit, Fiber, Result, Schema, Scope, Tracer } from "effect"
import { HttpApiError } from "effect/http-api"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { SessionAccess } from "../access/SessionAccess.ts"
import { notJson, problemOf } from "../api/ProblemOf.ts"
import { Refused } from "../api/Problems.ts"
import { SentCommand } from "../api/SessionsApi.ts"
import { readCredentials } from "../auth/AuthMiddleware.ts"
import { Authenticator } from "../auth/Authenticator.ts"
import type { RequestGuard } from "../auth/RequestGuard.ts"
import { refuseRequest } from "./refuseRequest.ts"

const commandsPath = /^\/api\/v1\/sessions\/([\da-f-]{36})\/commands$/

const jsonType = /^application\/json(?:; ?charset=utf-8)?$/i

const isSessionId = Schema.is(SessionId)

const decodeSent = Schema.decodeUnknownResult(SentCommand)

const utf8 = new TextDecoder()

const hasPlainForm = (headers: IncomingHttpHeaders): boolean =>
  headers.cookie === undefined &&
  headers["content-encoding"] === undefined &&
  Number(headers["content-length"] ?? 0) > 0 &&
  jsonType.test(headers["content-type"] ?? "")

/** All of a body whose stated length is within what a server takes: Node reads no more than that. */
const bodyOf = (request: IncomingMessage): Effect.Effect<Buffer> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    const more = (chunk: Buffer) => void chunks.push(chunk)
    const end = () => resume(Effect.succeed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.on("data", more).once("end", end)
    return Effect.sync(() => request.off("data", more).off("end", end))
  })

const readSent = (body: Buffer): Effect.Effect<typeof SentCommand.Type, Refused> => {
  let json: unknown
  try {
    json = JSON.parse(utf8.decode(body))
  } catch {
    return Effect.fail(new Refused({ problem: notJson }))
  }
  const sent = decodeSent(json)
  if (Result.isSuccess(sent)) return Effect.succeed(sent.success)
  const invalid = new HttpApiError.HttpApiSchemaError({ kind: "Payload", cause: sent.failure })
  return Effect.fail(new Refused({ problem: problemOf(invalid) }))
}

const stopping = problem("unavailable", "the server stops", { retryAfterMs: 1_000 })

/** Answers commands. */
export interface CommandRequests {
  /**
   * Takes a request that has passed the guard and is no larger than it may be; `head` are names and values of headers in turn.
   * False: it is none of these, and nothing was done about it.
   */
  readonly take: (request: IncomingMessage, response: ServerResponse, head: ReadonlyArray<string>) => boolean
}

/** Makes what answers commands. The requests that it answers end with the scope. */
export const makeCommandRequests = Effect.fnUntraced(function* (
  guard: RequestGuard
): Effect.fn.Return<CommandRequests, never, Authenticator | SessionAccess | Scope.Scope> {
  const access = yield* SessionAccess
  const authenticator = yield* Authenticator
  const scope = yield* Scope.Scope
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const isTraced = (yield* Effect.tracer) !== Tracer.nativeTracer

  const perform = (request: IncomingMessage, sessionId: SessionId) => {
    const { headers, socket } = request
    const credentials = readCredentials(headers, "", socket.remoteAddress ?? "", false)
    return Effect.flatMap(authenticator.authenticate(credentials), (caller) => {
      const change = guard.checkChange("POST", headers, caller)
      if (change !== undefined) return Effect.fail(new Refused({ problem: change }))
      return Effect.flatMap(Effect.flatMap(bodyOf(request), readSent), ({ command, commandId }) =>
        access.command(caller, sessionId, command, commandId)
      )
    })
  }

  const problemIn = (cause: Cause.Cause<unknown>) => {
    if (Cause.hasInterruptsOnly(cause)) return stopping
    const said = problemOf(Cause.squash(cause))
    if (said.kind === "internal") Fiber.runIn(run(Effect.logError("a request failed", cause)), scope)
    return said
  }

  const answer = (response: ServerResponse, head: ReadonlyArray<string>, exit: Exit.Exit<Receipt, unknown>) => {
    // The client went away.
    if (response.destroyed) return
    if (Exit.isFailure(exit)) return refuseRequest(response, problemIn(exit.cause), head)
    const { commandId, firstSeq, lastSeq, sessionId } = exit.value
    const body = JSON.stringify({ sessionId, commandId, firstSeq, lastSeq })
    const length = String(Buffer.byteLength(body))
    response.writeHead(200, [...head, "content-type", "application/json", "content-length", length]).end(body)
  }

  return {
    take: (request, response, head) => {
      if (isTraced || request.method !== "POST") return false
      const sessionId = commandsPath.exec(request.url ?? "")?.[1]
      if (!isSessionId(sessionId) || !hasPlainForm(request.headers)) return false
      const fiber = Fiber.runIn(run(perform(request, sessionId)), scope)
      response.once("close", () => fiber.interruptUnsafe())
      fiber.addObserver((exit) => answer(response, head, exit))
      return true
    }
  }
})
