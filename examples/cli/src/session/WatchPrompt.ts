/** Reads a session along until the turn of one prompt has ended, and shows it meanwhile. */
import type { EventRecord, LogUnavailable, PromptId, ReportedError, SessionId, SessionNotFound } from "@holdfast/core"
import { readEvent, type TurnOutcome } from "@holdfast/core"
import * as Effect from "effect/Effect"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as Stream from "effect/Stream"
import { EndWith, exitCodes, Refused } from "../ExitCode.ts"
import { note } from "../output/Output.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"

/** How a prompt's turn ended; `ended` where the session did, and there was no turn. */
export interface PromptEnd {
  readonly outcome: TurnOutcome | "withdrawn" | "ended"
  readonly reason: string | undefined
  readonly error: ReportedError | undefined
}

/** Follows a prompt from its place in the log. */
export const makePromptWatch = (promptId: PromptId) => {
  let running: string | undefined
  let mine: string | undefined
  let end: PromptEnd | undefined
  const ended = (turnId: string, { error, outcome, reason }: { [K in keyof PromptEnd]?: PromptEnd[K] }) => {
    if (turnId === mine) end = { outcome: outcome ?? "completed", reason, error }
  }
  return {
    /** Takes in the next event; true once the prompt's turn has ended. */
    take: (record: EventRecord): boolean => {
      const read = readEvent(record)
      if (read.kind !== "known" || end !== undefined) return end !== undefined
      const { data, type } = read.event
      switch (type) {
        case "turn.started":
          running = data.turnId
          if (data.promptId === promptId) mine = data.turnId
          break
        case "prompt.delivered":
          // Steered, or told before its turn began: then the next turn is its own.
          if (data.promptId === promptId) mine ??= data.turnId ?? running
          break
        case "prompt.withdrawn":
          if (data.promptId === promptId) end = { outcome: "withdrawn", reason: data.reason, error: undefined }
          break
        case "turn.completed":
          running = undefined
          ended(data.turnId, data)
          break
        case "backend.closed":
        case "backend.suspended":
          end = { outcome: "ended", reason: data.reason, error: undefined }
          break
        case "backend.failed":
          end = { outcome: "ended", reason: data.message, error: undefined }
          break
      }
      return end !== undefined
    },
    end: () => end
  }
}

/** Where to show the events. */
export interface EventSink<E> {
  readonly show: (events: ReadonlyArray<EventRecord>) => Effect.Effect<void, E>
}

/** Shows everything from `after` on until the prompt's turn has ended. */
export const watchPrompt = <E>(
  client: OwnerClient,
  sessionId: SessionId,
  promptId: PromptId,
  after: number,
  sink: EventSink<E>
): Effect.Effect<PromptEnd, E | RpcClientError | LogUnavailable | SessionNotFound> =>
  Effect.gen(function* () {
    const watch = makePromptWatch(promptId)
    yield* client.Events({ sessionId, after }).pipe(
      Stream.tap((item) => {
        if (item.kind === "gap") return note(`holdfast: some events are gone: ${item.detail}`)
        if (item.kind === "caught-up") return Effect.void
        const at = item.events.findIndex((record) => watch.take(record))
        return sink.show(at === -1 ? item.events : item.events.slice(0, at + 1))
      }),
      Stream.takeUntil(() => watch.end() !== undefined),
      Stream.runDrain
    )
    return watch.end() ?? { outcome: "ended", reason: "the session is not followed any more", error: undefined }
  })

/** Ends the command as the turn ended: 0, 5 where it failed, 130 where it was interrupted. */
export const endAsTurn = ({ error, outcome, reason }: PromptEnd): Effect.Effect<void, EndWith | Refused> => {
  switch (outcome) {
    case "completed":
      return Effect.void
    case "interrupted":
      return Effect.fail(new EndWith({ code: exitCodes.interrupted }))
    case "failed": {
      const again = error?.retryable === true ? "; trying again may help" : ""
      const detail = `the turn failed: ${error?.message ?? reason ?? "the agent does not say why"}${again}`
      return Effect.fail(new Refused({ code: exitCodes.failed, detail }))
    }
    case "withdrawn":
      return Effect.fail(
        new Refused({ code: exitCodes.failed, detail: `the prompt was withdrawn: ${reason ?? "no reason is known"}` })
      )
    case "ended":
      return Effect.fail(
        new Refused({ code: exitCodes.failed, detail: `the session ended before the turn did: ${reason ?? "closed"}` })
      )
  }
}
