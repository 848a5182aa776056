/**
 * The new half of a move: a generation that is opened while the session is still another backend's. What it tells is kept until the
 * session is its own, and goes into the log in the very append that makes it so; if that never comes, nothing is left of it.
 */
import { BackendLost, type Observed, SpecInvalid } from "@holdfast/core"
import { Deferred, Effect, Exit, type Scope } from "effect"
import { type Generation, type GenerationParts, startGeneration, type Tell } from "../Generation.ts"

/** What one is made of. */
export interface PreparedParts extends Pick<
  GenerationParts,
  "backend" | "request" | "opening" | "missed" | "people" | "tell" | "tellOutput"
> {
  /** The session's own scope, in which the generation lives on. */
  readonly scope: Scope.Scope
  /** How long it may take to be open, in milliseconds. */
  readonly timeoutMs: number
  /** Told what happens while it is opened. */
  readonly onTold: (event: Observed) => Effect.Effect<void>
}

/** One that is open. */
export interface PreparedGeneration {
  readonly number: number
  /** What it has told, its opening with it: for the append that makes the session its own. */
  readonly told: () => ReadonlyArray<Observed>
  /** That append is stored: from now on the end of the scope leaves it alone. */
  readonly claim: () => void
  /** It goes on, once it was claimed. What is asked of it waits for the end of the generation before. */
  readonly adopt: (before: Effect.Effect<void>) => Generation
}

const isOpening = ({ type }: Observed): boolean => type === "backend.opened" || type === "backend.resumed"

/**
 * Opens it. The scope's end gives it up unless it was claimed. A scope that ends well all the same ends where nobody can tell whether
 * the append is stored: what can be left running then is, for whoever reads the log next.
 */
export const prepareGeneration = Effect.fnUntraced(function* (
  parts: PreparedParts
): Effect.fn.Return<PreparedGeneration, BackendLost | SpecInvalid, Scope.Scope> {
  const { backend, onTold, scope, timeoutMs } = parts
  const { generation: number } = parts.request
  const ready = Deferred.makeUnsafe<void, BackendLost | SpecInvalid>()
  const adopted = Deferred.makeUnsafe<void>()
  const told: Array<Observed> = []
  let appended = 0
  let isClaimed = false

  const tellRest = Effect.suspend(() => {
    const rest = told.slice(appended)
    return rest.length === 0 ? Effect.void : parts.tell(number, rest)
  })
  const tell: Tell = (of, events) =>
    Effect.suspend(() => {
      if (isClaimed) return parts.tell(of, events)
      for (const event of events) {
        // Told with each line of how far it is: the last one says it.
        if (event.type === "sandbox.syncing" && told.at(-1)?.type === event.type) told.pop()
        told.push(event)
      }
      if (!events.some(isOpening)) return Effect.forEach(events, onTold, { discard: true })
      Deferred.doneUnsafe(ready, Exit.void)
      return Effect.andThen(Deferred.await(adopted), tellRest)
    })
  const onEnd = (error: unknown) => {
    const isExpected = error instanceof BackendLost || error instanceof SpecInvalid
    const reason = error instanceof Error ? error.message : String(error)
    const failure = isExpected ? error : new BackendLost({ backend: backend.name, reason, retryable: false })
    Deferred.doneUnsafe(ready, Exit.fail(failure))
  }

  // Nothing is passed plainly before it is adopted: output comes after the opening, which is not told until then.
  const { missed, opening, people, request, tellOutput } = parts
  const generation = yield* Effect.acquireRelease(
    startGeneration({ backend, request, opening, missed, people, tell, tellOutput, onEnd }, Effect.void, scope),
    ({ detach, release }, exit) => {
      if (isClaimed) return Effect.void
      return Exit.isSuccess(exit) ? Effect.andThen(detach, release) : release
    }
  )
  yield* Effect.timeoutOrElse(Deferred.await(ready), {
    duration: timeoutMs,
    orElse: () => {
      const reason = `it was not open within ${timeoutMs} ms`
      return Effect.fail(new BackendLost({ backend: backend.name, reason, retryable: true }))
    }
  })
  return {
    number,
    told: () => {
      appended = told.length
      return told.slice()
    },
    claim: () => {
      isClaimed = true
    },
    adopt: (before) => {
      generation.waitFor(before)
      Deferred.doneUnsafe(adopted, Exit.void)
      return generation
    }
  }
})
