/** What is left of the counterpart's sandboxes on this machine, seen without it. */
import { promises } from "@holdfast/process"
import { Effect } from "effect"
import { counterpartMarker } from "./CounterpartSandbox.ts"

/** Each process in a few words. */
export const counterpartRemains: Effect.Effect<ReadonlyArray<string>> = Effect.promise(async () =>
  (await promises.tree({ variables: [`${counterpartMarker}=${process.pid}`] })).map(({ pid }) => `process ${pid}`)
)
