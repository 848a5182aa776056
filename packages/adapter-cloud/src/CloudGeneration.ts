/**
 * One opening of a cloud session as the runtime sees it: what is told before it is open, what is copied from the sandbox
 * afterwards, and its one end.
 */
import { type BackendEvent, BackendLost, type OpenRequest, type SpecInvalid } from "@holdfast/core"
import type { BridgeOpened, EventBatch } from "@holdfast/core/cloud"
import { Deferred, Effect, Exit } from "effect"
import type { InnerBackend } from "./CloudOptions.ts"
import type { CloudSecrets, RecordedSpec } from "./CloudSpec.ts"
import { makeCopyOutbox } from "./CopyOutbox.ts"
import { screenEvent } from "./screenEvent.ts"

/** What an opening brought. */
export interface Opened extends BridgeOpened {
  /** After a reattach: what the bridge has taken. */
  readonly taken?: ReadonlyArray<number>
}

/** What copied events mean for the sandbox. */
export interface Copied {
  /** Whether a turn or a command of the shell runs, where they say so. */
  readonly busy?: boolean
  /** The inner backend has ended. */
  readonly end?: "closed" | "suspended" | { readonly reason: string; readonly retryable: boolean }
}

/** What a generation is made of. */
export interface CloudGenerationParts {
  /** Name of the backend. */
  readonly name: string
  readonly request: OpenRequest
  /** What runs inside. */
  readonly inner: InnerBackend
  readonly spec: RecordedSpec
  readonly secrets: CloudSecrets | undefined
  /** Everything up to this number is stored. */
  readonly onPassed: (through: number, weight: number) => void
}

/** A generation. */
export type CloudGeneration = ReturnType<typeof makeCloudGeneration>

/** Makes a generation that is being opened. */
export const makeCloudGeneration = ({ inner, name, onPassed, request, secrets, spec }: CloudGenerationParts) => {
  const opened = Deferred.makeUnsafe<Opened, BackendLost | SpecInvalid>()
  const ended = Deferred.makeUnsafe<void>()
  const outbox = makeCopyOutbox(onPassed)
  let refusal: SpecInvalid | undefined
  let isClosing = false
  let wasOpen = false
  let phase: "opening" | "open" | "over" = "opening"
  /** The inner backend's own end, told once its sandbox is as it should be. */
  let end: BackendEvent | undefined

  const finish = (last: BackendEvent) => {
    over()
    outbox.push([end?.type === last.type ? end : last])
    outbox.end()
  }

  const over = () => {
    phase = "over"
    Deferred.doneUnsafe(ended, Exit.void)
  }

  return {
    number: request.generation,
    name,
    request,
    inner,
    spec,
    secrets,
    opened,
    outbox,
    isOpening: () => phase === "opening",
    isOpen: () => phase === "open",
    isOver: () => phase === "over",
    wasOpen: () => wasOpen,
    /** The inner backend has ended, and only its sandbox is still looked after. */
    isEnding: () => end !== undefined,
    /** Its inner backend has ended, or it has itself. */
    ended: Deferred.await(ended),
    /** Its session is to be over: nothing of its sandbox is kept. */
    beginClosing: () => {
      isClosing = true
    },
    isClosing: () => isClosing,
    /** It is open: from now on what is told goes with what is copied. */
    open: (how: Opened) => {
      if (phase !== "opening") return
      phase = "open"
      wasOpen = true
      Deferred.doneUnsafe(opened, Exit.succeed(how))
    },
    /** Tells what happens to the sandbox. While it is being opened it completes when that is stored. */
    tell: (event: BackendEvent): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (phase === "opening") return request.tell?.([event]) ?? Effect.void
        outbox.push([event])
        return Effect.void
      }),
    /** Completes when all that was told so far is stored; not at all where nobody reads any more. */
    stored: Effect.suspend(() => (phase === "opening" ? Effect.void : outbox.stored)),
    /** Takes in what the sandbox told. */
    copy: ({ events, first }: EventBatch, sandbox: string): Copied => {
      const copies: Array<BackendEvent> = []
      let busy: boolean | undefined
      let came: Copied["end"]
      events.forEach((event, index) => {
        if (end !== undefined || came !== undefined) return
        const origin = first + index
        switch (event.type) {
          case "backend.closed":
          case "backend.suspended": {
            const screened = screenEvent(event, origin, sandbox)
            if (screened.type !== event.type) break
            end = screened
            came = event.type === "backend.closed" ? "closed" : "suspended"
            return
          }
          case "backend.lost":
          case "backend.failed": {
            const { message, reason, retryable } = (event.data ?? {}) as Record<string, unknown>
            came = { reason: String(message ?? reason).slice(0, 10_000), retryable: retryable === true }
            return
          }
        }
        const copy = screenEvent(event, origin, sandbox)
        if (copy.type === "turn.started") busy = true
        else if (copy.type === "turn.completed") busy = false
        else if (copy.type === "terminal.marked") busy = copy.data.mark === "running"
        copies.push(copy)
      })
      if (copies.length > 0) outbox.push(copies)
      if (came !== undefined) Deferred.doneUnsafe(ended, Exit.void)
      return { ...(busy === undefined ? {} : { busy }), ...(came === undefined ? {} : { end: came }) }
    },
    /** Ends it as put to rest; where what ran in it cannot go on later, that is its end for good. */
    suspended: (reason: string, canResume: boolean) => {
      if (phase === "opening") return lose(reason, true)
      if (phase === "open") {
        finish(
          canResume ? { type: "backend.suspended", data: { reason } } : { type: "backend.closed", data: { reason } }
        )
      }
    },
    /** Ends it for good. */
    closed: (reason: string) => {
      if (phase === "opening") return lose(reason, false)
      if (phase === "open") finish({ type: "backend.closed", data: { reason } })
    },
    lost: (reason: string, retryable: boolean) => lose(reason, retryable),
    /** What was asked for cannot be run: that is what its loss says, if it is not open. */
    invalid: (error: SpecInvalid) => {
      refusal = error
    },
    /** Nobody reads it any more. */
    leave: () => {
      if (phase === "opening") return lose("it was given up", true)
      over()
      outbox.end()
    }
  }

  function lose(reason: string, retryable: boolean) {
    const error = new BackendLost({ backend: name, reason, retryable })
    if (phase === "opening") Deferred.doneUnsafe(opened, Exit.fail(refusal ?? error))
    else outbox.fail(error)
    over()
  }
}
