/** What the endpoints of {@link ServerApi} and {@link HealthApi} do. */
import { problem } from "@holdfast/core"
import { Holdfast } from "@holdfast/runtime"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { PrometheusMetrics } from "effect/observability"
import { callerOf } from "../auth/AuthMiddleware.ts"
import { Authenticator } from "../auth/Authenticator.ts"
import type { RequestGuard } from "../auth/RequestGuard.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { HoldfastApi } from "./HoldfastApi.ts"
import { Refused } from "./Problems.ts"

/** How long the log may take to answer before the server counts as not ready: 2 s. */
const readyTimeoutMs = 2_000

export const serverRoutes = HttpApiBuilder.group(
  HoldfastApi,
  "server",
  Effect.fnUntraced(function* (handlers) {
    const { backends } = yield* Holdfast
    return handlers.handleAll({
      me: () => Effect.map(CurrentCaller, ({ identity }) => identity),
      backends: () => Effect.succeed(backends)
    })
  })
)

/** What the health endpoints ask. */
export interface HealthOptions {
  /** Whether the server is about to stop. */
  readonly isStopping: () => boolean
  /** Who may read the metrics. */
  readonly metrics: "open" | "token"
  readonly guard: RequestGuard
}

export const healthRoutes = (options: HealthOptions) =>
  HttpApiBuilder.group(
    HoldfastApi,
    "health",
    Effect.fnUntraced(function* (handlers) {
      const holdfast = yield* Holdfast
      const authenticator = yield* Authenticator
      return handlers.handleAll({
        health: () => Effect.succeed({ status: "ok" as const }),
        ready: Effect.fnUntraced(function* () {
          if (options.isStopping()) return yield* notReady("the server is stopping")
          yield* holdfast
            .list({ limit: 1 })
            .pipe(Effect.timeoutOrElse({ duration: readyTimeoutMs, orElse: () => notReady("the log does not answer") }))
          return { status: "ready" as const }
        }),
        metrics: Effect.fnUntraced(
          function* () {
            if (options.metrics === "token") {
              const { identity } = yield* callerOf(options.guard)
              if (identity.sessionId !== null) {
                return yield* new Refused({ problem: problem("forbidden", "your token is for one session") })
              }
            }
            return yield* PrometheusMetrics.format()
          },
          Effect.provideService(Authenticator, authenticator)
        )
      })
    })
  )

const notReady = (detail: string) => Effect.fail(new Refused({ problem: problem("unavailable", detail) }))
