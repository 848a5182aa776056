/** Brings each message of a server that many sessions share to the session whose thread it is about. */
import type { BackendLost } from "@holdfast/core"
import { Effect } from "effect"
import type { CodexMessage } from "./CodexNormaliser.ts"
import { threadOf } from "./CodexWire.ts"

/** Messages that are kept of one thread that is being opened: it is a warning or two. Further ones are left out. */
const maxEarly = 64

/** Threads of which messages are kept while others are opened. */
const maxEarlyThreads = 64

/** Who listens to a thread. */
export interface ThreadListener {
  /** Takes its messages, in order. */
  readonly take: (message: CodexMessage) => void
  /** Something about the server that concerns everybody on it. */
  readonly noted: (message: string) => void
  /** The server is gone. */
  readonly lost: (error: BackendLost) => void
  /** The threads that it listens to: its own, and those of its sub-agents. */
  readonly threads: () => ReadonlyArray<string>
}

/** A router. */
export interface MessageRouter {
  /** Hands a message out. False: nobody listens to its thread, or it is about none. */
  readonly route: (message: CodexMessage) => boolean
  /** Listens to a thread from now on, and to what came of it while it was being opened. False: somebody does already. */
  readonly attach: (threadId: string, listener: ThreadListener) => boolean
  readonly detach: (threadId: string) => void
  readonly listeners: () => ReadonlyArray<ThreadListener>
  /** Opens a thread whose id is not known before: meanwhile messages of threads that nobody listens to are kept. */
  readonly opening: <A, E>(open: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** Makes a router without listeners. */
export const makeMessageRouter = (): MessageRouter => {
  const listeners = new Map<string, ThreadListener>()
  const early = new Map<string, Array<CodexMessage>>()
  let openings = 0

  const keep = (threadId: string, message: CodexMessage): boolean => {
    if (openings === 0) return false
    const kept = early.get(threadId) ?? []
    if (kept.length >= maxEarly || (kept.length === 0 && early.size >= maxEarlyThreads)) return false
    kept.push(message)
    early.set(threadId, kept)
    return true
  }

  /** A sub-agent's thread is heard by the session that it works for. */
  const listenerOf = (threadId: string): ThreadListener | undefined =>
    listeners.get(threadId) ?? [...listeners.values()].find((listener) => listener.threads().includes(threadId))

  const route = (message: CodexMessage): boolean => {
    const threadId = threadOf(message.params) ?? startedThread(message)?.id
    if (threadId === undefined) return false
    const listener = listenerOf(threadId) ?? listenerOfParent(message)
    if (listener === undefined) return keep(threadId, message)
    listener.take(message)
    return true
  }

  const listenerOfParent = (message: CodexMessage): ThreadListener | undefined => {
    const parentId = startedThread(message)?.parentThreadId
    return typeof parentId === "string" ? listenerOf(parentId) : undefined
  }

  return {
    route,
    attach: (threadId, listener) => {
      if (listeners.has(threadId)) return false
      listeners.set(threadId, listener)
      const kept = early.get(threadId) ?? []
      early.delete(threadId)
      for (const message of kept) listener.take(message)
      return true
    },
    detach: (threadId) => {
      listeners.delete(threadId)
    },
    listeners: () => [...listeners.values()],
    opening: (open) =>
      Effect.suspend(() => {
        openings += 1
        return Effect.ensuring(
          open,
          Effect.sync(() => {
            openings -= 1
            if (openings === 0) early.clear()
          })
        )
      })
  }
}

/** The thread that `thread/started` brings; it names its thread in another place than all others. */
const startedThread = (
  message: CodexMessage
): { readonly id: string; readonly parentThreadId?: unknown } | undefined => {
  if (message.method !== "thread/started") return undefined
  const thread: unknown = (message.params as { readonly thread?: unknown } | undefined)?.thread
  if (typeof thread !== "object" || thread === null || !("id" in thread)) return undefined
  return typeof thread.id === "string" ? { ...thread, id: thread.id } : undefined
}
