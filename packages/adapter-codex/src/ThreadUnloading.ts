/** Leaves threads, and knows which of them their server is just unloading. */
import { Deferred, Effect } from "effect"
import type { ResultOf } from "./CodexCalls.ts"
import type { CodexMessage } from "./CodexNormaliser.ts"

/** Milliseconds that unloading a thread may take; it takes three. Past it nobody waits for it. */
const unloadTimeoutMs = 5_000

/** The threads that are being unloaded. */
export interface ThreadUnloading {
  /** Unsubscribes from a thread, so that its server unloads it, and waits until it has. A server that is gone has. */
  readonly unload: (threadId: string) => Effect.Effect<void>
  /** Waits until a thread is not being unloaded: what is asked about it meanwhile may never be answered. */
  readonly unloaded: (threadId: string) => Effect.Effect<void>
  /** Has to see all messages of the server. */
  readonly see: (message: CodexMessage) => void
}

/** Starts with none. Without `unloadsAtOnce` a thread stays loaded for a while, and nobody waits. */
export const makeThreadUnloading = (
  unsubscribe: (threadId: string) => Effect.Effect<ResultOf<"thread/unsubscribe">, Error>,
  { unloadsAtOnce }: { readonly unloadsAtOnce: boolean }
): ThreadUnloading => {
  const waiting = new Map<string, Deferred.Deferred<void>>()

  const unloaded = (threadId: string) =>
    Effect.suspend(() => {
      const closed = waiting.get(threadId)
      return closed === undefined ? Effect.void : Effect.timeoutOption(Deferred.await(closed), unloadTimeoutMs)
    }).pipe(Effect.asVoid)

  const leave = (threadId: string, closed: Deferred.Deferred<void>) =>
    unsubscribe(threadId).pipe(
      Effect.flatMap(({ status }) =>
        status === "unsubscribed" && unloadsAtOnce ? Deferred.await(closed) : Effect.void
      ),
      Effect.timeoutOption(unloadTimeoutMs),
      Effect.ignore,
      Effect.ensuring(
        Effect.sync(() => {
          waiting.delete(threadId)
          Deferred.doneUnsafe(closed, Effect.void)
        })
      )
    )

  return {
    unloaded,
    unload: (threadId) =>
      Effect.suspend(() => {
        if (waiting.has(threadId)) return unloaded(threadId)
        const closed = Deferred.makeUnsafe<void>()
        waiting.set(threadId, closed)
        return leave(threadId, closed)
      }),
    see: ({ method, params }) => {
      if (method !== "thread/closed") return
      const { threadId } = (params ?? {}) as { readonly threadId?: unknown }
      const closed = typeof threadId === "string" ? waiting.get(threadId) : undefined
      if (closed !== undefined) Deferred.doneUnsafe(closed, Effect.void)
    }
  }
}
