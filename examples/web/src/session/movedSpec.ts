/** Where a session can go on, and what is asked for to bring it there. */
import type { BackendAnswer, SessionState } from "@holdfast/core"
import { Schema } from "effect"
import { inSandboxes } from "../dialogs/specOf.ts"
import { cloudSpecOf } from "./cloudSpec.ts"

/** What goes along of a spec: the rest belongs to the place where it was. */
const kept: ReadonlySet<string> = new Set([
  "profile",
  "command",
  "args",
  "model",
  "effort",
  "approvalPolicy",
  "sandbox",
  "agent"
])

const Fields = Schema.Record(Schema.String, Schema.Unknown)
const isCloudSpec = Schema.is(Schema.Struct({ inner: Schema.Struct({ backend: Schema.String, spec: Fields }) }))
const isFields = Schema.is(Fields)

/** What runs in a session, wherever it does. */
const programOf = ({ backend, spec }: Pick<SessionState, "backend" | "spec">) => {
  const program = backend === "cloud" && isCloudSpec(spec) ? spec.inner : { backend, spec: isFields(spec) ? spec : {} }
  const fields = Object.entries(program.spec).filter(([name]) => kept.has(name))
  return { backend: program.backend, spec: Object.fromEntries(fields) }
}

/** A place: `here` is the server's own machine, anything else a kind of sandbox. */
export interface MovePlace {
  readonly place: string
  /** It works on this machine already: only its folder would be another one. */
  readonly isOwn: boolean
}

/** Where it can go, of what the server has: not to where it is, unless that is another folder. */
export const movePlaces = (
  state: Pick<SessionState, "backend" | "spec" | "sandbox">,
  backends: ReadonlyArray<BackendAnswer>
): ReadonlyArray<MovePlace> => {
  const program = programOf(state)
  const cloud = cloudSpecOf(state)
  const kinds = inSandboxes.includes(program.backend)
    ? (backends.find(({ name }) => name === "cloud")?.places ?? [])
    : []
  return [
    ...kinds.filter((kind) => kind !== cloud?.provider).map((kind) => ({ place: kind, isOwn: false })),
    ...(backends.some(({ name }) => name === program.backend) ? [{ place: "here", isOwn: cloud === null }] : [])
  ]
}

/** What is asked for. What runs in a terminal cannot be moved while it runs: it is started anew. */
export const movedTo = (
  state: Pick<SessionState, "backend" | "spec" | "capabilities">,
  place: string,
  folder: string
): { readonly backend: string; readonly spec: unknown; readonly restart?: true } => {
  const program = programOf(state)
  const restart = isRestarted(state) ? ({ restart: true } as const) : {}
  return place === "here"
    ? { backend: program.backend, spec: { ...program.spec, cwd: folder.trim() }, ...restart }
    : { backend: "cloud", spec: { provider: place, inner: program }, ...restart }
}

/** Whether its program is started anew when it moves. */
export const isRestarted = (state: Pick<SessionState, "backend" | "spec" | "capabilities">): boolean =>
  state.capabilities?.terminal ?? programOf(state).backend === "pty"
