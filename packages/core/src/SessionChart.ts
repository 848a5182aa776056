/**
 * The session chart: four parallel regions that say which event is legal when. It is data and is only ever used purely
 * (`transition`): no invoke, no timers, no actions. Draw it with any XState tool, or see docs/session-chart.md.
 */
import { initialTransition, setup, type SnapshotFrom, transition } from "xstate"
import type { KnownType } from "./SessionEvent.ts"
import type { Lifecycle } from "./SessionStatus.ts"

/** Event types that move the chart. Everything else happens within a state. */
export type ChartType = Extract<
  KnownType,
  | "session.moved"
  | Exclude<`backend.${string}`, "backend.noted">
  | `link.${string}`
  | `turn.${string}`
  | `permission.${string}`
  | `question.${string}`
  | `sandbox.${string}`
>

/** What the chart is told. `remaining` counts the requests that are still open after this one was resolved. */
export interface ChartEvent {
  readonly type: ChartType
  readonly remaining?: number
}

const noneRemain = ({ event }: { readonly event: ChartEvent }) => (event.remaining ?? 0) === 0

/** The backend is gone, so whatever turn there was is over. */
const turnEnds = {
  "backend.lost": "idle",
  "backend.closed": "idle",
  "backend.failed": "idle",
  "backend.suspended": "idle",
  "session.moved": "idle"
} as const

/** A target that is the state itself: legal, and changes nothing. (XState calls a transition without a target illegal.) */
const requestResolved = [{ guard: noneRemain, target: "running" }, { target: "blocked" }] as const

const linkBack = { "backend.opened": "connected", "backend.resumed": "connected" } as const

/** From where a sandbox can be asked for (again), and what can happen to it once it is there. */
const sandboxLeft = { "session.moved": "none" } as const
const sandboxSpawn = { ...sandboxLeft, "sandbox.pending": "pending", "sandbox.warming": "warming" } as const
const sandboxEnds = {
  ...sandboxLeft,
  "sandbox.stale": "stale",
  "sandbox.snapshotted": "snapshotted",
  "sandbox.stopped": "stopped",
  "sandbox.failed": "failed"
} as const
/** In use, or on its way: with its session that is over, whether or not its own end could still be told. */
const sandboxUsed = { ...sandboxEnds, "backend.closed": "stopped", "backend.failed": "stopped" } as const

const chart = setup({ types: {} as { events: ChartEvent } })

/** The chart itself. */
export const sessionChart = chart.createMachine({
  id: "session",
  type: "parallel",
  states: {
    lifecycle: {
      initial: "created",
      states: {
        created: { on: { "backend.opening": "opening", "backend.failed": "failed", "backend.closed": "closed" } },
        opening: {
          on: {
            "backend.opened": "open",
            "backend.resumed": "open",
            "backend.lost": "lost",
            "backend.closing": "closing",
            "backend.closed": "closed",
            "backend.failed": "failed"
          }
        },
        open: {
          on: {
            // At another backend it begins as one that was put to rest.
            "session.moved": "suspended",
            "backend.identified": "open",
            "backend.configuring": "open",
            "backend.configured": "open",
            "backend.suspending": "suspending",
            "backend.suspended": "suspended",
            "backend.lost": "lost",
            "backend.closing": "closing",
            "backend.closed": "closed",
            "backend.failed": "failed"
          }
        },
        suspending: {
          on: {
            "backend.suspended": "suspended",
            "backend.lost": "lost",
            "backend.closing": "closing",
            "backend.closed": "closed",
            "backend.failed": "failed"
          }
        },
        suspended: {
          on: { "backend.opening": "opening", "backend.closed": "closed", "backend.failed": "failed" }
        },
        lost: {
          on: { "backend.opening": "opening", "backend.closed": "closed", "backend.failed": "failed" }
        },
        closing: { on: { "backend.closing": "closing", "backend.closed": "closed", "backend.failed": "failed" } },
        closed: { on: { "backend.opening": "opening" } },
        failed: { on: { "backend.opening": "opening" } }
      }
    },
    turn: {
      initial: "idle",
      states: {
        idle: {
          on: {
            "turn.started": "running",
            "permission.requested": "idle",
            "question.asked": "idle",
            "permission.resolved": "idle",
            "question.answered": "idle"
          }
        },
        running: {
          on: {
            ...turnEnds,
            "turn.retrying": "running",
            "turn.interrupting": "interrupting",
            "turn.completed": "idle",
            "permission.requested": "blocked",
            "question.asked": "blocked",
            "permission.resolved": "running",
            "question.answered": "running"
          }
        },
        blocked: {
          on: {
            ...turnEnds,
            "turn.retrying": "blocked",
            "turn.interrupting": "interrupting",
            "turn.completed": "idle",
            "permission.requested": "blocked",
            "question.asked": "blocked",
            "permission.resolved": requestResolved,
            "question.answered": requestResolved
          }
        },
        interrupting: {
          on: {
            ...turnEnds,
            "turn.retrying": "interrupting",
            "turn.completed": "idle",
            "permission.requested": "interrupting",
            "question.asked": "interrupting",
            "permission.resolved": "interrupting",
            "question.answered": "interrupting"
          }
        }
      }
    },
    link: {
      initial: "connected",
      states: {
        connected: { on: { "link.reconnecting": "reconnecting", "link.disconnected": "disconnected" } },
        reconnecting: {
          on: {
            ...linkBack,
            "link.connected": "connected",
            "link.reconnecting": "reconnecting",
            "link.disconnected": "disconnected"
          }
        },
        disconnected: {
          on: { ...linkBack, "link.connected": "connected", "link.reconnecting": "reconnecting" }
        }
      }
    },
    sandbox: {
      initial: "none",
      states: {
        none: { on: sandboxSpawn },
        pending: { on: { ...sandboxUsed, "sandbox.warming": "warming", "sandbox.syncing": "syncing" } },
        warming: { on: { ...sandboxUsed, "sandbox.syncing": "syncing", "sandbox.ready": "ready" } },
        // Told again with each line of how far it is.
        syncing: { on: { ...sandboxUsed, "sandbox.syncing": "syncing", "sandbox.ready": "ready" } },
        ready: { on: { ...sandboxUsed, "sandbox.running": "running" } },
        running: { on: { ...sandboxUsed, "sandbox.ready": "ready" } },
        stale: {
          on: { ...sandboxSpawn, ...sandboxUsed, "sandbox.ready": "ready", "sandbox.running": "running" }
        },
        snapshotted: {
          on: { ...sandboxSpawn, ...sandboxEnds, "sandbox.ready": "ready", "sandbox.running": "running" }
        },
        stopped: { on: sandboxSpawn },
        failed: { on: sandboxSpawn }
      }
    }
  }
})

/** Where each region is: what a checkpoint keeps of the chart. */
export interface ChartValue {
  readonly lifecycle: Lifecycle
  readonly turn: "idle" | "running" | "blocked" | "interrupting"
  readonly link: "connected" | "reconnecting" | "disconnected"
  readonly sandbox:
    "none" | "pending" | "warming" | "syncing" | "ready" | "running" | "stale" | "snapshotted" | "stopped" | "failed"
}

const at = (value: ChartValue): SnapshotFrom<typeof sessionChart> =>
  sessionChart.resolveState({ value: value as never, context: {} as never })

/** The chart before the first event. */
export const initialChart: ChartValue = initialTransition(sessionChart)[0].value as ChartValue

/**
 * Steps by chart value and event: null where the event is illegal. The chart is finite (1,080 values, some 40 events),
 * and a step through XState costs about 100 µs, a remembered one less than 1 µs.
 */
const steps = new Map<string, ChartValue | null>()

/** The region that says whether an event is legal. Others may follow it: a turn ends with its backend. */
const regions: { readonly [group: string]: keyof ChartValue } = {
  session: "lifecycle",
  backend: "lifecycle",
  link: "link",
  turn: "turn",
  permission: "turn",
  question: "turn",
  sandbox: "sandbox"
}

/** Legal where its own region allows it: XState would take a second `backend.opened` for the sake of the link alone. */
const isLegal = (value: ChartValue, event: ChartEvent): boolean => {
  const region = regions[groupOf(event.type)]!
  return at({ ...initialChart, [region]: value[region] }).can(event)
}

const step = (value: ChartValue, event: ChartEvent): ChartValue | null => {
  const remaining = (event.remaining ?? 0) === 0 ? 0 : 1
  const key = `${value.lifecycle} ${value.turn} ${value.link} ${value.sandbox} ${event.type} ${remaining}`
  let next = steps.get(key)
  if (next === undefined) {
    const machineEvent = { type: event.type, remaining }
    next = isLegal(value, machineEvent)
      ? (transition(sessionChart, at(value), machineEvent)[0].value as ChartValue)
      : null
    steps.set(key, next)
  }
  return next
}

/** Whether the chart allows an event. */
export const chartAccepts = (value: ChartValue, event: ChartEvent): boolean => step(value, event) !== null

/** The chart after an event; unchanged where the event is not legal. */
export const moveChart = (value: ChartValue, event: ChartEvent): ChartValue => step(value, event) ?? value

const groupOf = (type: string): string => type.slice(0, type.indexOf("."))

/** By known type, of which there are some 80: it is asked several times for each event. */
const chartTypes = new Map<KnownType, boolean>()

/** Whether events of this type move the chart. */
export const isChartType = (type: KnownType): type is ChartType => {
  let moves = chartTypes.get(type)
  if (moves === undefined) {
    const group = groupOf(type)
    moves = group === "session" ? type === "session.moved" : type !== "backend.noted" && Object.hasOwn(regions, group)
    chartTypes.set(type, moves)
  }
  return moves
}
