/** The shape of the tables of decisions: rows of data, of which the first that matches counts. */
import type { LifecycleMove, LifecyclePhase } from "./LifecycleChart.ts"
import type { LifecycleStep } from "./LifecycleStep.ts"
import type { LifecycleInput } from "./LifecycleTypes.ts"

/** The times at which something is decided although nothing happened. */
export type DeadlineName =
  | "look"
  | "spawn again"
  | "patience"
  | "spawn"
  | "connect"
  | "sync"
  | "silence"
  | "still silent"
  | "idle"
  | "schedule"
  | "snapshot"
  | "snapshot again"
  | "linger"
  | "destroy"

/** What a decision answers: an input, or a deadline that has passed. */
export type Occasion = Exclude<LifecycleInput["type"], "tick"> | DeadlineName

type InputFor<O extends Occasion> = O extends LifecycleInput["type"]
  ? Extract<LifecycleInput, { readonly type: O }>
  : undefined

/** One row. */
export interface Decision<O extends Occasion = Occasion> {
  readonly on: O
  readonly at: ReadonlyArray<LifecyclePhase>
  /** The condition in words, and the condition. Absent: always. */
  readonly when?: string
  readonly holds?: (step: LifecycleStep, input: InputFor<O>) => boolean
  /** What is done, in words. */
  readonly does: string
  /** The moves that it may make, in order; none: it stays. */
  readonly moves: ReadonlyArray<LifecycleMove>
  readonly decide: (step: LifecycleStep, input: InputFor<O>) => void
}

/** A row, with its input's type known from its occasion. */
export const row = <O extends Occasion>(decision: Decision<O>): Decision => decision as unknown as Decision

/** Phases in which a generation's inner backend is open, or is being opened. */
export const living = ["syncing", "ready", "running", "stale"] as const satisfies ReadonlyArray<LifecyclePhase>
