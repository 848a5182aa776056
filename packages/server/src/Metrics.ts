/** Metrics of the server, beside the runtime's: at `/metrics`, and over OTLP where the environment says so. */
import { type Context, Effect, Metric, Schedule, type Scope } from "effect"

const answers = Metric.counter("holdfast.http.answers", {
  description: "HTTP requests that were answered, by class of status",
  incremental: true
})

const byClass = ["1xx", "2xx", "3xx", "4xx", "5xx"].map((status) => Metric.withAttributes(answers, { status }))

/** Counts an answer. */
export const countAnswer = (status: number, context: Context.Context<never>): void =>
  byClass[Math.floor(status / 100) - 1]?.updateUnsafe(1, context)

const connections = Metric.gauge("holdfast.live.connections", { description: "Live connections that are open" })
const subscriptions = Metric.gauge("holdfast.live.subscriptions", { description: "Subscriptions that are open" })
const bridges = Metric.gauge("holdfast.bridges", { description: "Bridges of sandboxes that are connected" })
const streams = Metric.gauge("holdfast.event_streams", { description: "Event streams (SSE) that are open" })

/** How often what is open is counted. */
const everyMs = 5_000

/** Counts what is open, until the scope closes. */
export const gaugeLive = (open: {
  readonly connections: () => number
  readonly subscriptions: () => number
  readonly streams: () => number
  readonly bridges: () => number
}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() =>
    Effect.all(
      [
        Metric.update(connections, open.connections()),
        Metric.update(subscriptions, open.subscriptions()),
        Metric.update(streams, open.streams()),
        Metric.update(bridges, open.bridges())
      ],
      { discard: true }
    )
  ).pipe(Effect.repeat(Schedule.spaced(everyMs)), Effect.forkScoped, Effect.asVoid)
