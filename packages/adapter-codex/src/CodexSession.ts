/** One open thread: what it tells as events, what is asked of it, and its end. */
import {
  type BackendCommand,
  type BackendEvent,
  BackendLost,
  type BackendSession,
  type Capabilities,
  noCapabilities,
  note,
  type OpenRequest
} from "@holdfast/core"
import { Deferred, Effect, FiberSet, type Scope } from "effect"
import type { OpenedThread } from "./CodexCalls.ts"
import { modeOf, modes } from "./CodexModes.ts"
import { type CodexMessage, type CodexNormaliser, makeCodexNormaliser } from "./CodexNormaliser.ts"
import type { CodexModel, CodexServer } from "./CodexServer.ts"
import type { RecordedSpec } from "./CodexSpec.ts"
import type { ThreadListener } from "./MessageRouter.ts"
import { done, type OpenThread, type Performing, refuse } from "./OpenThread.ts"
import { makeSubAgents, type SubAgents } from "./SubAgents.ts"
import { makeSessionVoice, type SessionVoice } from "./SessionVoice.ts"
import { archive, makeThreadArchive, type ThreadArchive } from "./ThreadArchive.ts"
import { compact, configure, fork, revert, stopItem } from "./ThreadCommands.ts"
import { arrivedPrompts, lasting, openThread } from "./ThreadOpening.ts"
import { packThread } from "./ThreadHandoff.ts"
import { makeTurnControl, type TurnControl } from "./TurnControl.ts"

/** Milliseconds that leaving a thread may take besides its grace: each step of it takes some ten. */
const leaveMs = 2_000

/** Milliseconds that an interrupted turn has to end where there is no grace; it takes some fifteen. */
const shortestGraceMs = 250

/** What a session of Codex can do. Reverting takes back the conversation, not the files, and cannot be undone. */
export const codexCapabilities: Capabilities = {
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
  archive: true,
  stopItems: true
}

/** A thread with all that works on it. */
interface Assembled {
  readonly opened: OpenedThread
  readonly thread: OpenThread
  readonly turns: TurnControl
  readonly place: ThreadArchive
  /** Tells that the server can resume the thread from now on. */
  readonly identify: () => void
  /** Stops what runs in the thread, by itself within the grace, and has it unloaded. Done once; does not fail. */
  readonly leave: (graceMs: number) => Effect.Effect<void>
  /** Ends the grace of a leaving that is under way. */
  readonly hurry: Effect.Effect<unknown>
}

/** Opens a session on a server. The scope's end leaves the thread: what runs in it is stopped, and the server lives on. */
export const openCodexSession = Effect.fnUntraced(function* (
  backend: string,
  server: CodexServer,
  spec: RecordedSpec,
  request: OpenRequest
): Effect.fn.Return<BackendSession, BackendLost, Scope.Scope> {
  const runBeside = yield* FiberSet.makeRuntime<never, void, never>()
  const voice = makeSessionVoice(backend, server.output, runBeside)
  voice.tell([{ type: "process.spawned", data: server.spawned }])
  const assembled = yield* Effect.acquireRelease(
    assemble(backend, server, spec, request, voice, runBeside),
    ({ hurry, leave }) => Effect.all([hurry, leave(shortestGraceMs), Effect.sync(voice.end)])
  )
  const { identify, opened, thread } = assembled
  const threadId = thread.threadId
  const arrived =
    request.nativeId === undefined || request.inDoubt.length === 0
      ? []
      : yield* arrivedPrompts({ backend, server }, threadId, request.inDoubt)
  if (spec.title !== undefined && !thread.isIdentified()) yield* nameThread(thread, spec.title, identify)

  voice.tell(first(server, opened))
  for (const notice of server.notices()) voice.tell(thread.normaliser.take(notice).events)
  runBeside(Effect.map(server.models, (models) => voice.tell([offered(models)])))

  return {
    capabilities: codexCapabilities,
    ...(thread.isIdentified() ? { nativeId: threadId } : {}),
    version: server.version,
    arrived,
    events: voice.events,
    pack: ({ folder }) => packThread(thread, folder),
    perform: makePerform(assembled, voice)
  }
})

const assemble = (
  backend: string,
  server: CodexServer,
  spec: RecordedSpec,
  request: OpenRequest,
  voice: SessionVoice,
  runBeside: (effect: Effect.Effect<void>) => void
): Effect.Effect<Assembled, BackendLost> => {
  const { watch } = voice
  let isIdentified = request.nativeId !== undefined || request.forkOf !== undefined
  let left: Deferred.Deferred<void> | undefined
  let place: ThreadArchive | undefined
  let normaliser!: CodexNormaliser
  let subAgents!: SubAgents

  const listen = (threadId: string): ThreadListener => {
    const own = makeCodexNormaliser({ threadId, generation: request.generation, cwd: spec.cwd })
    const agents = makeSubAgents(server, threadId, own.threads)
    normaliser = own
    subAgents = agents
    // On disk from the start of the first turn on, and not from the answer to the prompt on: so say servers killed there.
    const withId = (event: BackendEvent): ReadonlyArray<BackendEvent> => {
      if (isIdentified || event.type !== "turn.started") return [event]
      isIdentified = true
      return [{ type: "backend.identified", data: { nativeId: threadId } }, event]
    }
    return {
      take: (message) => {
        const isUnloading = left !== undefined || place?.isArchived() === true
        if (message.method === "thread/closed" && isUnloading) return
        agents.see(message)
        const { events, replies } = own.take(message)
        for (const reply of replies) server.reply(reply)
        voice.tell(isIdentified ? events : events.flatMap(withId))
        const reason = isUnloading ? undefined : endOf(message, threadId)
        if (reason !== undefined) voice.lose(new BackendLost({ backend, reason, retryable: true }))
      },
      noted: (message) => voice.tell([note("warning", message, undefined, "codex")]),
      lost: voice.lose,
      threads: own.threads
    }
  }

  return Effect.map(openThread({ backend, server, spec, request, listen }), (opened) => {
    const threadId = opened.thread.id
    const ownPlace = makeThreadArchive(server, threadId, lasting(spec))
    place = ownPlace
    const thread: OpenThread = {
      backend,
      server,
      threadId,
      normaliser,
      watch,
      subAgents,
      tell: voice.tell,
      fork: runBeside,
      isIdentified: () => isIdentified,
      load: ownPlace.load
    }
    const turns = makeTurnControl(thread)
    const hurried = Deferred.makeUnsafe<void>()
    const quieten = (graceMs: number) =>
      Effect.raceFirst(turns.stop(graceMs), Deferred.await(hurried)).pipe(
        // What waits for an answer outside of a turn.
        Effect.andThen(Effect.sync(() => normaliser.cancelAll().forEach(server.reply))),
        Effect.andThen(Effect.ignore(server.request("thread/backgroundTerminals/clean", { threadId }))),
        Effect.andThen(subAgents.leave),
        Effect.andThen(Effect.suspend(() => (ownPlace.isArchived() ? Effect.void : server.unload(threadId)))),
        Effect.timeoutOption(graceMs + leaveMs)
      )
    const leave = (graceMs: number) =>
      Effect.suspend(() => {
        if (left !== undefined) return Deferred.await(left)
        const isLeft = Deferred.makeUnsafe<void>()
        left = isLeft
        return quieten(graceMs).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              server.router.detach(threadId)
              Deferred.doneUnsafe(isLeft, Effect.void)
            })
          ),
          Effect.asVoid
        )
      })
    const hurry = Deferred.succeed(hurried, undefined)
    const identify = () => {
      isIdentified = true
    }
    return { opened, thread, turns, place: ownPlace, identify, leave, hurry }
  })
}

/** Why a message is the end of a thread that nobody here has left. */
const endOf = ({ method, params }: CodexMessage, threadId: string): string | undefined => {
  if ((params as { readonly threadId?: unknown } | undefined)?.threadId !== threadId) return undefined
  if (method === "thread/closed") return "Codex unloaded the thread"
  return method === "thread/deleted" ? "the thread was deleted" : undefined
}

/** A name puts a thread on disk, so that it can be resumed even before its first turn. */
const nameThread = ({ server, tell, threadId }: OpenThread, name: string, identify: () => void) =>
  server.request("thread/name/set", { threadId, name }).pipe(
    Effect.matchEffect({
      onSuccess: () => Effect.sync(identify),
      onFailure: (error) => Effect.sync(() => tell([note("warning", error.message, undefined, "title")]))
    })
  )

/** What is to be said of a session at its beginning: what holds, and what to beware of. */
const first = (server: CodexServer, opened: OpenedThread): ReadonlyArray<BackendEvent> => {
  const mode = modeOf(opened)
  const { model, reasoningEffort: effort } = opened
  const configured: BackendEvent = {
    type: "backend.configured",
    data: {
      ...(model === undefined ? {} : { model }),
      ...(effort === undefined ? {} : { effort }),
      ...(mode === undefined ? {} : { mode })
    }
  }
  const events: Array<BackendEvent> = [configured]
  if (server.isUntested) {
    const message = `Codex ${server.version} is newer than what Holdfast was tested with`
    events.push(note("warning", message, undefined, "untested_version"))
  }
  if (server.sandboxProblem !== undefined && !mode?.endsWith("/danger-full-access")) {
    events.push(note("warning", server.sandboxProblem, undefined, "sandbox_unusable"))
  }
  return events
}

const offered = (models: ReadonlyArray<CodexModel>): BackendEvent => ({
  type: "agent.offered",
  data: {
    models: models.map(({ displayName, model, supportedReasoningEfforts }) => ({
      id: model,
      ...(displayName === undefined ? {} : { name: displayName }),
      ...(supportedReasoningEfforts === undefined
        ? {}
        : { efforts: supportedReasoningEfforts.map(({ reasoningEffort }) => reasoningEffort) })
    })),
    modes
  }
})

const makePerform = ({ hurry, leave, place, thread, turns }: Assembled, voice: SessionVoice) => {
  let isClosing = false

  const close = ({ force, graceMs }: Extract<BackendCommand, { readonly type: "close" }>) =>
    Effect.gen(function* () {
      if (force) yield* hurry
      if (isClosing || voice.isOver()) return done
      isClosing = true
      const closed = Effect.sync(() => {
        voice.tell([{ type: "backend.closed", data: { reason: force ? "killed" : "closed" } }])
        voice.end()
      })
      thread.fork(Effect.andThen(leave(force ? shortestGraceMs : Math.max(graceMs, shortestGraceMs)), closed))
      return done
    })

  const answer = (command: Extract<BackendCommand, { readonly type: "resolvePermission" | "answerQuestion" }>) =>
    Effect.sync(() => {
      // Answered already, or over: whoever comes late has nothing to say any more, and does no harm.
      const reply = thread.normaliser.answer(command.requestId, command.outcome)
      if (reply !== undefined) thread.server.reply(reply)
      return done
    })

  const perform = (command: BackendCommand): Performing => {
    if (command.type === "close") return close(command)
    if (voice.isOver() || isClosing) return refuse(thread, command, "the session is over")
    switch (command.type) {
      case "prompt":
        return turns.prompt(command)
      case "interrupt":
        return turns.interrupt(command)
      case "resolvePermission":
      case "answerQuestion":
        return answer(command)
      case "configure":
        return configure(thread, command)
      case "compact":
        return compact(thread, turns, command)
      case "revert":
        return revert(thread, turns, command)
      case "restore":
        return refuse(thread, command, "Codex forgets what it takes back")
      case "fork":
        return fork(thread, command)
      case "stopItem":
        return stopItem(thread, command)
      case "archive":
        return archive(thread, turns, place, command)
      case "write":
      case "resize":
      case "signal":
        return refuse(thread, command, "a thread of Codex has no terminal")
      case "workspace":
      case "watched":
        return refuse(thread, command, "it works in a folder of this machine")
      case "suspend":
        return refuse(thread, command, "a thread of Codex cannot be suspended: close it, and resume it")
    }
  }
  return (command: BackendCommand): Performing => Effect.suspend(() => perform(command))
}
