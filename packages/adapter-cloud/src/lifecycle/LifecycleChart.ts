/**
 * The chart of a sandbox's lifecycle: where it can be, and by which moves it gets on. It is data and is only ever used purely
 * (`transition`): no invoke, no timers, no actions. Which move is made is decided in the tables beside it; drawn in
 * docs/sandbox-lifecycle.md.
 */
import { setup, transition } from "xstate"

/** Where it is. */
export type LifecyclePhase =
  /** Nothing was asked yet. */
  | "idle"
  /** The provider is asked what became of a sandbox that the log knows. */
  | "looking"
  /** One is wanted: it waits for a cooldown or the breaker. */
  | "pending"
  /** The provider makes or restores it. */
  | "warming"
  /** It is there, its bridge has not said `hello`. */
  | "connecting"
  /** The workspace is prepared and the inner backend opened. */
  | "syncing"
  | "ready"
  /** A turn runs. */
  | "running"
  /** A snapshot is taken: on schedule, or before it is put to rest, left or replaced. */
  | "snapshotting"
  /** Not heard of for too long. */
  | "stale"
  /** No generation is open in it; it waits for the next one. */
  | "lingering"
  | "destroying"
  /** Forgotten, in order. */
  | "stopped"
  /** Forgotten, for a reason that was told. */
  | "failed"

/** How it gets on. */
export type LifecycleMove =
  | "look"
  | "want"
  /** Another one is wanted, and not of the snapshot that there is. */
  | "anew"
  | "spawn"
  | "made"
  | "retry"
  | "found"
  | "greet"
  | "reattach"
  | "renew"
  | "open"
  | "work"
  | "pause"
  | "snapshot"
  | "fallSilent"
  | "takeBack"
  | "release"
  | "discard"
  | "giveUp"
  | "forget"

const ends = { discard: "destroying", forget: "stopped" } as const

const chart = setup({ types: {} as { events: { readonly type: LifecycleMove } } })

/** The chart itself. */
export const lifecycleChart = chart.createMachine({
  id: "sandbox",
  initial: "idle",
  states: {
    idle: { on: { look: "looking", want: "pending", giveUp: "failed", forget: "stopped" } },
    looking: {
      on: {
        ...ends,
        giveUp: "failed",
        found: "connecting",
        greet: "syncing",
        reattach: "ready",
        want: "pending",
        snapshot: "snapshotting",
        release: "lingering"
      }
    },
    pending: { on: { spawn: "warming", giveUp: "failed", forget: "stopped" } },
    warming: {
      on: { ...ends, giveUp: "failed", made: "connecting", greet: "syncing", retry: "pending", anew: "pending" }
    },
    connecting: {
      on: {
        ...ends,
        greet: "syncing",
        reattach: "ready",
        snapshot: "snapshotting",
        release: "lingering"
      }
    },
    syncing: { on: { ...ends, open: "ready", renew: "syncing", fallSilent: "stale", release: "lingering" } },
    ready: {
      on: {
        ...ends,
        work: "running",
        renew: "syncing",
        snapshot: "snapshotting",
        fallSilent: "stale",
        release: "lingering"
      }
    },
    running: {
      on: {
        ...ends,
        pause: "ready",
        renew: "syncing",
        snapshot: "snapshotting",
        fallSilent: "stale",
        release: "lingering"
      }
    },
    snapshotting: {
      on: { ...ends, pause: "ready", work: "running", renew: "syncing", look: "looking", release: "lingering" }
    },
    stale: {
      on: {
        ...ends,
        open: "ready",
        pause: "ready",
        work: "running",
        takeBack: "syncing",
        renew: "syncing",
        snapshot: "snapshotting",
        release: "lingering"
      }
    },
    lingering: { on: { ...ends, look: "looking", renew: "syncing", snapshot: "snapshotting" } },
    destroying: { on: { want: "pending", anew: "pending", giveUp: "failed", forget: "stopped" } },
    stopped: { type: "final" },
    failed: { type: "final" }
  }
})

/** Steps that were made once: the chart has 14 states and some 20 moves, and XState takes 10 to 100 µs for each. */
const steps = new Map<string, LifecyclePhase | undefined>()

/** Where a move leads; undefined where the chart does not allow it. */
export const moveLifecycle = (phase: LifecyclePhase, move: LifecycleMove): LifecyclePhase | undefined => {
  const key = `${phase} ${move}`
  if (steps.has(key)) return steps.get(key)
  const at = lifecycleChart.resolveState({ value: phase, context: {} as never })
  const event = { type: move }
  const next = at.can(event) ? (transition(lifecycleChart, at, event)[0].value as LifecyclePhase) : undefined
  steps.set(key, next)
  return next
}
