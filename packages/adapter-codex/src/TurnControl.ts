/** Starts, steers and interrupts the turns of a thread. */
import { type BackendCommand, type BackendEvent, note, type PromptId, type TurnId } from "@holdfast/core"
import { Effect, Semaphore } from "effect"
import type { CodexInput } from "./CodexCalls.ts"
import { toCodexInput } from "./CodexInput.ts"
import { done, failing, type OpenThread, type Performing, refuse } from "./OpenThread.ts"

/**
 * Milliseconds from the answer to a prompt until the thread has it for good, which takes some ten. Past it, it counts as taken,
 * since the turn is there.
 */
const takenTimeoutMs = 20_000

/**
 * Milliseconds that a steering prompt is waited for until the turn takes it in: after the command that runs, which hands over
 * after 10 s at the latest unless the model wants more. Past it, it counts as taken, and a note tells if the turn never does.
 */
const steeredTimeoutMs = 25_000

/**
 * Milliseconds that what needs a thread without a turn waits for the end of the one that runs. It may be about to end: the
 * context is compacted some time before the turn of its compaction is over.
 */
const endTimeoutMs = 5_000

/** Waits between two tries to interrupt a turn that is about to start, in milliseconds. */
const shortestInterruptWaitMs = 10
const longestInterruptWaitMs = 250

/** Tries to interrupt, some five seconds in all: a turn starts within 100 ms. */
const interruptTries = 25

/** Turns. */
export interface TurnControl {
  readonly prompt: (command: Extract<BackendCommand, { readonly type: "prompt" }>) => Performing
  readonly interrupt: (command: Extract<BackendCommand, { readonly type: "interrupt" }>) => Performing
  /** The turn that runs, or was announced and is about to. */
  readonly current: () => TurnId | undefined
  /** Runs something that must not meet the start of a turn. While one runs it waits a little, then it is refused for now. */
  readonly between: (command: BackendCommand, perform: Performing) => Performing
  /** Interrupts the turn that runs, and waits so many milliseconds for its end. Does not fail. */
  readonly stop: (graceMs: number) => Effect.Effect<void>
}

/** Makes the control of a thread's turns. */
export const makeTurnControl = (thread: OpenThread): TurnControl => {
  const { normaliser, server, threadId, watch } = thread
  // A turn that is asked for while another runs steers that one, and says nothing of it.
  const starting = Semaphore.makeUnsafe(1)
  let announced: TurnId | undefined
  let lastCompleted: TurnId | undefined
  /** Steering prompts that a turn took without taking them in so far. */
  const steered = new Map<PromptId, TurnId>()

  const current = () => normaliser.activeTurn() ?? announced

  /** Called in the very step of the answer, before anything that comes after it. */
  const announce = (turnId: TurnId, promptId: PromptId) => {
    if (normaliser.activeTurn() === turnId || lastCompleted === turnId) return
    announced = turnId
    normaliser.expectTurn(turnId, promptId)
  }

  const isOver = (event: BackendEvent) => (event.type === "turn.completed" ? true : undefined)

  const between: TurnControl["between"] = (command, perform) =>
    starting.withPermit(
      watch.during(isOver, (over) =>
        Effect.gen(function* () {
          if (current() !== undefined) yield* Effect.timeoutOption(over, endTimeoutMs)
          const turnId = current()
          if (turnId !== undefined) return yield* refuse(thread, command, `turn ${turnId} is running`, true)
          return yield* perform
        })
      )
    )

  const start = (
    command: Extract<BackendCommand, { readonly type: "prompt" }>,
    input: ReadonlyArray<CodexInput>
  ): Performing => {
    const { promptId } = command
    const taken = (event: BackendEvent) =>
      (event.type === "prompt.delivered" && event.data.promptId === promptId) || event.type === "turn.completed"
        ? true
        : undefined
    return watch.during(taken, (isTaken, settle) =>
      Effect.gen(function* () {
        yield* thread.load
        const { turn } = yield* server.request(
          "turn/start",
          { threadId, input, clientUserMessageId: promptId },
          { onResult: (answer) => announce(answer.turn.id as TurnId, promptId) }
        )
        // Answered is not kept: until then a server that dies takes the prompt with it.
        const cancel = server.deadlines.set(takenTimeoutMs, () => settle(true))
        yield* Effect.ensuring(isTaken, Effect.sync(cancel))
        return { turnId: turn.id as TurnId }
      }).pipe(Effect.catch(failing(thread, command)))
    )
  }

  const steer = (
    command: Extract<BackendCommand, { readonly type: "prompt" }>,
    input: ReadonlyArray<CodexInput>,
    turnId: TurnId
  ): Performing => {
    const { promptId } = command
    const settled = (event: BackendEvent) => {
      if (event.type === "prompt.delivered" && event.data.promptId === promptId) return "taken"
      return event.type === "turn.completed" && event.data.turnId === turnId ? "ended" : undefined
    }
    return watch.during(settled, (outcome) =>
      Effect.gen(function* () {
        yield* server
          .request("turn/steer", { threadId, input, clientUserMessageId: promptId, expectedTurnId: turnId })
          .pipe(Effect.catch(failing(thread, command, true)))
        const known = yield* Effect.timeoutOption(outcome, steeredTimeoutMs)
        if (known._tag === "None") steered.set(promptId, turnId)
        else if (known.value === "ended") {
          return yield* refuse(thread, command, "the turn ended before it took it in", true)
        }
        return { turnId }
      })
    )
  }

  const interrupt = Effect.fnUntraced(function* (turnId: TurnId) {
    let wait = shortestInterruptWaitMs
    for (let tries = 1; current() === turnId; tries++) {
      const result = yield* Effect.result(server.request("turn/interrupt", { threadId, turnId }))
      if (result._tag === "Success") return
      // Too early: a turn that was announced and has not started cannot be interrupted.
      if (result.failure._tag === "CodexSilent" || tries >= interruptTries) return yield* result.failure
      yield* Effect.sleep(wait)
      wait = Math.min(wait * 2, longestInterruptWaitMs)
    }
  })

  /**
   * Ends what a turn that did not end by itself has started: Codex lets commands and sub-agents go on. Commands that a turn left
   * in the background when it was over are not touched.
   */
  const endStarted = Effect.gen(function* () {
    yield* thread.subAgents.stop
    const others = new Set(
      normaliser.openCommands().flatMap(({ processId, state }) => (state === "abandoned" ? [] : [processId]))
    )
    if (others.size === 0) {
      yield* server.request("thread/backgroundTerminals/clean", { threadId })
      return
    }
    const { data } = yield* server.request("thread/backgroundTerminals/list", { threadId })
    const left = data.filter(({ processId }) => !others.has(processId))
    yield* Effect.forEach(left, ({ processId }) =>
      server.request("thread/backgroundTerminals/terminate", { threadId, processId })
    )
  }).pipe(
    Effect.catch((error) =>
      Effect.sync(() =>
        thread.tell([note("warning", `commands of the turn may run on: ${error.message}`, undefined, "commands_left")])
      )
    ),
    Effect.asVoid
  )

  watch.each((event) => {
    if (event.type === "turn.started") announced = undefined
    else if (event.type === "prompt.delivered") steered.delete(event.data.promptId)
    else if (event.type === "turn.completed") {
      announced = undefined
      lastCompleted = event.data.turnId
      if (event.data.outcome !== "completed") thread.fork(endStarted)
      noteLostSteers(event.data.turnId)
    }
  })

  const noteLostSteers = (endedTurn: TurnId) => {
    for (const [promptId, turnId] of steered) {
      if (turnId !== endedTurn) continue
      steered.delete(promptId)
      const message = "the turn ended before it took a steering prompt in: send it again"
      thread.tell([note("warning", message, { promptId }, "steer_lost")])
    }
  }

  return {
    prompt: (command) => {
      const content = toCodexInput(command.content)
      if ("problem" in content) return refuse(thread, command, content.problem)
      return command.delivery === "steer" && command.turnId !== undefined
        ? steer(command, content.input, command.turnId)
        : between(command, start(command, content.input))
    },
    interrupt: (command) =>
      interrupt(command.turnId).pipe(Effect.catch(failing(thread, command, true)), Effect.as(done)),
    current,
    between,
    stop: (graceMs) => {
      const turnId = current()
      if (turnId === undefined) return Effect.void
      return watch.during(isOver, (over) =>
        Effect.andThen(
          interrupt(turnId),
          Effect.suspend(() => (current() === turnId ? over : Effect.void))
        ).pipe(Effect.timeoutOption(graceMs), Effect.ignore)
      )
    }
  }
}
