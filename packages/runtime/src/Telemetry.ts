/**
 * Metrics of a runtime, through Effect: counted always, exported only where the host provides an exporter (for example
 * `Otlp.layerJson` of `effect/observability`). Spans: `Holdfast.create`, `Holdfast.command`, `Holdfast.fork`,
 * `Holdfast.sweep`; none on the paths of output and keystrokes.
 */
import { Metric } from "effect"

/** Events that were stored. */
export const eventsStored = Metric.counter("holdfast.events.stored", { incremental: true })

/** Bytes of terminal output that were stored. */
export const outputStored = Metric.counter("holdfast.output.bytes", { incremental: true })

/** Sessions that have an owner in this process. */
export const liveSessions = Metric.gauge("holdfast.sessions.live")

const commands = Metric.counter("holdfast.commands", { incremental: true })

/** Commands by `outcome`: those that were accepted. */
export const commandsAccepted = Metric.withAttributes(commands, { outcome: "accepted" })

/** Those that were rejected, or failed. */
export const commandsRefused = Metric.withAttributes(commands, { outcome: "refused" })
