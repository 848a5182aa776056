/** One open session: what is asked of it, as requests to the server. */
import {
  type BackendCommand,
  BackendLost,
  BackendRefused,
  type BackendSession,
  type Capabilities,
  noCapabilities,
  type Performed,
  type PromptId
} from "@holdfast/core"
import { Clock, Effect, FiberSet, Schema, type Scope } from "effect"
import { branchSession } from "./OpencodeBranch.ts"
import type { OpencodeError } from "./OpencodeClient.ts"
import { makeOpencodeDelivery } from "./OpencodeDelivery.ts"
import type { OpencodeFeed } from "./OpencodeFeed.ts"
import { packSession } from "./OpencodeHandoff.ts"
import { messageIdOf, type OpencodeNormaliser } from "./OpencodeNormaliser.ts"
import { type Choice, choiceProblem, type OpencodeOffer } from "./OpencodeOffer.ts"
import { modelOf, partsOf, promptBody } from "./OpencodePrompt.ts"
import type { OpencodeServer } from "./OpencodeServer.ts"
import type { RecordedSpec } from "./OpencodeSpec.ts"

/** What an Opencode session can do. */
export const opencodeCapabilities: Capabilities = {
  ...noCapabilities,
  prompts: true,
  steer: true,
  interrupt: true,
  permissions: true,
  questions: true,
  resume: true,
  fork: true,
  configure: true,
  compact: true,
  revert: true,
  archive: true
}

/** An abort is asked for again in these intervals while the server still says that it is busy. */
const abortAgainMs = [500, 1_000, 2_000, 4_000, 5_000]

/** An answer whose connection broke is sent again so often: the second of them is refused, which is as good. */
const answerRetries = 3

/** A compaction is a call of the model with the whole context: 10 minutes. */
const compactDeadlineMs = 600_000

/** The abort of a session that is closed by force, or whose scope closes in the middle of a turn. */
const partingDeadlineMs = 3_000

/** What a session is made of. */
export interface OpencodeSessionParts {
  readonly server: OpencodeServer
  readonly feed: OpencodeFeed
  readonly normaliser: OpencodeNormaliser
  readonly sessionId: string
  readonly directory: string
  readonly spec: RecordedSpec
  readonly offer: OpencodeOffer
  readonly choice: Choice
  readonly arrived: ReadonlyArray<PromptId>
}

const done: Performed = {}

/** Makes the session. The scope's end stops what runs in it, and leaves it stored. */
export const makeOpencodeSession = Effect.fnUntraced(function* (
  parts: OpencodeSessionParts
): Effect.fn.Return<BackendSession, never, Scope.Scope> {
  const { feed, normaliser, offer, server, sessionId } = parts
  const { client } = server
  const { outbox } = feed
  const path = `/session/${sessionId}`
  const fork = yield* FiberSet.makeRuntime()
  let choice = parts.choice
  let isEnded = false
  const refuse = (command: BackendCommand, reason: string, retryable = false) =>
    Effect.fail(new BackendRefused({ backend: "opencode", command: command.type, reason, retryable }))

  /** A definite no is a refusal. Where it is unknown whether it was done the session is lost, and asked once it is opened again. */
  const asked = <A>(
    command: BackendCommand,
    request: Effect.Effect<A, OpencodeError>
  ): Effect.Effect<A, BackendRefused | BackendLost> =>
    request.pipe(
      Effect.catch((error): Effect.Effect<never, BackendRefused | BackendLost> => {
        const { message, reason } = error
        return reason === "unreachable" || reason === "deadline"
          ? Effect.fail(new BackendLost({ backend: "opencode", reason: message, retryable: true, cause: error }))
          : refuse(command, message, reason === "busy")
      })
    )

  const delivery = yield* makeOpencodeDelivery({ client, feed, normaliser, path })
  const isQuiet = () => normaliser.activeTurn() === undefined && !delivery.isWaiting()

  const prompt = (command: Extract<BackendCommand, { readonly type: "prompt" }>) =>
    Effect.gen(function* () {
      const content = partsOf(command.content)
      if (content.length === 0) return yield* refuse(command, "there is nothing in it")
      const { model } = choice
      if (model === undefined) return yield* refuse(command, "no model is configured: name one in the session's spec")
      const messageId = feed.ids.messageId(command.promptId, yield* Clock.currentTimeMillis)
      const body = promptBody(messageId, content, { ...choice, model }, parts.spec.system)
      yield* asked(command, delivery.send(command.promptId, messageId, body))
      return done
    })

  /** For the end: whatever runs, without waiting. */
  const abortNow = Effect.ignore(
    client.send("POST", `${path}/abort`, Schema.Unknown, { deadlineMs: partingDeadlineMs })
  )

  /** Aborts what runs until it has ended. False: it did not. */
  const stop = Effect.gen(function* () {
    for (const wait of abortAgainMs) {
      const turnId = normaliser.activeTurn()
      yield* turnId === undefined ? abortNow : Effect.ignore(feed.abort(turnId))
      const stopped = Effect.as(feed.until(isQuiet), true)
      if (yield* Effect.raceFirst(stopped, Effect.as(Effect.sleep(wait), false))) return true
      // Its end may have been missed.
      yield* Effect.ignore(feed.look({ missed: false }))
    }
    return isQuiet()
  })

  const interrupt = (command: Extract<BackendCommand, { readonly type: "interrupt" }>) =>
    Effect.gen(function* () {
      const isOver = () => normaliser.activeTurn() !== command.turnId
      if (isOver()) return yield* refuse(command, `${command.turnId} does not run`, delivery.isWaiting())
      yield* asked(command, feed.abort(command.turnId))
      // An abort that comes before the server runs the turn does nothing.
      const insist = Effect.gen(function* () {
        for (const wait of abortAgainMs) {
          const over = Effect.as(feed.until(isOver), true)
          if (yield* Effect.raceFirst(over, Effect.as(Effect.sleep(wait), false))) return
          yield* Effect.ignore(feed.look({ missed: false }))
          yield* Effect.ignore(feed.abort(command.turnId))
        }
        if (!isOver()) feed.lose("its turn does not stop", true)
      })
      fork(insist)
      return done
    })

  const close = (force: boolean, graceMs: number) =>
    Effect.gen(function* () {
      if (isEnded) return
      isEnded = true
      if (!isQuiet()) yield* force ? abortNow : Effect.timeoutOption(stop, graceMs)
      outbox.push({ type: "backend.closed", data: { reason: force ? "killed" : "closed" } })
      outbox.end()
    })

  const branch = (command: Extract<BackendCommand, { readonly type: "fork" }>) =>
    Effect.gen(function* () {
      const { throughTurn } = command
      const request = { sessionId, throughTurn, activeTurn: normaliser.activeTurn() }
      const nativeId = yield* asked(command, branchSession(client, request))
      return nativeId === undefined ? yield* refuse(command, `it has no turn ${throughTurn}`) : { nativeId }
    })

  const revert = (command: Extract<BackendCommand, { readonly type: "revert" }>) =>
    Effect.gen(function* () {
      const messageID = messageIdOf(command.turnId)
      // The server reverts what it does not know, too, and says that all is well.
      if (!(yield* asked(command, delivery.hasMessage(messageID)))) {
        return yield* refuse(command, `it has no turn ${command.turnId}`)
      }
      yield* asked(command, client.send("POST", `${path}/revert`, Schema.Unknown, { body: { messageID } }))
      return done
    })

  const compact = (command: BackendCommand) =>
    Effect.gen(function* () {
      const { model } = choice
      if (model === undefined) return yield* refuse(command, "no model is configured: name one in the session's spec")
      const call = { body: modelOf(model), deadlineMs: compactDeadlineMs }
      fork(
        client.send("POST", `${path}/summarize`, Schema.Unknown, call).pipe(
          Effect.catch(({ message }) =>
            Effect.sync(() => {
              const code = "compact_failed"
              outbox.push({ type: "backend.noted", data: { level: "error", message, code } })
            })
          )
        )
      )
      return done
    })

  const answer = (command: Extract<BackendCommand, { readonly type: "resolvePermission" | "answerQuestion" }>) =>
    Effect.gen(function* () {
      const reply = normaliser.answer(command.requestId, command.outcome)
      if (reply === undefined) return yield* refuse(command, "it is not open any more")
      const call = { directory: parts.directory, body: reply.body ?? {} }
      const send = client.send(reply.method, reply.path, Schema.Unknown, call)
      const sent = Effect.retry(send, {
        times: answerRetries,
        while: (error: OpencodeError) => error.reason === "unreachable"
      })
      // It was answered elsewhere, or by the attempt whose answer was lost: what became of it is read.
      const settled = sent.pipe(
        Effect.catch((error) => (error.reason === "not found" ? feed.look({ missed: false }) : Effect.fail(error)))
      )
      yield* asked(command, settled)
      return done
    })

  const configure = (command: Extract<BackendCommand, { readonly type: "configure" }>) =>
    Effect.suspend(() => {
      const { effort, mode, model } = command
      const asked: Choice = {
        ...(model === undefined ? {} : { model }),
        ...(effort === undefined ? {} : { effort }),
        ...(mode === undefined ? {} : { mode })
      }
      // Another model has other efforts.
      const { effort: _, ...kept } = choice
      const next = { ...(model === undefined || model === choice.model ? choice : kept), ...asked }
      const problem = choiceProblem(offer, next)
      if (problem !== undefined) return refuse(command, `${problem.field}: expected ${problem.expected}`)
      choice = next
      outbox.push({ type: "backend.configured", data: asked })
      return Effect.succeed(done)
    })

  const perform = (command: BackendCommand): Effect.Effect<Performed, BackendRefused | BackendLost> => {
    if (command.type === "close") return Effect.as(close(command.force, command.graceMs), done)
    if (isEnded || feed.isLost()) return refuse(command, "the session has ended")
    switch (command.type) {
      case "prompt":
        return prompt(command)
      case "interrupt":
        return interrupt(command)
      case "resolvePermission":
      case "answerQuestion":
        return answer(command)
      case "configure":
        return configure(command)
      case "fork":
        return branch(command)
      case "revert":
        return revert(command)
      case "restore":
        return Effect.as(asked(command, client.send("POST", `${path}/unrevert`, Schema.Unknown)), done)
      case "compact":
        return compact(command)
      case "archive":
        // There is no way back to "never archived": 0 is what Opencode itself takes for not archived.
        return Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const body = { time: { archived: command.archived ? now : 0 } }
          return Effect.as(asked(command, client.send("PATCH", path, Schema.Unknown, { body })), done)
        })
      default:
        return refuse(command, "an Opencode session cannot do that")
    }
  }

  // The server goes on without us: what runs is stopped, so that nothing runs that nobody sees.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      const parting = isEnded || isQuiet() ? Effect.void : Effect.interruptible(abortNow)
      isEnded = true
      return Effect.ensuring(
        parting,
        Effect.sync(() => outbox.end())
      )
    })
  )
  yield* Effect.forkScoped(
    Effect.flatMap(server.died, (reason) =>
      Effect.sync(() => {
        isEnded = true
        feed.lose(reason, true)
      })
    )
  )

  return {
    capabilities: opencodeCapabilities,
    nativeId: sessionId,
    version: server.version,
    arrived: parts.arrived,
    events: outbox.stream,
    perform: (command) => Effect.suspend(() => perform(command)),
    pack: ({ folder }) => packSession(server, sessionId, folder)
  }
})
