/**
 * Traces and metrics over OTLP, where the environment says so: `OTEL_EXPORTER_OTLP_ENDPOINT` and the other variables of
 * OpenTelemetry (`OTEL_SERVICE_NAME`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_EXPORTER` …). Without them nothing is sent.
 */
import { ConfigProvider, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"

/** Name of the service in traces and metrics, unless `OTEL_SERVICE_NAME` says another. */
const serviceName = "holdfast"

/** Sends what the environment asks for, as it is when the layer is built, and at the end of the scope what is left. */
export const layerTelemetry = Layer.unwrap(
  Effect.sync(() => {
    // OpenTelemetry's own defaults, which Effect leaves to its user.
    const environment = { OTEL_TRACES_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "otlp", ...process.env }
    const resource = { serviceName: process.env["OTEL_SERVICE_NAME"] ?? serviceName }
    return Layer.mergeAll(OtlpTracer.layerFromConfig({ resource }), OtlpMetrics.layerFromConfig({ resource })).pipe(
      Layer.provide([
        OtlpSerialization.layerJson,
        FetchHttpClient.layer,
        ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment))
      ])
    )
  })
)
