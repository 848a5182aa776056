/** What can be asked of a thread besides turns: settings, compaction, branches, its past, its place. */
import type { BackendCommand, BackendEvent, ItemId } from "@holdfast/core"
import { Effect } from "effect"
import { modes, settingsOf } from "./CodexModes.ts"
import { done, failing, type OpenThread, type Performing, refuse } from "./OpenThread.ts"
import type { TurnControl } from "./TurnControl.ts"

/** Milliseconds within which the turn of a compaction starts, which takes some ten. Past it, it counts as taken all the same. */
const compactionStartMs = 10_000

/** Waits between two tries to end a command that no thread knows yet, in milliseconds. */
const shortestStopWaitMs = 10
const longestStopWaitMs = 250

/** Tries to end a command, some five seconds in all: it is known within some milliseconds of being told of. */
const stopTries = 25

type Command<T extends BackendCommand["type"]> = Extract<BackendCommand, { readonly type: T }>

/** Chooses model, effort and mode for the turns that follow. Codex keeps them with the thread. */
export const configure = (thread: OpenThread, command: Command<"configure">): Performing =>
  Effect.gen(function* () {
    const { effort, mode, model } = command
    const settings = mode === undefined ? {} : settingsOf(mode)
    if (settings === undefined) {
      return yield* refuse(thread, command, `there is no mode ${mode}, only ${modes.map(({ id }) => id).join(", ")}`)
    }
    yield* thread.load
    yield* thread.server.request("thread/settings/update", {
      threadId: thread.threadId,
      ...(model === undefined ? {} : { model }),
      ...(effort === undefined ? {} : { effort }),
      ...settings
    })
    const { type: _, ...data } = command
    thread.tell([{ type: "backend.configured", data }])
    return done
  }).pipe(Effect.catchTags({ CodexError: failing(thread, command), CodexSilent: failing(thread, command) }))

/** Compacts the context: a turn of its own, which starts before this returns, so that no prompt meets it. */
export const compact = (thread: OpenThread, turns: TurnControl, command: Command<"compact">): Performing => {
  const started = (event: BackendEvent) =>
    event.type === "turn.started" || event.type === "context.compacted" ? true : undefined
  return turns.between(
    command,
    thread.watch.during(started, (isStarted) =>
      Effect.gen(function* () {
        yield* thread.load
        thread.normaliser.expectCompaction()
        yield* thread.server.request("thread/compact/start", { threadId: thread.threadId })
        yield* Effect.timeoutOption(isStarted, compactionStartMs)
        return done
      }).pipe(Effect.catch(failing(thread, command)))
    )
  )
}

/** Takes a turn back, and all after it. Codex forgets the conversation and leaves the files as they are. */
export const revert = (thread: OpenThread, turns: TurnControl, command: Command<"revert">): Performing =>
  turns.between(
    command,
    Effect.gen(function* () {
      yield* thread.load
      yield* thread.server.request("thread/revert", { threadId: thread.threadId, beforeTurnId: command.turnId })
      thread.tell([{ type: "history.reverted", data: { turnId: command.turnId } }])
      return done
    }).pipe(Effect.catch(failing(thread, command)))
  )

/** Branches the thread, through a turn where one is named. The branch is left unloaded, for whoever opens it. */
export const fork = (thread: OpenThread, command: Command<"fork">): Performing =>
  Effect.gen(function* () {
    const { server, threadId } = thread
    yield* thread.load
    const branch = yield* server.request("thread/fork", {
      threadId,
      excludeTurns: true,
      ...(command.throughTurn === undefined ? {} : { lastTurnId: command.throughTurn })
    })
    yield* server.unload(branch.thread.id)
    return { nativeId: branch.thread.id }
  }).pipe(
    Effect.catch((error) =>
      error._tag === "CodexError" && error.detail.includes("no rollout found")
        ? refuse(thread, command, "there is nothing to branch before the first turn")
        : failing(thread, command)(error)
    )
  )

/**
 * Ends a command, in its turn or in the background. Which thread runs it, its own or that of a sub-agent, is tried out. Codex
 * tells of a command shortly before it can end it, so while it runs and no thread knows it, it is asked again.
 */
export const stopItem = (thread: OpenThread, command: Command<"stopItem">): Performing =>
  Effect.gen(function* () {
    if (processOf(thread, command.itemId) === undefined) {
      return yield* refuse(thread, command, "no command with this id runs")
    }
    for (let tries = 1, wait = shortestStopWaitMs; ; tries++, wait = Math.min(wait * 2, longestStopWaitMs)) {
      const processId = processOf(thread, command.itemId)
      if (processId === undefined || (yield* terminate(thread, command, processId))) return done
      if (tries >= stopTries) return yield* refuse(thread, command, "Codex cannot end this command yet", true)
      yield* Effect.sleep(wait)
    }
  })

/** Whether a thread knew the process, and ended it. */
const terminate = (thread: OpenThread, command: Command<"stopItem">, processId: string) =>
  Effect.gen(function* () {
    for (const threadId of thread.normaliser.threads()) {
      const { terminated } = yield* thread.server.request("thread/backgroundTerminals/terminate", {
        threadId,
        processId
      })
      if (terminated === true) return true
    }
    return false
  }).pipe(Effect.catch(failing(thread, command)))

const processOf = ({ normaliser }: OpenThread, itemId: ItemId): string | undefined =>
  normaliser.openCommands().find((command) => command.itemId === itemId)?.processId
