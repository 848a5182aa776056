/** One app-server that runs: its process, the handshake, who listens to which thread, and its end. */
import { BackendLost, type DataOf, makeUuid } from "@holdfast/core"
import { findAgent, type ServerProcess, startServer } from "@holdfast/process"
import { Deferred, Effect, Queue, type Scope } from "effect"
import type { ResultOf } from "./CodexCalls.ts"
import { type CodexClient, type CodexRequest, makeCodexClient } from "./CodexClient.ts"
import { codexRelease, type CodexOptions, defaultConfig, HomeUnusable, makeLaunch } from "./CodexLaunch.ts"
import type { CodexMessage, CodexReply } from "./CodexNormaliser.ts"
import { leftOut } from "./CodexNotices.ts"
import { type Deadlines, makeDeadlines } from "./Deadlines.ts"
import { makeMessageRouter, type MessageRouter } from "./MessageRouter.ts"
import { readServerOutput, type ServerOutput } from "./ServerOutput.ts"
import { makeThreadUnloading } from "./ThreadUnloading.ts"

/** Milliseconds from the start of a server until it is ready, unless the options say otherwise. */
const defaultStartTimeoutMs = 30_000

/** Milliseconds that are left between the end of a server's output and its exit, in either order, for the other to come. */
const exitAfterOutputMs = 500

/** Milliseconds that a server which did not answer has to show that it lives, by answering the least that can be asked. */
const probeTimeoutMs = 10_000

/** Warnings about the configuration that are kept, to be told to each session. Further ones are left out. */
const maxNotices = 20

/** How often sessions are told of lines that are no messages. After that they are only left out. */
const maxGarbageNotices = 10

/** Pages of 100 models that are read. */
const maxModelPages = 10

/** Characters of a server's last words that go into the reason of its end. */
const maxLastWords = 500

/** The code of a JSON-RPC error for a request that is not known. */
const methodNotFound = -32_601

/** A model that can be chosen. */
export type CodexModel = ResultOf<"model/list">["data"][number]

/** A server that runs. */
export interface CodexServer {
  readonly request: CodexRequest
  readonly reply: (reply: CodexReply) => void
  readonly router: MessageRouter
  readonly version: string
  /** The folder with its threads. */
  readonly home: string
  /** Its process, as each session on it tells of it. */
  readonly spawned: DataOf<"process.spawned">
  /** Messages that concern every session: warnings about the configuration. */
  readonly notices: () => ReadonlyArray<CodexMessage>
  /** Newer than what was tested. */
  readonly isUntested: boolean
  /** Why sandboxed commands will not run, where that is known. */
  readonly sandboxProblem: string | undefined
  /** The models that can be chosen, asked for once; none where it does not say. */
  readonly models: Effect.Effect<ReadonlyArray<CodexModel>>
  /** Unsubscribes from a thread, so that the server unloads it, and waits until it has. Does nothing where that fails. */
  readonly unload: (threadId: string) => Effect.Effect<void>
  /** Waits until a thread is not being unloaded: what is asked about it meanwhile may never be answered. */
  readonly unloaded: (threadId: string) => Effect.Effect<void>
  readonly deadlines: Deadlines
  readonly output: Pick<ServerOutput, "hold" | "letGo">
}

/** Starts a server and greets it. It ends with the scope, with all that its threads started; `died` tells of its own end. */
export const startCodexServer = Effect.fn("codex.start")(function* (
  options: CodexOptions
): Effect.fn.Return<{ readonly server: CodexServer; readonly died: Effect.Effect<void> }, BackendLost, Scope.Scope> {
  const lost = (reason: string, retryable: boolean, cause?: unknown) =>
    new BackendLost({
      backend: options.name ?? "codex",
      reason,
      retryable,
      ...(cause === undefined ? {} : { cause })
    })
  const launch = makeLaunch(options)
  if (launch instanceof HomeUnusable) return yield* lost(launch.message, false, launch)
  const program = yield* findAgent(codexRelease, { path: options.path, folder: options.agentsFolder }).pipe(
    Effect.mapError((error) => lost(error.message, false, error))
  )
  const process = yield* startServer({
    command: program.path,
    args: launch.args,
    cwd: launch.home,
    env: launch.env,
    marker: `codex-server:${makeUuid()}`,
    stop: "stdin"
  }).pipe(Effect.mapError((error) => lost(error.message, true, error)))

  const deadlines = yield* makeDeadlines
  const router = makeMessageRouter()
  const notices: Array<CodexMessage> = []
  const silence = yield* Queue.sliding<void>(1)
  const unloading = makeThreadUnloading((threadId) => client.request("thread/unsubscribe", { threadId }), {
    unloadsAtOnce: { ...defaultConfig, ...options.config }["thread_unload_delay_secs"] === 0
  })

  const take = (message: CodexMessage) => {
    hand(message)
    // Only now: whoever waits for it goes on in this very step, and may open the thread again.
    unloading.see(message)
  }
  const hand = (message: CodexMessage) => {
    if (router.route(message)) return
    if (message.id !== undefined) {
      const error = { code: methodNotFound, message: `nobody answers ${message.method} here` }
      client.reply({ id: message.id, error })
    } else if (message.method === "configWarning" && notices.length < maxNotices) {
      notices.push(message)
    }
  }
  const client: CodexClient = makeCodexClient({
    deadlines,
    write: (line) => process.stdin?.write(line),
    onMessage: take,
    onGarbage: (line) => tellGarbage(`Codex sent a line that is no message: ${line.slice(0, 200)}`),
    onSilence: () => Queue.offerUnsafe(silence, undefined),
    ...(options.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: options.requestTimeoutMs })
  })

  let garbage = 0
  const tellGarbage = (message: string) => {
    garbage += 1
    if (garbage > maxGarbageNotices) return
    for (const listener of router.listeners()) listener.noted(message)
  }

  const output = yield* readServerOutput(process.stdout, {
    onLine: client.take,
    onTooLong: (bytes) => tellGarbage(`Codex sent a line of ${bytes} bytes, which is too long to be taken`),
    ...(options.maxLineBytes === undefined ? {} : { maxBytes: options.maxLineBytes })
  })

  const dead = Deferred.makeUnsafe<void>()
  let end = "its server was ended"
  yield* Effect.raceFirst(endOf(process, output), mute(client, output, Queue.take(silence))).pipe(
    Effect.flatMap((reason) =>
      Effect.sync(() => {
        end = reason
        client.end(reason)
        Deferred.doneUnsafe(dead, Effect.void)
      })
    ),
    Effect.forkScoped
  )
  // Only with the scope, when nobody is given this server any more: those that are told may want another at once.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      client.end(end)
      for (const listener of router.listeners()) listener.lost(lost(end, true))
    })
  )

  const timeoutMs = options.startTimeoutMs ?? defaultStartTimeoutMs
  const { userAgent } = yield* client
    .request("initialize", greeting, { timeoutMs })
    .pipe(Effect.mapError((error) => lost(`Codex did not start: ${error.message}${lastWords(process)}`, true, error)))
  client.notify("initialized")

  const server: CodexServer = {
    request: client.request,
    reply: client.reply,
    router,
    version: /\/(\d+\.\d+\.\d+[^\s]*)/.exec(userAgent ?? "")?.[1] ?? program.version,
    home: launch.home,
    spawned: spawned(process, program.path, launch),
    notices: () => notices,
    isUntested: program.isUntested,
    sandboxProblem: launch.sandboxProblem,
    models: yield* Effect.cached(listModels(client.request)),
    unload: unloading.unload,
    unloaded: unloading.unloaded,
    deadlines,
    output
  }
  return { server, died: Deferred.await(dead) }
})

/** What nobody reads need not be sent: of a short turn it is a fifth. */
const greeting = {
  clientInfo: { name: "holdfast", title: "Holdfast", version: "1" },
  capabilities: { experimentalApi: true, requestAttestation: false, optOutNotificationMethods: Object.keys(leftOut) }
}

/**
 * Of the arguments only those without values: a host's configuration may say more than a log should keep. A process that could not
 * be looked at is told of all the same: its marker finds it.
 */
const spawned = (
  { identity, marker, pid }: ServerProcess,
  command: string,
  { env, home }: { readonly home: string; readonly env: Readonly<Record<string, string>> }
): DataOf<"process.spawned"> => ({
  pid,
  startTime: identity?.startTime ?? "unknown",
  host: identity?.host ?? "",
  command,
  args: ["app-server"],
  cwd: home,
  env: Object.keys(env).toSorted(),
  shared: true,
  marker
})

const lastWords = (process: ServerProcess): string => {
  const words = process.lastWords().slice(-maxLastWords)
  return words === "" ? "" : `; its last words: ${words}`
}

/** Waits for the end of a server, however it ends; why. What it wrote before is read. */
const endOf = (process: ServerProcess, output: ServerOutput): Effect.Effect<string> =>
  Effect.gen(function* () {
    yield* Effect.raceFirst(process.exited, output.ended)
    const exit = yield* Effect.timeoutOption(process.exited, exitAfterOutputMs)
    const pending = yield* Effect.timeoutOption(output.ended, exitAfterOutputMs)
    const broken = pending._tag === "Some" && pending.value > 0 ? " in the middle of a message" : ""
    if (exit._tag === "None") return `Codex closed its output${broken} and did not end`
    const { exitCode, signal } = exit.value
    const how = signal === null ? `with code ${exitCode}` : `by ${signal}`
    return `Codex ended ${how}${broken}${lastWords(process)}`
  })

/** Waits until a server that did not answer does not answer a second time, either. A server that nobody reads is not mute. */
const mute = (client: CodexClient, output: ServerOutput, silence: Effect.Effect<void>): Effect.Effect<string> =>
  Effect.gen(function* () {
    for (;;) {
      yield* silence
      const answer = yield* Effect.timeoutOption(
        Effect.result(client.request("thread/loaded/list", {})),
        probeTimeoutMs
      )
      const isAnswered =
        answer._tag === "Some" && (answer.value._tag === "Success" || answer.value.failure._tag === "CodexError")
      if (!isAnswered && !output.isHeld()) return "Codex does not answer any more"
    }
  })

const listModels = (request: CodexRequest): Effect.Effect<ReadonlyArray<CodexModel>> =>
  Effect.gen(function* () {
    const models: Array<CodexModel> = []
    let cursor: string | undefined
    for (let page = 0; page < maxModelPages; page++) {
      const { data, nextCursor } = yield* request("model/list", {
        limit: 100,
        ...(cursor === undefined ? {} : { cursor })
      })
      models.push(...data)
      if (nextCursor === undefined) break
      cursor = nextCursor
    }
    return models
  }).pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning(`the models of Codex are not known: ${error.message}`), []))
  )
