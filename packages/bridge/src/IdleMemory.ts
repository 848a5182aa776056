/**
 * Gives memory back when nothing happens. V8 keeps what it needed at the start and in a flood for as long as there is no reason
 * to collect, and an idle bridge has none for hours: that is a quarter of its memory.
 */
import { Effect } from "effect"
import v8 from "node:v8"
import vm from "node:vm"

/** Milliseconds between two looks. */
const lookMs = 5_000

/** Processor time of one interval up to which it counts as idle, in microseconds: 50 ms, 1 %. Heartbeats take less. */
const idleMicros = 50_000

/** Collects once after each time that was busy, as soon as an interval was idle: it takes some 20 ms. Ends with the scope. */
export const shrinkWhenIdle = Effect.acquireRelease(
  Effect.sync(() => {
    v8.setFlagsFromString("--expose-gc")
    const gc = vm.runInNewContext("gc") as (options: object) => void
    const collect = () => gc({ type: "major", execution: "sync", flavor: "last-resort" })
    v8.setFlagsFromString("--no-expose-gc")
    let isDue = true
    let before = process.cpuUsage()
    return setInterval(() => {
      const { system, user } = process.cpuUsage(before)
      if (system + user > idleMicros) isDue = true
      else if (isDue) {
        collect()
        isDue = false
      }
      before = process.cpuUsage()
    }, lookMs).unref()
  }),
  (timer) => Effect.sync(() => clearInterval(timer))
)
