/**
 * What the runtime is told of the people at a session, and no event says: that somebody began to write a prompt, so that a
 * session at rest is there when it comes, and how many look on, so that it is not put to rest as soon.
 */
import type { SessionId } from "@holdfast/core"
import type { HoldfastService } from "@holdfast/runtime"
import { Effect } from "effect"

/** That somebody writes is told at most this often of a session, in milliseconds: opening one is asked for once. */
const typingEveryMs = 5_000

/** How many look on is told at most this often of a session, in milliseconds: a page that reloads leaves and comes back. */
const watchedEveryMs = 1_000

/** Sessions that somebody watches, or just watched. */
interface Watched {
  readonly people: () => number
  told: number
  toldAt: number
}

/** The signals of an endpoint. Held for sessions that are watched, or were within the last seconds. */
export interface SessionSignals {
  /** Somebody who may send prompts began to write one. */
  readonly typing: (sessionId: SessionId, now: number) => void
  /** Somebody came or went; `people` says at any time how many there are. */
  readonly watched: (sessionId: SessionId, people: () => number) => void
  /** Tells what has changed and may be told by now. To be called several times a second. */
  readonly tick: (now: number) => void
  /** Nobody is there any more: the endpoint ends. */
  readonly end: Effect.Effect<void>
}

/** Makes them. `run` starts what is told; it ends with the endpoint. */
export const makeSessionSignals = (
  signal: HoldfastService["signal"],
  run: (effect: Effect.Effect<void>) => unknown
): SessionSignals => {
  const typed = new Map<SessionId, number>()
  const watching = new Map<SessionId, Watched>()
  /** Those of which something may be to tell, or that may be forgotten. */
  const changed = new Set<SessionId>()

  return {
    typing: (sessionId, now) => {
      const before = typed.get(sessionId)
      if (before !== undefined && now - before < typingEveryMs) return
      typed.set(sessionId, now)
      run(signal(sessionId, { type: "typing" }))
    },
    watched: (sessionId, people) => {
      const known = watching.get(sessionId)
      watching.set(sessionId, { people, told: known?.told ?? 0, toldAt: known?.toldAt ?? Number.NEGATIVE_INFINITY })
      changed.add(sessionId)
    },
    tick: (now) => {
      for (const [sessionId, at] of typed) if (now - at >= typingEveryMs) typed.delete(sessionId)
      for (const sessionId of changed) {
        const one = watching.get(sessionId)!
        if (now - one.toldAt < watchedEveryMs) continue
        const people = one.people()
        if (people === one.told) {
          changed.delete(sessionId)
          if (people === 0) watching.delete(sessionId)
          continue
        }
        one.told = people
        one.toldAt = now
        run(signal(sessionId, { type: "watched", people }))
      }
    },
    end: Effect.suspend(() =>
      Effect.forEach(
        [...watching].filter(([, { told }]) => told > 0),
        ([sessionId]) => signal(sessionId, { type: "watched", people: 0 }),
        { concurrency: 16, discard: true }
      )
    )
  }
}
