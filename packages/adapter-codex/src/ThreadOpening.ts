/** Opens the thread of a session: a new one, one that is gone on with, or a branch. */
import { BackendLost, type OpenRequest, type PromptId } from "@holdfast/core"
import { Effect, Schedule } from "effect"
import type { OpenedThread } from "./CodexCalls.ts"
import type { CodexError, CodexSilent } from "./CodexClient.ts"
import { profileOf } from "./CodexModes.ts"
import type { CodexServer } from "./CodexServer.ts"
import type { RecordedSpec } from "./CodexSpec.ts"
import type { ThreadListener } from "./MessageRouter.ts"

/** A thread that its server is just unloading is asked for again this often, after 20 ms and then ever longer: 2.5 s in all. */
const closingTries = 7

/** Turns of a page of history, and pages that are looked through for prompts in doubt: the last 200 turns. */
const turnsPerPage = 20
const maxPages = 10

/** What is opened, and who listens to it. */
export interface ThreadOpening {
  readonly backend: string
  readonly server: CodexServer
  readonly spec: RecordedSpec
  readonly request: Pick<OpenRequest, "nativeId" | "forkOf">
  /** Makes the listener of a thread, before anything of it is handed out. */
  readonly listen: (threadId: string) => ThreadListener
}

/** Opens it. Its messages go to the listener from the very first on. */
export const openThread = (opening: ThreadOpening): Effect.Effect<OpenedThread, BackendLost> => {
  const { nativeId, forkOf } = opening.request
  if (nativeId !== undefined) return resume(opening, nativeId)
  return opening.server.router.opening(forkOf === undefined ? start(opening) : fork(opening, forkOf))
}

const lostBy = (backend: string) => (error: CodexError | CodexSilent) => {
  const problem = problemOf(error)
  return new BackendLost({ backend, ...problem, cause: error })
}

/**
 * Why a thread cannot be opened, and whether it may be possible later. The protocol has one code for all its errors; where none
 * of its messages is known, trying again does no harm.
 */
const problemOf = (error: CodexError | CodexSilent): { readonly reason: string; readonly retryable: boolean } => {
  if (error._tag === "CodexSilent") return { reason: error.message, retryable: true }
  const { detail } = error
  if (detail.includes("already has an active writer")) {
    return { reason: "another process works on this thread of Codex: close it there first", retryable: true }
  }
  if (detail.includes("no rollout found") || detail.includes("invalid session id")) {
    return { reason: `Codex does not have this thread in its home: ${detail}`, retryable: false }
  }
  if (detail.includes("failed to load configuration")) {
    return { reason: `the configuration of Codex is broken: ${detail}`, retryable: false }
  }
  return { reason: `Codex did not open the thread: ${detail}`, retryable: !detail.startsWith("Invalid request") }
}

/** What has to be said at each loading: a thread does not keep its configuration. */
export const lasting = ({ config }: RecordedSpec) => (config === undefined ? {} : { config })

/** What a thread begins with; later it remembers what was chosen last. */
export const initial = (spec: RecordedSpec) => ({
  config: { ...spec.config, ...(spec.effort === undefined ? {} : { model_reasoning_effort: spec.effort }) },
  cwd: spec.cwd,
  ...(spec.model === undefined ? {} : { model: spec.model }),
  ...(spec.modelProvider === undefined ? {} : { modelProvider: spec.modelProvider }),
  approvalPolicy: spec.approvalPolicy,
  permissions: profileOf(spec.sandbox),
  ...(spec.developerInstructions === undefined ? {} : { developerInstructions: spec.developerInstructions })
})

const start = ({ backend, listen, server, spec }: ThreadOpening) =>
  server
    .request("thread/start", initial(spec), {
      onResult: ({ thread }) => server.router.attach(thread.id, listen(thread.id))
    })
    .pipe(Effect.mapError(lostBy(backend)))

const fork = ({ backend, listen, server, spec }: ThreadOpening, forkOf: string) =>
  server
    .request(
      "thread/fork",
      { ...initial(spec), threadId: forkOf, excludeTurns: true },
      { onResult: ({ thread }) => server.router.attach(thread.id, listen(thread.id)) }
    )
    .pipe(Effect.mapError(lostBy(backend)))

const resume = ({ backend, listen, server, spec }: ThreadOpening, threadId: string) =>
  Effect.gen(function* () {
    yield* server.unloaded(threadId)
    if (!server.router.attach(threadId, listen(threadId))) {
      const reason = "another session works on this thread of Codex: close it first"
      return yield* new BackendLost({ backend, reason, retryable: true })
    }
    return yield* resumeThread(server, threadId, lasting(spec)).pipe(
      Effect.mapError(lostBy(backend)),
      Effect.tapError(() => Effect.sync(() => server.router.detach(threadId)))
    )
  })

/** Loads a thread and subscribes to it; takes it out of the archive first where it is there. */
export const resumeThread = (
  server: CodexServer,
  threadId: string,
  overrides: Partial<ReturnType<typeof initial>>
): Effect.Effect<OpenedThread, CodexError | CodexSilent> => {
  const ask = server.request("thread/resume", { threadId, ...overrides, excludeTurns: true })
  return ask.pipe(
    Effect.catchTag("CodexError", (error) =>
      error.detail.includes("is archived")
        ? Effect.andThen(server.request("thread/unarchive", { threadId }), ask)
        : Effect.fail(error)
    ),
    Effect.retry({
      while: (error) => error._tag === "CodexError" && error.detail.includes("is closing"),
      times: closingTries,
      schedule: Schedule.exponential(20)
    })
  )
}

/** Which of the prompts in doubt a thread has: those whose ids its last turns name. */
export const arrivedPrompts = (
  { backend, server }: Pick<ThreadOpening, "backend" | "server">,
  threadId: string,
  inDoubt: ReadonlyArray<PromptId>
): Effect.Effect<ReadonlyArray<PromptId>, BackendLost> =>
  Effect.gen(function* () {
    const arrived = new Set<string>()
    let cursor: string | undefined
    for (let page = 0; page < maxPages && arrived.size < inDoubt.length; page++) {
      const { data, nextCursor } = yield* server.request("thread/turns/list", {
        threadId,
        limit: turnsPerPage,
        itemsView: "full",
        ...(cursor === undefined ? {} : { cursor })
      })
      for (const { clientId } of data.flatMap(({ items }) => items ?? [])) {
        if (inDoubt.includes(clientId as PromptId)) arrived.add(clientId!)
      }
      if (nextCursor === undefined) break
      cursor = nextCursor
    }
    return inDoubt.filter((promptId) => arrived.has(promptId))
  }).pipe(Effect.mapError(lostBy(backend)))
