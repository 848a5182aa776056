/** What a host asks of an Opencode session, and what the log keeps of it. */
import { type CheckedSpec, decodeSpec, SpecInvalid } from "@holdfast/core"
import { directoryProblem } from "@holdfast/process"
import { Effect, Schema } from "effect"
import { resolve } from "node:path"
import type { OpencodeAddress } from "./OpencodeClient.ts"

const optional = Schema.optionalKey

const Text = Schema.String.check(Schema.isMinLength(1))

/** `provider/model`; the model's own name may have slashes. */
const ModelName = Schema.String.check(
  Schema.isPattern(/^[^/\s]+\/\S+$/, { expected: "a provider and a model, as in anthropic/claude-sonnet-4-5" })
)

/** A session as a host asks for it. All may be left out. */
export const OpencodeSpec = Schema.Struct({
  /** The directory to work in; on the server's machine, where the server is elsewhere. Default: the host's own. */
  cwd: optional(Text),
  /** `provider/model`. Default: what Opencode's configuration says. */
  model: optional(ModelName),
  /** How much the model thinks: one of the model's variants. */
  effort: optional(Text),
  /** One of Opencode's agents: `build`, `plan`, or one of the user's. Default: what Opencode's configuration says. */
  agent: optional(Text),
  /**
   * What to allow, deny or ask about, over Opencode's own rules; the last one that fits counts. `permission` is a tool's
   * (`bash`, `edit`, `webfetch`, `external_directory` …) or `*`, `pattern` what it is about (a command, a path).
   */
  permission: optional(
    Schema.Array(
      Schema.Struct({ permission: Text, pattern: Text, action: Schema.Literals(["allow", "deny", "ask"]) })
    ).check(Schema.isMaxLength(1_000))
  ),
  /** What the model is told besides Opencode's own instructions. */
  system: optional(Schema.String),
  /** Without a title Opencode lets a model find one. */
  title: optional(Text)
})
export type OpencodeSpec = typeof OpencodeSpec.Type

/** The spec as the log has it. */
export type RecordedSpec = OpencodeSpec & { readonly cwd: string }

const decode = decodeSpec("opencode", OpencodeSpec)

/**
 * Why Opencode would not work in a directory; undefined where it would. It decodes paths once too often: in `a%20b` it would
 * work in `a b`.
 */
const nameProblem = (cwd: string): string | undefined => {
  try {
    if (decodeURIComponent(cwd) === cwd) return undefined
    return "a path without escapes such as %20, which Opencode takes for what they stand for"
  } catch {
    return undefined
  }
}

/** Only what is on this machine can be looked at. */
const isHere = (server: OpencodeAddress | undefined): boolean =>
  server === undefined || ["127.0.0.1", "localhost", "[::1]"].includes(new URL(server.url).hostname)

/** Checks a spec and fills in the directory. */
export const prepareSpec = Effect.fnUntraced(function* (
  input: unknown,
  server: OpencodeAddress | undefined
): Effect.fn.Return<RecordedSpec, SpecInvalid> {
  const spec = yield* decode(input)
  const invalid = (expected: string) => new SpecInvalid({ backend: "opencode", field: "cwd", expected })
  const isLocal = isHere(server)
  if (!isLocal && spec.cwd === undefined) return yield* invalid("a directory of the server's machine")
  const cwd = isLocal ? resolve(spec.cwd ?? process.cwd()) : (spec.cwd ?? "")
  const problem = nameProblem(cwd) ?? (isLocal ? directoryProblem(cwd) : undefined)
  return problem === undefined ? { ...spec, cwd } : yield* invalid(problem)
})

/** Checks a spec for another machine, none of whose folders can be seen. A relative `cwd` is from where its backend runs. */
const checkElsewhere = Effect.fnUntraced(function* (input: unknown): Effect.fn.Return<RecordedSpec, SpecInvalid> {
  const spec = yield* decode(input)
  const cwd = spec.cwd ?? "."
  const expected = nameProblem(cwd)
  if (expected !== undefined) return yield* new SpecInvalid({ backend: "opencode", field: "cwd", expected })
  return { ...spec, cwd }
})

/** See `Backend.check`; `elsewhere` where the backend that opens it runs on another machine. */
export const checkSpec = (
  input: unknown,
  server: OpencodeAddress | undefined,
  elsewhere = false
): Effect.Effect<CheckedSpec, SpecInvalid> =>
  Effect.map(elsewhere ? checkElsewhere(input) : prepareSpec(input, server), (spec) => ({
    spec,
    workspace: spec.cwd,
    ...(spec.title === undefined ? {} : { title: spec.title })
  }))
