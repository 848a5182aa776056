/** What a directory has to choose from: models with their variants, and agents; and what is chosen. */
import type { BackendEvent } from "@holdfast/core"
import { Effect, Schema } from "effect"
import type { OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import type { RecordedSpec } from "./OpencodeSpec.ts"

const optional = Schema.optionalKey

const Providers = Schema.Struct({
  providers: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      models: Schema.Record(
        Schema.String,
        Schema.Struct({ name: optional(Schema.Unknown), variants: optional(Schema.Unknown) })
      )
    })
  ),
  default: optional(Schema.Unknown)
})

const Agents = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    description: optional(Schema.Unknown),
    mode: optional(Schema.Unknown),
    hidden: optional(Schema.Unknown)
  })
)

const Config = Schema.Struct({ model: optional(Schema.Unknown), default_agent: optional(Schema.Unknown) })

/** Most models and modes that an event may offer. */
const maxOffered = 1_000

/** A model that can be chosen. */
export interface OfferedModel {
  /** `provider/model`. */
  readonly id: string
  readonly name?: string
  readonly efforts?: ReadonlyArray<string>
}

/** An agent that can be chosen, which core calls a mode. */
export interface OfferedMode {
  readonly id: string
  readonly description?: string
}

/** What there is. */
export interface OpencodeOffer {
  readonly models: ReadonlyArray<OfferedModel>
  readonly modes: ReadonlyArray<OfferedMode>
  /** What the configuration says to take; undefined where there is nothing to take. */
  readonly defaultModel: string | undefined
  readonly defaultMode: string | undefined
}

/** What prompts are sent with. */
export interface Choice {
  readonly model?: string
  readonly effort?: string
  readonly mode?: string
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const keysOf = (value: unknown): ReadonlyArray<string> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : []

/** Asks a directory what it offers. */
export const readOffer = Effect.fnUntraced(function* (
  client: OpencodeClient,
  directory: string
): Effect.fn.Return<OpencodeOffer, OpencodeError> {
  const call = { directory }
  const [providers, agents, config] = yield* Effect.all(
    [
      client.get("/config/providers", Providers, call),
      client.get("/agent", Agents, call),
      client.get("/config", Config, call)
    ],
    { concurrency: "unbounded" }
  )
  const models = providers.providers.flatMap((provider) =>
    Object.entries(provider.models).map(([id, model]): OfferedModel => {
      const name = textOf(model.name)
      const efforts = keysOf(model.variants)
      return {
        id: `${provider.id}/${id}`,
        ...(name === undefined ? {} : { name }),
        ...(efforts.length === 0 ? {} : { efforts })
      }
    })
  )
  const modes = agents
    .filter(({ hidden, mode }) => hidden !== true && mode !== "subagent")
    .map(({ description, name }): OfferedMode => {
      const words = textOf(description)
      return { id: name, ...(words === undefined ? {} : { description: words }) }
    })
  const configured = textOf(config.model)
  const preferred = Object.entries(Object(providers.default) as Record<string, unknown>)
    .map(([provider, model]) => `${provider}/${String(model)}`)
    .find((id) => models.some((model) => model.id === id))
  const agent = textOf(config.default_agent) ?? "build"
  return {
    models,
    modes,
    defaultModel: models.some(({ id }) => id === configured) ? configured : (preferred ?? models[0]?.id),
    defaultMode: modes.some(({ id }) => id === agent) ? agent : modes[0]?.id
  }
})

/** The offer as an event. */
export const offered = ({ models, modes }: OpencodeOffer): BackendEvent => ({
  type: "agent.offered",
  data: { models: models.slice(0, maxOffered), modes: modes.slice(0, maxOffered) }
})

/** What is wrong with a choice: the field, and what there is instead. Undefined where it can be taken. */
export const choiceProblem = (
  offer: OpencodeOffer,
  choice: Choice
): { readonly field: "model" | "effort" | "mode"; readonly expected: string } | undefined => {
  const model = offer.models.find(({ id }) => id === choice.model)
  if (choice.model !== undefined && model === undefined) {
    return { field: "model", expected: `${oneOf(offer.models.map(({ id }) => id))}, not ${choice.model}` }
  }
  if (choice.mode !== undefined && !offer.modes.some(({ id }) => id === choice.mode)) {
    return { field: "mode", expected: `${oneOf(offer.modes.map(({ id }) => id))}, not ${choice.mode}` }
  }
  if (choice.effort !== undefined && model !== undefined && !(model.efforts ?? []).includes(choice.effort)) {
    return { field: "effort", expected: `${oneOf(model.efforts ?? [])}, not ${choice.effort}` }
  }
  return undefined
}

/** Most names that an error lists. */
const maxListed = 20

const oneOf = (names: ReadonlyArray<string>): string => {
  if (names.length === 0) return "nothing, for there is none to choose"
  const more = names.length > maxListed ? ` and ${names.length - maxListed} more` : ""
  return `one of ${names.slice(0, maxListed).join(", ")}${more}`
}

/** What the session used last, as the server keeps it. */
export interface LastUsed {
  readonly model?: unknown
  readonly agent?: unknown
}

/** With what a session goes on: what it used last, what was asked for, what is configured; the first that there is. */
export const choose = (offer: OpencodeOffer, spec: RecordedSpec, last: LastUsed = {}): Choice => {
  const { id, providerID, variant } = Object(last.model) as Record<string, unknown>
  const used = { model: `${String(providerID)}/${String(id)}`, effort: textOf(variant), mode: textOf(last.agent) }
  const model = [used.model, spec.model, offer.defaultModel].find((name) =>
    offer.models.some((each) => each.id === name)
  )
  const efforts = offer.models.find((each) => each.id === model)?.efforts ?? []
  const effort = [model === used.model ? used.effort : undefined, spec.effort].find(
    (name) => name !== undefined && efforts.includes(name)
  )
  const mode = [used.mode, spec.agent, offer.defaultMode].find((name) => offer.modes.some((each) => each.id === name))
  return {
    ...(model === undefined ? {} : { model }),
    ...(effort === undefined ? {} : { effort }),
    ...(mode === undefined ? {} : { mode })
  }
}
