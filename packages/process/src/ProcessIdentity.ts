/**
 * Names one process for good: a pid alone is reused, a pid with its start time on one boot of one machine is not.
 */
import { Schema } from "effect"

/** The identity of a process, as `process.spawned` records it. */
export interface ProcessIdentity {
  readonly pid: number
  /**
   * In the platform's own terms: clock ticks since boot (Linux), the date in seconds (macOS), 100 ns ticks (Windows). To be
   * compared for equality only.
   */
  readonly startTime: string
  /** The machine, its boot and the pid namespace that the pid belongs to. */
  readonly host: string
}

/** The processes of this machine cannot be looked at or counted. */
export class ProcessTableUnavailable extends Schema.TaggedError<ProcessTableUnavailable>(
  "@holdfast/process/ProcessTableUnavailable"
)("ProcessTableUnavailable", { reason: Schema.String, cause: Schema.optionalKey(Schema.Defect()) }) {
  override get message() {
    return `The processes of this machine cannot be read: ${this.reason}`
  }
}

/** Some processes still run although everything was tried. */
export class ProcessesRemain extends Schema.TaggedError<ProcessesRemain>("@holdfast/process/ProcessesRemain")(
  "ProcessesRemain",
  { pids: Schema.Array(Schema.Int), reason: Schema.String }
) {
  override get message() {
    return `Processes ${this.pids.join(", ")} still run (${this.reason}): end them by hand`
  }
}
