/** What a host asks of a cloud session, what the log keeps of it, and everything that is checked before a sandbox is made. */
import { type CheckedSpec, decodeSpec, SpecInvalid } from "@holdfast/core"
import { type SandboxProvider, WorkspaceSpec } from "@holdfast/core/cloud"
import { nameProblem } from "@holdfast/process"
import { Effect, Schema } from "effect"
import type { InnerBackend } from "./CloudOptions.ts"

const optional = Schema.optionalKey
const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256))
const positive = Schema.Finite.check(Schema.isGreaterThan(0))
const whole = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** Names that bridges and providers set themselves. */
const reserved = /^HOLDFAST_(BRIDGE_|SANDBOX|HANDED|EXEC|WORKSPACE$)/

const variableProblem = (name: string): string | undefined =>
  reserved.test(name) ? "a name that the sandbox's bridge does not use itself" : nameProblem(name)

const VariableName = Schema.String.check(Schema.makeFilter(variableProblem))

/** At most 256 variables of 32 KiB: what programs are given goes into each of their environments. */
const Values = Schema.Record(
  Schema.String,
  Schema.String.check(
    Schema.isMaxLength(32 * 1024),
    Schema.makeFilter((text: string) => (text.includes("\0") ? "a text without NUL" : undefined))
  )
).check(
  Schema.makeFilter((values: Readonly<Record<string, string>>) => {
    const names = Object.keys(values)
    if (names.length > 256) return "at most 256 variables"
    const bad = names.flatMap((name) => {
      const problem = variableProblem(name)
      return problem === undefined ? [] : [{ path: [name], issue: problem }]
    })
    return bad.length === 0 ? undefined : bad
  })
)

const Limits = Schema.Struct({
  /** Processors; fractions too. */
  cpus: optional(positive),
  memoryBytes: optional(whole),
  processes: optional(whole),
  diskBytes: optional(whole),
  network: optional(Schema.Literals(["none", "open"]))
})

const shared = {
  /** Name of a provider. Default: the first that the host offers. */
  provider: optional(Name),
  /** A repository to work in. Default: an empty folder. */
  workspace: optional(WorkspaceSpec),
  /** What the sandbox is made from, in the provider's terms. Default: the provider's own. */
  image: optional(Name),
  /** Default: the provider's own. */
  limits: optional(Limits),
  /**
   * Milliseconds without a turn, a command or output after which it is put to rest; 0 never. Default: the host's policy where
   * the inner backend can go on afterwards, and never where it cannot: a terminal's program ends with its sandbox.
   */
  hibernateAfterMs: optional(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
}

/** A session in a sandbox as a host asks for it. */
export const CloudSpec = Schema.Struct({
  ...shared,
  /** What runs inside: a backend by name, and its own spec, in which paths are the sandbox's. */
  inner: Schema.Struct({ backend: Name, spec: optional(Schema.Unknown) }),
  /** What programs inside find in their environment. The log has the names only. */
  environment: optional(Values)
})
export type CloudSpec = typeof CloudSpec.Type

/** The spec as the log keeps it. */
export const RecordedSpec = Schema.Struct({
  ...shared,
  provider: Name,
  inner: Schema.Struct({ backend: Name, spec: Schema.Unknown }),
  environment: optional(Schema.Array(VariableName))
})
export type RecordedSpec = typeof RecordedSpec.Type

/** What is set apart from the log. */
export interface CloudSecrets {
  readonly environment: Readonly<Record<string, string>>
  /** The inner backend's own. */
  readonly inner?: unknown
}

/** Checks specs for a cloud backend of this name. */
export const makeCloudCheck = (
  name: string,
  providers: ReadonlyMap<string, SandboxProvider>,
  inner: ReadonlyMap<string, InnerBackend>
) => {
  const decode = decodeSpec(name, CloudSpec)
  const decodeRecorded = decodeSpec(name, RecordedSpec)
  const invalid = (field: string, expected: string) => new SpecInvalid({ backend: name, field, expected })

  const known = Effect.fnUntraced(function* (spec: {
    readonly provider: string
    readonly limits?: typeof Limits.Type
    readonly inner: { readonly backend: string }
  }) {
    const provider = providers.get(spec.provider)
    if (provider === undefined) return yield* invalid("provider", `one of ${[...providers.keys()].join(", ")}`)
    for (const limit of Object.keys(spec.limits ?? {}) as ReadonlyArray<keyof typeof Limits.Type>) {
      if (provider.capabilities.limits.includes(limit)) continue
      if (limit === "network" && spec.limits?.network === "open") continue
      return yield* invalid(`limits.${limit}`, `no such limit: the provider ${spec.provider} cannot hold to it`)
    }
    const backend = inner.get(spec.inner.backend)
    if (backend === undefined) return yield* invalid("inner.backend", `one of ${[...inner.keys()].join(", ")}`)
    return { provider, backend }
  })

  return {
    /** Of what a host asks for. */
    check: Effect.fnUntraced(function* (input: unknown): Effect.fn.Return<CheckedSpec, SpecInvalid> {
      const { environment = {}, ...spec } = yield* decode(input)
      const provider = spec.provider ?? providers.keys().next().value ?? ""
      const { backend } = yield* known({ ...spec, provider })
      const checked = yield* Effect.mapError(backend.check(spec.inner.spec ?? {}), (error) => inside(name, error))
      const names = Object.keys(environment)
      const recorded: RecordedSpec = {
        ...spec,
        provider,
        inner: { backend: backend.name, spec: checked.spec },
        ...(names.length === 0 ? {} : { environment: names })
      }
      const secrets: CloudSecrets = {
        environment,
        ...(checked.secrets === undefined ? {} : { inner: checked.secrets })
      }
      return { spec: recorded, secrets, ...(checked.title === undefined ? {} : { title: checked.title }) }
    }),
    /** Of what the log has, with what it refers to. */
    recorded: Effect.fnUntraced(function* (input: unknown) {
      const spec = yield* decodeRecorded(input)
      return { spec, ...(yield* known(spec)) }
    })
  }
}

/** The inner backend's word about its spec, as a word about the whole. */
export const inside = (name: string, error: Pick<SpecInvalid, "field" | "expected">): SpecInvalid => {
  const field = error.field === "spec" ? "inner.spec" : `inner.spec.${error.field}`
  return new SpecInvalid({ backend: name, field, expected: error.expected })
}
