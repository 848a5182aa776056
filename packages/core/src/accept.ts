/**
 * What a backend or the runtime observed becomes events: pure. Backends are not trusted: what is malformed or illegal
 * in the session's state is kept as a note beside the log's own story and moves nothing. What a generation's end leaves
 * open (requests, items, the turn, prompts on their way) is closed here, before the end itself, so that nothing stays
 * "working".
 */
import type { BackendEvent, OutputEvent } from "./Backend.ts"
import { maxDeltaLength, maxOutputBytes } from "./BackendOutbox.ts"
import type { EventData, EventRecord } from "./EventRecord.ts"
import { closeGeneration, closeItems, closeRequests, endTurn } from "./closings.ts"
import { type Drafted, draft, type Stamp } from "./draft.ts"
import { own } from "./evolve.ts"
import type { PromptId, TurnId } from "./Ids.ts"
import { note } from "./note.ts"
import { toPlainJson } from "./PlainJson.ts"
import { chartAccepts, isChartType } from "./SessionChart.ts"
import { currentVersion, type EventBody, invalidBecause, isKnownType, type KnownType } from "./SessionEvent.ts"
import type { SessionPolicy } from "./SessionPolicy.ts"
import { type SessionState, stateBounds } from "./SessionState.ts"

/** What the runtime itself observes, beside the backend's own events. */
export type RuntimeEvent = EventBody<
  | "backend.opened"
  | "backend.resumed"
  | "backend.lost"
  | "backend.failed"
  | "backend.closed"
  | "prompt.delivered"
  | "prompt.returned"
  | "terminal.resized"
  | "terminal.snapshot"
  | "backend.noted"
>

/** Something observed. */
export type Observed = BackendEvent | RuntimeEvent

/** A batch of events with their places in the log, and the state after them. */
export interface Drafts {
  readonly state: SessionState
  readonly records: ReadonlyArray<EventRecord>
}

/** Takes in what one generation of a backend told. What a dead generation says is dropped whole. */
export const accept = (
  state: SessionState,
  generation: number,
  observed: ReadonlyArray<Observed>,
  stamp: Stamp,
  policy: SessionPolicy
): Drafts => {
  if (generation !== state.generation) return { state, records: [] }
  const records: Array<EventRecord> = []
  for (const one of observed) {
    const origin = originOf(one)
    // It was told before, and the connection broke before that was known.
    if (origin !== undefined && origin <= state.mirrored) continue
    const copied = origin === undefined ? stamp : { ...stamp, origin }
    for (const body of normalise(state, one, stamp.at, policy)) {
      const drafted: Drafted = draft(state, body, copied)
      state = drafted.state
      records.push(drafted.record)
    }
  }
  return { state, records }
}

/**
 * Output of an open terminal as events, without the looks that anything else needs: nothing follows from it, and no deadline moves.
 * Undefined where it has to be looked at more closely: then it is {@link accept}ed.
 */
export const acceptOutput = (
  state: SessionState,
  generation: number,
  output: ReadonlyArray<OutputEvent>,
  stamp: Stamp
): Drafts | undefined => {
  if (generation !== state.generation || state.chart.lifecycle !== "open") return undefined
  const records: Array<EventRecord> = []
  for (const { bytes, origin, type } of output) {
    const isOutput = type === "terminal.output" && bytes instanceof Uint8Array && origin === undefined
    if (!isOutput || bytes.byteLength === 0 || bytes.byteLength > maxOutputBytes) return undefined
    const drafted = draft(state, { type, data: { offset: state.terminal?.offset ?? 0 }, bytes }, stamp)
    state = drafted.state
    records.push(drafted.record)
  }
  return { state, records }
}

/** Where it was copied from; a number that makes no sense counts as none. */
const originOf = (observed: Observed): number | undefined => {
  const origin = (observed as { readonly origin?: unknown } | null)?.origin
  return typeof origin === "number" && Number.isSafeInteger(origin) && origin >= 1 ? origin : undefined
}

/** States in which a backend is there to say something. */
const speaking = new Set(["opening", "open", "suspending", "closing"])

function* normalise(
  state: SessionState,
  observed: Observed,
  at: number,
  policy: SessionPolicy
): Generator<EventBody, void, void> {
  const read = readObserved(observed, at, policy)
  if (typeof read === "string") {
    yield note("warning", `the backend told something malformed: ${read}`, observed)
    return
  }
  const lifecycle = state.chart.lifecycle
  if (read.type === "terminal.output") {
    if (speaking.has(lifecycle)) yield* splitOutput(state, read.bytes)
    else yield note("warning", "output of a terminal that is not open was left out", { bytes: read.bytes.byteLength })
    return
  }
  // Whoever goes away while closing has closed.
  const body: EventBody =
    read.type === "backend.lost" && lifecycle === "closing"
      ? { type: "backend.closed", data: { reason: read.data.reason } }
      : read
  const illegal = illegalBecause(state, body)
  if (illegal === silently) return
  if (illegal !== undefined) {
    yield note("warning", `${body.type} was left out: ${illegal}`, observed)
    return
  }
  if (closing.has(body.type)) yield* before(state, body)
  if (body.type === "item.delta" && body.data.text.length > maxDeltaLength) yield* split(body)
  else yield body
}

/** Types before which something may have to be closed. */
const closing: ReadonlySet<string> = new Set<KnownType>([
  "turn.started",
  "turn.completed",
  "backend.lost",
  "backend.suspended",
  "backend.failed",
  "backend.closed"
])

/** Types that commands and the runtime's own decisions bring: a backend that could write them could make itself an owner. */
const notToTell: ReadonlySet<string> = new Set<KnownType>([
  "prompt.queued",
  "prompt.edited",
  "prompt.withdrawn",
  "prompt.dispatched",
  "backend.opening",
  "backend.configuring",
  "backend.suspending",
  "backend.closing",
  "turn.interrupting",
  "context.compacting",
  "history.reverting",
  "history.restoring",
  "item.stopping",
  "process.signalled",
  "terminal.typed"
])

type Output = Extract<Observed, { readonly type: "terminal.output" }>

/** What was told, as the log would have it; or what is wrong with it. The compiler's word does not count here. */
const readObserved = (
  observed: Observed,
  at: number,
  policy: SessionPolicy
): Exclude<EventBody, { readonly type: "terminal.output" }> | Output | string => {
  const told: unknown = observed
  if (typeof told !== "object" || told === null) return `${String(told)} is no event`
  const { type, data, bytes } = told as { readonly type?: unknown; readonly data?: unknown; readonly bytes?: unknown }
  if (typeof type !== "string") return "an event without a type"
  if (type === "terminal.output") return bytes instanceof Uint8Array ? { type, bytes } : `${type} without bytes`
  if (!isKnownType(type)) return `${type} is no type of event`
  if (notToTell.has(type) || type.startsWith("session.") || type.startsWith("participant.")) {
    return `${type} is not a backend's to tell`
  }
  const plain = toPlainJson(data)
  if (plain === undefined) return `${type}: its data is not JSON`
  const completed =
    type === "permission.requested" || type === "question.asked" ? withPolicy(plain, at, policy) : (plain as EventData)
  const bad = invalidBecause({ type, version: currentVersion, data: completed })
  if (bad !== undefined) return bad
  const body = { type, data: completed }
  return (type === "terminal.snapshot" && bytes instanceof Uint8Array ? { ...body, bytes } : body) as never
}

/** Fills in what a backend may leave to the policy. */
const withPolicy = (data: unknown, at: number, policy: SessionPolicy): EventData =>
  ({ deadline: at + policy.requestTimeoutMs, default: { outcome: "cancelled" }, ...(data as object) }) as EventData

/** Said already, by ourselves or by a repeat: nothing to note. */
const silently = Symbol()

const resolutionIllegal = (
  state: SessionState,
  body: EventBody<"permission.resolved" | "question.answered">
): string | typeof silently | undefined => {
  const request = own(state.requests, body.data.requestId)
  if (request === undefined) return silently
  const kind = body.type === "permission.resolved" ? "permission" : "question"
  return request.kind === kind ? undefined : `${request.requestId} is a ${request.kind}`
}

const illegalBecause = (state: SessionState, body: EventBody): string | typeof silently | undefined => {
  const lifecycle = state.chart.lifecycle
  switch (body.type) {
    case "turn.started":
      if (state.turn?.turnId === body.data.turnId) return silently
      break
    case "turn.completed":
    case "turn.retrying":
      if (state.turn === null) return body.data.turnId === state.lastTurnId ? silently : "no turn is running"
      if (state.turn.turnId !== body.data.turnId) return `the running turn is ${state.turn.turnId}`
      break
    case "permission.requested":
    case "question.asked":
      if (own(state.requests, body.data.requestId) !== undefined) return "a request of this id waits already"
      if (Object.keys(state.requests).length >= stateBounds.requests) {
        return `${stateBounds.requests} requests wait already`
      }
      break
    case "permission.resolved":
    case "question.answered":
      // The provider confirms our own answer, or an end that closed the request.
      return resolutionIllegal(state, body)
    case "item.started":
      if (own(state.items, body.data.itemId) !== undefined) return "an item of this id is open already"
      if (Object.keys(state.items).length >= stateBounds.items) return `${stateBounds.items} items are open already`
      break
    case "prompt.delivered":
    case "prompt.returned": {
      const prompt = state.prompts.find((one) => one.promptId === body.data.promptId)
      if (prompt === undefined) return silently
      if (prompt.dispatchedAt === null && !prompt.inDoubt) return "the prompt was not on its way"
      return undefined
    }
    case "artifact.added":
    case "artifact.updated":
      if (
        own(state.artifacts, body.data.artifactId) === undefined &&
        Object.keys(state.artifacts).length >= stateBounds.artifacts
      ) {
        return `the session has ${stateBounds.artifacts} artifacts already`
      }
      return undefined
    case "backend.lost":
      // The end of the stream of a backend that has said how it ended.
      if (!speaking.has(lifecycle)) return silently
      break
    case "backend.noted":
    case "terminal.snapshot":
    case "process.exited":
      return undefined
  }
  if (isChartType(body.type)) {
    const superseding = body.type === "turn.started" && state.turn !== null && speaking.has(lifecycle)
    // Only sandboxes and links have a life while no backend is open.
    const region = body.type.slice(0, body.type.indexOf("."))
    if (region !== "backend" && region !== "sandbox" && region !== "link" && !speaking.has(lifecycle)) {
      return `the session is ${lifecycle}`
    }
    if (superseding) return undefined
    return chartAccepts(state.chart, { type: body.type, remaining: Object.keys(state.requests).length - 1 })
      ? undefined
      : notAllowedIn(state, region)
  }
  return speaking.has(lifecycle) ? undefined : `the session is ${lifecycle}`
}

const notAllowedIn = ({ chart }: SessionState, region: string): string => {
  if (region === "link" || region === "sandbox") return `the ${region} is ${chart[region]}`
  return region === "backend" ? `the session is ${chart.lifecycle}` : `the turn is ${chart.turn}`
}

/** What has to be closed before an event may happen. */
function* before(state: SessionState, body: EventBody): Generator<EventBody, void, void> {
  switch (body.type) {
    case "turn.started":
      // The provider went on without ending the turn before: one turn at a time is the chart's word.
      if (state.turn !== null) {
        yield* endTurn(state, "interrupted", `turn ${body.data.turnId} began`)
      }
      // A prompt whose turn runs has arrived, whether or not the provider has said so yet.
      for (const prompt of state.prompts) {
        if (prompt.promptId !== body.data.promptId || prompt.dispatchedAt === null) continue
        yield {
          type: "prompt.delivered",
          data: { promptId: prompt.promptId as PromptId, turnId: body.data.turnId as TurnId }
        }
      }
      return
    case "turn.completed":
      yield* closeRequests(state, (turnId) => turnId === null || turnId === body.data.turnId)
      yield* closeItems(state, body.data.outcome, (turnId) => turnId === body.data.turnId)
      return
    case "backend.lost":
    case "backend.suspended":
    case "backend.failed":
    case "backend.closed":
      yield* closeGeneration(state, body)
  }
}

function* splitOutput(state: SessionState, bytes: Uint8Array): Generator<EventBody, void, void> {
  let offset = state.terminal?.offset ?? 0
  for (let from = 0; from < bytes.byteLength; from += maxOutputBytes) {
    const piece = from === 0 && bytes.byteLength <= maxOutputBytes ? bytes : bytes.subarray(from, from + maxOutputBytes)
    yield { type: "terminal.output", data: { offset }, bytes: piece }
    offset += piece.byteLength
  }
}

function* split(body: EventBody<"item.delta">): Generator<EventBody, void, void> {
  const { text } = body.data
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + maxDeltaLength)
    // Never between the halves of a surrogate pair: a store would turn each into U+FFFD.
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to -= 1
    yield { type: "item.delta", data: { ...body.data, text: text.slice(from, to) } }
    from = to
  }
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff
