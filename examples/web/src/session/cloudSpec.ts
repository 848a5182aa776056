/** What a session's spec says of where it runs: read leniently, since a spec is its backend's own. */
import type { SessionState } from "@holdfast/core"
import { Schema } from "effect"

const Spec = Schema.Struct({
  provider: Schema.optionalKey(Schema.String),
  inner: Schema.optionalKey(Schema.Struct({ backend: Schema.String }))
})

const isSpec = Schema.is(Spec)

/** A session in a sandbox. */
export interface CloudSpec {
  /** Who makes its sandbox; null where the server chooses. */
  readonly provider: string | null
  /** What runs in it. */
  readonly backend: string | null
}

/** Null for a session on the server's own machine. */
export const cloudSpecOf = (state: Pick<SessionState, "backend" | "spec" | "sandbox"> | null): CloudSpec | null => {
  if (state === null || state.backend !== "cloud") return null
  const spec = isSpec(state.spec) ? state.spec : {}
  return {
    provider:
      spec.provider ?? (state.sandbox === null || state.sandbox.provider === "" ? null : state.sandbox.provider),
    backend: spec.inner?.backend ?? null
  }
}
