/**
 * What a backend or the runtime observed becomes events: pure. Backends are not trusted: what is malformed or illegal
 * in the session's state is kept as a note beside the log's own story and moves nothing. What a generation's end leaves
 * open (requests, items, the turn, prompts on their way) is closed here, before the end itself, so that nothing stays
 * "working".
 */
import type { BackendEvent } from "./Backend.ts"
import { maxDeltaLength, maxOutputBytes } from "./BackendOutbox.ts"
import type { EventRecord } from "./EventRecord.ts"
import { type Drafted, draft, type Stamp } from "./draft.ts"
import { own } from "./evolve.ts"
import type { ItemId, PromptId, RequestId, TurnId } from "./Ids.ts"
import { chartAccepts, isChartType } from "./SessionChart.ts"
import { currentVersion, type EventBody, invalidBecause, isKnownType } from "./SessionEvent.ts"
import type { SessionPolicy } from "./SessionPolicy.ts"
import { type SessionState, stateBounds } from "./SessionState.ts"

/** Most characters of a note's raw payload. A longer one is cut, and says so. */
export const maxRawText = 64 * 1024

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
    for (const body of normalise(state, one, stamp.at, policy)) {
      const drafted: Drafted = draft(state, body, stamp)
      state = drafted.state
      records.push(drafted.record)
    }
  }
  return { state, records }
}

/** States in which a backend is there to say something. */
const speaking = new Set(["opening", "open", "suspending", "closing"])

function* normalise(
  state: SessionState,
  observed: Observed,
  at: number,
  policy: SessionPolicy
): Generator<EventBody, void, void> {
  if (observed.type === "terminal.output") {
    if (speaking.has(state.chart.lifecycle)) yield* splitOutput(state, observed.bytes)
    else
      yield note("warning", "output of a terminal that is not open was left out", { bytes: observed.bytes.byteLength })
    return
  }
  const body = complete(observed, at, policy)
  const bad = isKnownType(body.type)
    ? invalidBecause({ type: body.type, version: currentVersion, data: body.data as never })
    : `${String((body as { readonly type: unknown }).type)} is no type of event`
  if (bad !== undefined) {
    yield note("warning", `the backend told something malformed: ${bad}`, observed)
    return
  }
  const illegal = illegalBecause(state, body)
  if (illegal === silently) return
  if (illegal !== undefined) {
    yield note("warning", `${body.type} was left out: ${illegal}`, observed)
    return
  }
  yield* before(state, body)
  yield* split(body)
}

/** Fills in what a backend may leave to the policy. */
const complete = (
  observed: Exclude<Observed, { readonly type: "terminal.output" }>,
  at: number,
  policy: SessionPolicy
): EventBody => {
  if (observed.type !== "permission.requested" && observed.type !== "question.asked") return observed as EventBody
  return {
    type: observed.type,
    data: { deadline: at + policy.requestTimeoutMs, default: { outcome: "cancelled" }, ...observed.data }
  } as EventBody
}

/** Said already, by ourselves or by a repeat: nothing to note. */
const silently = Symbol()

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
      if (own(state.requests, body.data.requestId) === undefined) return silently
      break
    case "item.started":
      if (own(state.items, body.data.itemId) !== undefined) return "an item of this id is open already"
      if (Object.keys(state.items).length >= stateBounds.items) return `${stateBounds.items} items are open already`
      break
    case "prompt.delivered":
    case "prompt.returned": {
      const prompt = state.prompts.find((one) => one.promptId === body.data.promptId)
      if (prompt === undefined) return silently
      if (prompt.dispatchedAt === null) return "the prompt was not on its way"
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
      : `the session is ${lifecycle} and its turn ${state.chart.turn}`
  }
  return speaking.has(lifecycle) ? undefined : `the session is ${lifecycle}`
}

/** What has to be closed before an event may happen. */
function* before(state: SessionState, body: EventBody): Generator<EventBody, void, void> {
  switch (body.type) {
    case "turn.started":
      // The provider went on without ending the turn before: one turn at a time is the chart's word.
      if (state.turn !== null) {
        yield* endTurn(state, "interrupted", `turn ${body.data.turnId} began`)
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
      yield* endGeneration(state, body)
  }
}

function* endGeneration(
  state: SessionState,
  body: EventBody<"backend.lost" | "backend.suspended" | "backend.failed" | "backend.closed">
): Generator<EventBody, void, void> {
  const reason = body.data.reason
  if (state.turn !== null) {
    yield* endTurn(state, body.type === "backend.failed" ? "failed" : "interrupted", reason)
  } else {
    yield* closeRequests(state, () => true)
  }
  yield* closeItems(state, "interrupted", (turnId) => state.turn === null || turnId !== state.turn.turnId)
  // After a loss the provider is asked whether they arrived; an end leaves nobody to ask.
  if (body.type === "backend.closed" || body.type === "backend.failed") {
    for (const prompt of state.prompts) {
      if (prompt.dispatchedAt === null) continue
      yield {
        type: "prompt.returned",
        data: { promptId: prompt.promptId as PromptId, error: { message: reason, retryable: true } }
      }
    }
  }
}

function* endTurn(
  state: SessionState,
  outcome: "interrupted" | "failed",
  reason: string
): Generator<EventBody, void, void> {
  const turnId = state.turn!.turnId as TurnId
  yield* closeRequests(state, () => true)
  yield* closeItems(state, outcome, (id) => id === turnId)
  yield { type: "turn.completed", data: { turnId, outcome, reason } }
}

function* closeRequests(state: SessionState, of: (turnId: string | null) => boolean): Generator<EventBody, void, void> {
  for (const request of Object.values(state.requests)) {
    if (!of(request.turnId)) continue
    yield {
      type: request.kind === "permission" ? "permission.resolved" : "question.answered",
      data: { requestId: request.requestId as RequestId, outcome: { outcome: "cancelled" }, by: "end" }
    }
  }
}

/** Items that a backend left open. Their text so far stays in their deltas. */
function* closeItems(
  state: SessionState,
  outcome: "completed" | "interrupted" | "failed",
  of: (turnId: string | null) => boolean
): Generator<EventBody, void, void> {
  for (const [itemId, item] of Object.entries(state.items)) {
    if (!of(item.turnId)) continue
    yield {
      type: "item.completed",
      data: {
        itemId: itemId as ItemId,
        ...(item.turnId === null ? {} : { turnId: item.turnId as TurnId }),
        kind: item.kind,
        status: outcome === "failed" ? "failed" : "interrupted",
        partial: true,
        ...(item.tool === null
          ? {}
          : { tool: { name: item.tool.name, kind: item.tool.kind as never, status: "failed" as const } })
      }
    }
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

function* split(body: EventBody): Generator<EventBody, void, void> {
  if (body.type !== "item.delta" || body.data.text.length <= maxDeltaLength) {
    yield body
    return
  }
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

/** A note with what it is about, bounded. */
export const note = (level: "info" | "warning" | "error", message: string, raw?: unknown, code?: string): EventBody => {
  const data: { -readonly [K in keyof EventBody<"backend.noted">["data"]]: EventBody<"backend.noted">["data"][K] } = {
    level,
    message: message.length > 4_096 ? `${message.slice(0, 4_095)}…` : message
  }
  if (code !== undefined) data.code = code
  if (raw !== undefined) {
    const json = toJson(raw)
    data.raw =
      json.length > maxRawText
        ? { cutAt: maxRawText, characters: json.length, start: json.slice(0, maxRawText) }
        : JSON.parse(json)
  }
  return { type: "backend.noted", data }
}

/** JSON of anything a backend may hand over: cycles, big integers and functions become text. */
const toJson = (raw: unknown): string => {
  try {
    return JSON.stringify(raw, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value)) ?? "null"
  } catch (cause) {
    return JSON.stringify({ unserialisable: String(cause) })
  }
}
