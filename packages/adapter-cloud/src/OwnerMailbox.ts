/** The mailbox of a sandbox's owner: what happened, one after the other, and the time where nothing did. */
import { Deferred, Effect, Exit } from "effect"
import type { LifecycleInput } from "./lifecycle/LifecycleTypes.ts"

/**
 * Inputs that wait. Each source has few under way, and what repeats is told at most once a second: a mailbox that is full is a
 * defect, and what does not fit is logged.
 */
const capacity = 1_024

/** Something that happened; `taken` is done when it was decided, or nobody decides any more. */
export interface OwnerMail {
  readonly input: LifecycleInput
  readonly taken?: Deferred.Deferred<void>
}

/** The mailbox. */
export interface OwnerMailbox {
  readonly put: (mail: OwnerMail) => void
  /** What comes next; a `tick` where nothing did until then, in milliseconds from now. Undefined: it waits for ever. */
  readonly next: (dueIn: () => number | undefined) => Effect.Effect<OwnerMail>
  /** Nobody takes anything any more. */
  readonly close: () => void
}

const done = ({ taken }: OwnerMail): void => {
  if (taken !== undefined) Deferred.doneUnsafe(taken, Exit.void)
}

/** Makes an empty one. `isOver`: what comes is of no use; `onFull` is told what did not fit. */
export const makeOwnerMailbox = (isOver: () => boolean, onFull: (input: LifecycleInput) => void): OwnerMailbox => {
  const inbox: Array<OwnerMail> = []
  let isClosed = false
  let wake: (() => void) | undefined

  // Woken without a value, so that an interrupted wait loses nothing.
  const filled = Effect.callback<void>((resume) => {
    if (inbox.length > 0) return resume(Effect.void)
    wake = () => resume(Effect.void)
    return Effect.sync(() => {
      wake = undefined
    })
  })

  const next: OwnerMailbox["next"] = (dueIn) =>
    Effect.suspend(() => {
      const first = inbox.shift()
      if (first !== undefined) return Effect.succeed(first)
      const due = dueIn()
      if (due === undefined) return Effect.andThen(filled, next(dueIn))
      return Effect.flatMap(Effect.timeoutOption(filled, Math.max(1, due)), (woken) =>
        woken._tag === "Some" ? next(dueIn) : Effect.succeed({ input: { type: "tick" } as const })
      )
    })

  return {
    put: (mail) => {
      const isLost = isClosed || isOver()
      if (isLost || inbox.length >= capacity) {
        if (!isLost) onFull(mail.input)
        return done(mail)
      }
      inbox.push(mail)
      wake?.()
    },
    next,
    close: () => {
      isClosed = true
      for (const mail of inbox.splice(0)) done(mail)
    }
  }
}
