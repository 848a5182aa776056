/** The server itself: who you are to it, what it offers, and how it is. */
import { BackendAnswer, Identity } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { says } from "./Parameters.ts"

/** What the server offers. */
export class ServerApi extends HttpApiGroup.make("server")
  .add(
    HttpApiEndpoint.get("me", "/me", { success: Identity.annotate({ identifier: "Identity" }) }).annotateMerge(
      says("Who you are to the server")
    ),
    HttpApiEndpoint.get("backends", "/backends", {
      success: Schema.Array(BackendAnswer.annotate({ identifier: "Backend" }))
    }).annotateMerge(says("What sessions can run on", "With what their sessions can do at most."))
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Server" })) {}

const text = (contentType: string) => Schema.String.pipe(HttpApiSchema.asText({ contentType }))

/** How the server is, for what watches it. */
export class HealthApi extends HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("health", "/healthz", {
      success: Schema.Struct({ status: Schema.Literal("ok") })
    }).annotateMerge(says("Is the process there?")),
    HttpApiEndpoint.get("ready", "/readyz", {
      success: Schema.Struct({ status: Schema.Literal("ready") })
    }).annotateMerge(says("Can it serve?", "The log answers, and the server is not stopping; otherwise 503.")),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: text("text/plain; version=0.0.4; charset=utf-8")
    }).annotateMerge(says("Metrics", "For Prometheus. Needs a token unless the server is told otherwise."))
  )
  .annotateMerge(OpenApi.annotations({ title: "Health" })) {}
