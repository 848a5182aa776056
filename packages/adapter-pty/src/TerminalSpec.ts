/** What a host asks of a terminal, what the log keeps of it, and everything that is checked before something starts. */
import { type CheckedSpec, decodeSpec, SpecInvalid, TerminalDimension } from "@holdfast/core"
import { defaultPassedNames, directoryProblem, findProgram, makeEnvironment, nameProblem } from "@holdfast/process"
import { Effect, Schema } from "effect"
import { resolve } from "node:path"
import type { LaunchProfile, LaunchRequest } from "./LaunchProfile.ts"

/** A text that the kernel can take: it ends texts at NUL. */
const SystemText = Schema.String.check(
  Schema.makeFilter((text: string) => (text.includes("\0") ? "a text without NUL" : undefined))
)

/** A name that is not empty. */
const SystemName = SystemText.check(Schema.isMinLength(1))

const Name = SystemText.check(Schema.makeFilter((name: string) => nameProblem(name)))

const Values = Schema.Record(Schema.String, SystemText).check(
  Schema.makeFilter((values: Readonly<Record<string, string>>) =>
    Object.keys(values).flatMap((name) => {
      const issue = nameProblem(name)
      return issue === undefined ? [] : [{ path: [name], issue }]
    })
  )
)

const optional = Schema.optionalKey

/** A terminal as a host asks for it. All but the profile may be left out. */
export const TerminalSpec = Schema.Struct({
  /** `shell`, `command`, or a profile of the host's own. */
  profile: Schema.String,
  /** The program: a name on the PATH, or a path, from `cwd` where it is relative. */
  command: optional(SystemName),
  args: optional(Schema.Array(SystemText)),
  /** Default: the host's own directory. */
  cwd: optional(SystemName),
  env: optional(
    Schema.Struct({
      /** Names to pass on from the host's environment besides the usual ones; `AWS_*` passes all that begin so. */
      pass: optional(Schema.Array(Name)),
      /** Values to set. The log has their names only. */
      values: optional(Values)
    })
  ),
  /** 1 to 10,000, default 80. */
  cols: optional(TerminalDimension),
  /** 1 to 10,000, default 24. */
  rows: optional(TerminalDimension),
  title: optional(Schema.String)
})
export type TerminalSpec = typeof TerminalSpec.Type

/** The spec as the log keeps it: with defaults filled in, and names where there were values. */
export const RecordedSpec = Schema.Struct({
  profile: Schema.String,
  command: optional(SystemName),
  args: Schema.Array(SystemText),
  cwd: SystemName,
  env: Schema.Struct({ pass: Schema.Array(Name), values: Schema.Array(Name) }),
  cols: TerminalDimension,
  rows: TerminalDimension,
  title: optional(Schema.String)
})
export type RecordedSpec = typeof RecordedSpec.Type

/** What is set apart from the log. */
export const TerminalSecrets = Schema.Struct({ env: Schema.Record(Schema.String, Schema.String) })

/** What this terminal can do, as programs look it up: 256 and true colours, xterm's sequences. */
const terminalVariables = { TERM: "xterm-256color", COLORTERM: "truecolor" }

/** Profiles by their names. */
export type Profiles = ReadonlyMap<string, LaunchProfile>

const invalid = (field: string, expected: string) => new SpecInvalid({ backend: "pty", field, expected })

const decodeTerminal = decodeSpec("pty", TerminalSpec)
const decodeRecorded = decodeSpec("pty", RecordedSpec)
const decodeSecrets = decodeSpec("pty", TerminalSecrets)

/** Names where values were: a spec that was checked on another machine. Its values come with the opening. */
const isRecorded = (input: unknown): boolean =>
  Array.isArray((input as { readonly env?: { readonly values?: unknown } } | null)?.env?.values)

/** Checks on its own machine what was checked elsewhere before. */
const checkAgain = Effect.fnUntraced(function* (profiles: Profiles, input: unknown) {
  const recorded = yield* decodeRecorded(input)
  const spec = { ...recorded, cwd: resolve(recorded.cwd) }
  const { launch, profile } = yield* prepare(profiles, spec, {})
  const checked: CheckedSpec = {
    spec,
    workspace: spec.cwd,
    title: spec.title ?? profile.title?.(launch) ?? profile.name
  }
  return checked
})

/**
 * Checks what a host asks for and fills in defaults: down to the program's file, or for another machine (`elsewhere`), whose
 * files nobody here can see, as far as the spec itself goes. There a relative `cwd` is from where that machine's backend runs,
 * which checks what comes of it once more.
 */
export const checkSpec = Effect.fnUntraced(function* (profiles: Profiles, input: unknown, elsewhere = false) {
  if (!elsewhere && isRecorded(input)) return yield* checkAgain(profiles, input)
  const spec = yield* decodeTerminal(input)
  const cwd = elsewhere ? (spec.cwd ?? ".") : resolve(spec.cwd ?? process.cwd())
  const values = spec.env?.values ?? {}
  const recorded: RecordedSpec = {
    profile: spec.profile,
    ...(spec.command === undefined ? {} : { command: spec.command }),
    args: spec.args ?? [],
    cwd,
    env: { pass: spec.env?.pass ?? [], values: Object.keys(values) },
    cols: spec.cols ?? 80,
    rows: spec.rows ?? 24,
    ...(spec.title === undefined ? {} : { title: spec.title })
  }
  const { profile, launch } = yield* elsewhere
    ? prepareLaunch(profiles, recorded, values)
    : prepare(profiles, recorded, values)
  const checked: CheckedSpec = {
    spec: recorded,
    secrets: { env: values },
    workspace: cwd,
    // Whose shell it will be, only the other machine knows.
    title: spec.title ?? (elsewhere && spec.command === undefined ? undefined : profile.title?.(launch)) ?? profile.name
  }
  return checked
})

/** A recorded spec and what goes with it, ready to be started. */
export const prepareRecorded = Effect.fnUntraced(function* (
  profiles: Profiles,
  request: { readonly spec: unknown; readonly secrets?: unknown; readonly nativeId?: string }
) {
  const spec = yield* decodeRecorded(request.spec)
  const { env: values } = request.secrets === undefined ? { env: {} } : yield* decodeSecrets(request.secrets)
  const missing = spec.env.values.find((name) => values[name] === undefined)
  if (missing !== undefined) {
    return yield* invalid(
      `env.values.${missing}`,
      "its value, which is not in the log: only the process that created the session knows it; create a new session"
    )
  }
  return yield* prepare(profiles, { ...spec, cwd: resolve(spec.cwd) }, values, request.nativeId)
})

/** What is to be started, as far as it can be said without looking at files. */
const prepareLaunch = Effect.fnUntraced(function* (
  profiles: Profiles,
  spec: RecordedSpec,
  values: Readonly<Record<string, string>>,
  nativeId?: string
) {
  const profile = profiles.get(spec.profile)
  if (profile === undefined) {
    return yield* invalid("profile", `one of ${[...profiles.keys()].join(", ")}, not ${JSON.stringify(spec.profile)}`)
  }
  const env = makeEnvironment({
    host: process.env,
    pass: [...defaultPassedNames, ...spec.env.pass],
    values: { ...terminalVariables, ...values }
  })
  const request: LaunchRequest = { command: spec.command, args: spec.args, cwd: spec.cwd, env }
  const launch =
    nativeId === undefined || profile.resume === undefined ? profile.launch(request) : profile.resume(request, nativeId)
  if ("expected" in launch) return yield* invalid(launch.field, launch.expected)
  return { profile, launch, env }
})

const prepare = Effect.fnUntraced(function* (
  profiles: Profiles,
  spec: RecordedSpec,
  values: Readonly<Record<string, string>>,
  nativeId?: string
) {
  const prepared = yield* prepareLaunch(profiles, spec, values, nativeId)
  const cwdProblem = directoryProblem(spec.cwd)
  if (cwdProblem !== undefined) return yield* invalid("cwd", cwdProblem)
  const program = findProgram(prepared.launch.command, spec.cwd, prepared.env)
  if ("expected" in program) return yield* invalid("command", program.expected)
  return { ...prepared, spec, path: program.path }
})
