/**
 * The threads of a session's sub-agents. Codex neither interrupts nor unloads them with the thread that they work for: their
 * turns and commands would go on unseen.
 */
import { Effect } from "effect"
import type { CodexMessage } from "./CodexNormaliser.ts"
import type { CodexServer } from "./CodexServer.ts"
import { threadOf } from "./CodexWire.ts"

/** The sub-agents of one session. */
export interface SubAgents {
  /** Has to see all messages of the session. */
  readonly see: (message: CodexMessage) => void
  /** Interrupts their turns and ends their commands. Does not fail: they may have ended meanwhile. */
  readonly stop: Effect.Effect<void>
  /** Stops and leaves them. */
  readonly leave: Effect.Effect<void>
}

/** Starts with none that works; `threads` are those of the session, its own included. */
export const makeSubAgents = (
  server: CodexServer,
  threadId: string,
  threads: () => ReadonlyArray<string>
): SubAgents => {
  /** Turns that run, by thread: of at most as many threads as the session listens to. */
  const running = new Map<string, string>()
  const agents = () => threads().filter((id) => id !== threadId)

  const stopAgent = (agentId: string) =>
    Effect.suspend(() => {
      const turnId = running.get(agentId)
      const interrupted =
        turnId === undefined
          ? Effect.void
          : Effect.ignore(server.request("turn/interrupt", { threadId: agentId, turnId }))
      const cleaned = Effect.ignore(server.request("thread/backgroundTerminals/clean", { threadId: agentId }))
      return Effect.andThen(interrupted, cleaned)
    })

  return {
    see: ({ method, params }) => {
      const agentId = threadOf(params)
      if (agentId === undefined || agentId === threadId) return
      const { turn } = params as { readonly turn?: { readonly id?: unknown } }
      if (method === "turn/started" && typeof turn?.id === "string" && threads().includes(agentId)) {
        running.set(agentId, turn.id)
      }
      if (method === "turn/completed") running.delete(agentId)
    },
    stop: Effect.suspend(() => Effect.forEach(agents(), stopAgent, { concurrency: "unbounded", discard: true })),
    leave: Effect.suspend(() =>
      Effect.forEach(agents(), (agentId) => Effect.andThen(stopAgent(agentId), server.unload(agentId)), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }
}
