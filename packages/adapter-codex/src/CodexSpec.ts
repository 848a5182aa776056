/** What a host asks for, what the log keeps of it, and everything that is checked before a thread is opened. */
import { type CheckedSpec, decodeSpec, SpecInvalid } from "@holdfast/core"
import { directoryProblem } from "@holdfast/process"
import { Effect, Schema } from "effect"
import { resolve } from "node:path"
import { ApprovalPolicy } from "./CodexCalls.ts"

const optional = Schema.optionalKey
const Name = Schema.String.check(Schema.isMinLength(1))

const shared = {
  /** As the model provider knows it. Default: the configuration's. It is not checked: providers take what they list not. */
  model: optional(Name),
  /** A provider of the configuration. Default: the configuration's. */
  modelProvider: optional(Name),
  /** How hard the model thinks: `low`, `medium`, `high` … Default: the model's own. */
  effort: optional(Name),
  /** Further configuration of this thread, by dotted key. It is in the log: no secrets. Default: none. */
  config: optional(Schema.Record(Schema.String, Schema.Unknown)),
  /** What the model is told besides Codex's own instructions. */
  developerInstructions: optional(Schema.String),
  /** The thread's name, in Codex as well. */
  title: optional(Schema.String)
}

/** A session of Codex as a host asks for it. All of it may be left out. */
export const CodexSpec = Schema.Struct({
  ...shared,
  /** The directory that it works in. Default: the host's own. */
  cwd: optional(Name),
  /**
   * When Codex asks: `untrusted`, the default, before every command and change that the home's rules do not allow;
   * `on-request` where the agent wants to leave the sandbox; `never`.
   */
  approvalPolicy: optional(ApprovalPolicy),
  /** What commands and patches may touch: `read-only`, `workspace-write` (the default), `danger-full-access`. */
  sandbox: optional(Schema.Literals(["read-only", "workspace-write", "danger-full-access"]))
})
export type CodexSpec = typeof CodexSpec.Type

/** The spec as the log keeps it: with the defaults that are the adapter's own filled in. */
export const RecordedSpec = Schema.Struct({
  ...shared,
  cwd: Name,
  approvalPolicy: ApprovalPolicy,
  sandbox: Schema.Literals(["read-only", "workspace-write", "danger-full-access"])
})
export type RecordedSpec = typeof RecordedSpec.Type

/**
 * Checks specs for a backend of this name. For another machine (`elsewhere`) no folder of this one is looked at, and a relative
 * `cwd` is from where that machine's backend runs.
 */
export const makeSpecCheck = (backend: string, elsewhere = false) => {
  const decode = decodeSpec(backend, CodexSpec)
  const decodeRecorded = decodeSpec(backend, RecordedSpec)

  // Codex itself takes any: a missing directory, and a relative one from where its server runs.
  const checkDirectory = (spec: RecordedSpec) => {
    const expected = directoryProblem(spec.cwd)
    return expected === undefined
      ? Effect.succeed(spec)
      : Effect.fail(new SpecInvalid({ backend, field: "cwd", expected }))
  }

  return {
    /** Of what a host asks for. */
    check: (input: unknown): Effect.Effect<CheckedSpec, SpecInvalid> =>
      Effect.gen(function* () {
        const { title: given, ...spec } = yield* decode(input)
        const title = given?.trim() ?? ""
        const recorded: RecordedSpec = {
          ...spec,
          ...(title === "" ? {} : { title }),
          cwd: elsewhere ? (spec.cwd ?? ".") : resolve(spec.cwd ?? process.cwd()),
          approvalPolicy: spec.approvalPolicy ?? "untrusted",
          sandbox: spec.sandbox ?? "workspace-write"
        }
        if (!elsewhere) yield* checkDirectory(recorded)
        return { spec: recorded, workspace: recorded.cwd, ...(title === "" ? {} : { title }) }
      }),
    /** Of what the log has. */
    recorded: (input: unknown): Effect.Effect<RecordedSpec, SpecInvalid> =>
      Effect.flatMap(decodeRecorded(input), (spec) => checkDirectory({ ...spec, cwd: resolve(spec.cwd) }))
  }
}
