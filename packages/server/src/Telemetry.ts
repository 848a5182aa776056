/**
 * Traces and metrics over OTLP, where the environment says so: `OTEL_EXPORTER_OTLP_ENDPOINT` and the other variables of
 * OpenTelemetry (`OTEL_SERVICE_NAME`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_EXPORTER` …). Without them nothing is sent.
 */
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"

/** Name of the service in traces and metrics, unless `OTEL_SERVICE_NAME` says another. */
const serviceName = "holdfast"

/** Sends what the environment asks for, and what is left at the end of the scope. */
export const layerTelemetry = (environment: { readonly [name: string]: string | undefined } = process.env) => {
  const resource = { serviceName: environment["OTEL_SERVICE_NAME"] ?? serviceName }
  return Layer.mergeAll(OtlpTracer.layerFromConfig({ resource }), OtlpMetrics.layerFromConfig({ resource })).pipe(
    Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer])
  )
}
