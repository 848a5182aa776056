/**
 * Arbitrary events: for each type that core knows, data that fits its schema. Ids come from small pools, so that events
 * meet each other, and the pools hold names that every object has by itself.
 */
import {
  type Artifact,
  type ArtifactId,
  type ContentBlock,
  type DataOf,
  type EventBody,
  type ItemId,
  type KnownType,
  noCapabilities,
  type ParticipantId,
  type PermissionOutcome,
  type PromptId,
  type QuestionOutcome,
  type ReportedError,
  type RequestId,
  type SessionId,
  type ToolCall,
  type TurnId,
  type Usage
} from "@holdfast/core"
import * as fc from "fast-check"
import { numberedId } from "./simulatedSession.ts"

const names = <T extends string>(...own: ReadonlyArray<string>): fc.Arbitrary<T> =>
  fc.constantFrom(...own, "__proto__", "constructor", "toString") as unknown as fc.Arbitrary<T>

/** Ids from pools small enough to meet again, with the names that a careless map finds in its prototype. */
export const idArbitraries = {
  turn: names<TurnId>("t1", "t2", "t3"),
  item: names<ItemId>("i1", "i2", "i3", "i4"),
  request: names<RequestId>("r1", "r2", "r3"),
  artifact: names<ArtifactId>("a1", "a2"),
  participant: names<ParticipantId>("alice", "bob", "carol"),
  /** Ids of the first commands of a simulated session. */
  prompt: fc.integer({ min: 1, max: 12 }).map((n) => numberedId(n) as PromptId),
  session: fc.integer({ min: 1, max: 3 }).map((n) => numberedId(0xf00 + n) as SessionId)
} as const

/** Code points that halves of pairs have, and no character. */
const surrogates = { first: 0xd800, count: 0x800 } as const

/**
 * Text of any characters there are. fast-check's own, strings with `unit: "binary"`, takes 90 MB and most of a second to be made.
 */
export const anyCharacters = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 0x10ffff - surrogates.count }), { maxLength })
    .map((points) =>
      String.fromCodePoint(...points.map((point) => (point < surrogates.first ? point : point + surrogates.count)))
    )

/** Short text with what breaks careless code: surrogate pairs, halves of them, control characters, nothing at all. */
export const textArbitrary: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 12 }),
  anyCharacters(6),
  fc.constantFrom("", "\ud83d", "\ude00", "😀", "\u0000", "a\nb", "\u001b[31m")
)

/** Plain JSON, as it is once it was text: without the negative zero. */
export const jsonArbitrary: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 2 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)

/** Always these. */
const all = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>

/** Any of these. */
const any = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(model, { noNullPrototype: true, requiredKeys: [] }) as unknown as fc.Arbitrary<Partial<T>>

/** All of the first and any of the second. */
const data = <A extends object, B extends object>(
  required: { [K in keyof A]: fc.Arbitrary<A[K]> },
  optional: { [K in keyof B]: fc.Arbitrary<B[K]> }
): fc.Arbitrary<A & Partial<B>> => fc.tuple(all(required), any(optional)).map(([a, b]) => ({ ...a, ...b }))

const text = textArbitrary
const id = idArbitraries
const count = fc.integer({ min: 0, max: 1_000 })
const time = fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 })
const none = fc.constant({})
const exitCode = fc.option(fc.integer({ min: -1, max: 255 }))
const signal = fc.option(fc.constantFrom("SIGTERM", "SIGKILL"))

const location = data({ path: text }, { line: count })
const planEntry = data(
  { content: text, status: fc.constantFrom("pending", "in_progress", "completed") },
  { priority: fc.constantFrom("high", "medium", "low") }
)
const error: fc.Arbitrary<ReportedError> = data(
  { message: text, retryable: fc.boolean() },
  { code: text, raw: jsonArbitrary }
)
const usage: fc.Arbitrary<Usage> = any({ inputTokens: count, outputTokens: count, costUsd: count })
const toolStatus = fc.constantFrom("pending", "in_progress", "completed", "failed")
const tool: fc.Arbitrary<ToolCall> = data(
  { name: text, kind: fc.constantFrom("read", "edit", "execute", "think", "other"), status: toolStatus },
  { title: text, input: jsonArbitrary, locations: fc.array(location, { maxLength: 2 }), exitCode }
)

/** One block of a prompt or message. */
export const contentBlocks: fc.Arbitrary<ContentBlock> = fc.oneof(
  all({ type: fc.constant("text" as const), text }),
  data({ type: fc.constant("image" as const), mimeType: fc.constant("image/png") }, { data: text, uri: text }),
  data({ type: fc.constant("resource" as const), uri: text }, { name: text, text, blob: text })
)

/** What a permission may end with; the options are `yes` and `no`. */
export const permissionOutcomes: fc.Arbitrary<PermissionOutcome> = fc.oneof(
  all({ outcome: fc.constant("selected" as const), optionId: fc.constantFrom("yes", "no", "other") }),
  fc.constant({ outcome: "cancelled" } as const)
)

/** What a question may end with. */
export const questionOutcomes: fc.Arbitrary<QuestionOutcome> = fc.oneof(
  all({
    outcome: fc.constant("answered" as const),
    answers: fc.dictionary(names("q1", "q2"), fc.array(text, { maxLength: 2 }), { noNullPrototype: true })
  }),
  fc.constant({ outcome: "cancelled" } as const)
)

/** An artifact. */
export const artifacts: fc.Arbitrary<Artifact> = data(
  { kind: fc.constantFrom("pull_request", "file", "url"), title: text },
  { url: text, state: fc.constantFrom("open", "merged") }
)

const content = fc.array(contentBlocks, { minLength: 1, maxLength: 2 })
const kind = fc.constantFrom("message", "reasoning", "tool_call", "plan")
const item = { turnId: id.turn, parentId: id.item, role: fc.constantFrom("user", "agent"), tool } as const
const raw = jsonArbitrary
const by = fc.constantFrom("answer", "deadline", "backend", "end")
const request = { turnId: id.turn, itemId: id.item, owner: id.participant } as const
const capabilities = fc.record(
  Object.fromEntries(Object.keys(noCapabilities).map((name) => [name, fc.boolean()])) as {
    [K in keyof typeof noCapabilities]: fc.Arbitrary<boolean>
  },
  { noNullPrototype: true }
)
const opened = data({ capabilities }, { nativeId: text, version: text })
const configuration = any({ model: text, effort: text, mode: text })
const sandbox = any({ provider: text, sandboxId: text, snapshotId: text, reason: text })
const dimension = fc.integer({ min: 1, max: 10_000 })
const reason = all({ reason: text })
const artifact = all({ artifactId: id.artifact, artifact: artifacts })
const question = data(
  {
    questionId: names("q1", "q2"),
    text,
    options: fc.array(all({ label: text }), { maxLength: 2 }),
    multiple: fc.boolean(),
    freeText: fc.boolean()
  },
  { header: text, secret: fc.boolean() }
)
const option = all({
  optionId: fc.constantFrom("yes", "no"),
  name: text,
  kind: fc.constantFrom("allow_once", "reject_once")
})

/** Arbitrary data by event type. */
export const eventData: { readonly [T in KnownType]: fc.Arbitrary<DataOf<T>> } = {
  "session.created": data(
    { backend: text, spec: jsonArbitrary },
    {
      title: text,
      workspace: text,
      labels: fc.dictionary(text, text, { maxKeys: 2, noNullPrototype: true }),
      forkedFrom: all({ sessionId: id.session, seq: count }),
      nativeId: text
    }
  ),
  "session.renamed": all({ title: text }),
  "session.archived": none,
  "session.unarchived": none,
  "session.forked": all({ into: id.session, at: count }),
  "session.moved": data(
    { backend: text, spec: jsonArbitrary, from: text },
    { workspace: text, nativeId: text, left: all({ workspace: text, fingerprint: text }) }
  ),

  "backend.opening": data({ attempt: fc.integer({ min: 1, max: 4 }), resume: fc.boolean() }, { reason: text }),
  "backend.opened": opened,
  "backend.identified": all({ nativeId: text }),
  "backend.lost": all({ reason: text, retryable: fc.boolean() }),
  "backend.resumed": opened,
  "backend.suspending": reason,
  "backend.suspended": reason,
  "backend.closing": all({ reason: text, force: fc.boolean(), graceMs: count }),
  "backend.closed": data({ reason: text }, { exitCode, signal }),
  "backend.failed": all({ reason: text, message: text, retryable: fc.boolean() }),
  "backend.configuring": configuration,
  "backend.configured": configuration,
  "backend.noted": data(
    { level: fc.constantFrom("info", "warning", "error"), message: text },
    { code: fc.constantFrom("turn_not_started", "other"), raw }
  ),

  "agent.titled": all({ title: text }),
  "agent.offered": any({
    models: fc.array(data({ id: text }, { name: text, efforts: fc.array(text, { maxLength: 2 }) }), { maxLength: 2 }),
    modes: fc.array(data({ id: text }, { name: text, description: text }), { maxLength: 2 })
  }),

  "context.compacting": none,
  "context.compacted": any({ turnId: id.turn, automatic: fc.boolean(), summary: text }),
  "history.reverting": all({ turnId: id.turn }),
  "history.reverted": data({ turnId: id.turn }, { files: fc.array(text, { maxLength: 2 }) }),
  "history.restoring": none,
  "history.restored": none,

  "link.connected": none,
  "link.reconnecting": all({ attempt: count, reason: text }),
  "link.disconnected": reason,

  "prompt.queued": data(
    { promptId: id.prompt, content, delivery: fc.constantFrom("queue", "steer") },
    { turnId: id.turn }
  ),
  "prompt.edited": all({ promptId: id.prompt, content }),
  "prompt.withdrawn": data({ promptId: id.prompt }, { reason: text }),
  "prompt.dispatched": data({ promptId: id.prompt, delivery: fc.constantFrom("queue", "steer") }, { turnId: id.turn }),
  "prompt.delivered": data({ promptId: id.prompt }, { turnId: id.turn }),
  "prompt.returned": all({ promptId: id.prompt, error }),

  "turn.started": data({ turnId: id.turn }, { promptId: id.prompt }),
  "turn.interrupting": all({ turnId: id.turn }),
  "turn.retrying": data({ turnId: id.turn, attempt: count, error }, { nextAt: time }),
  "turn.completed": data(
    { turnId: id.turn, outcome: fc.constantFrom("completed", "interrupted", "failed") },
    { reason: text, error }
  ),

  "item.started": data({ itemId: id.item, kind }, { ...item, text, raw }),
  "item.delta": all({ itemId: id.item, field: fc.constantFrom("text", "input", "output"), text }),
  "item.updated": data(
    { itemId: id.item },
    {
      status: toolStatus,
      title: text,
      input: jsonArbitrary,
      locations: fc.array(location, { maxLength: 2 }),
      entries: fc.array(planEntry, { maxLength: 2 }),
      background: fc.constant(true as const),
      raw
    }
  ),
  "item.stopping": all({ itemId: id.item }),
  "item.completed": data(
    { itemId: id.item, kind, status: fc.constantFrom("completed", "failed", "interrupted") },
    {
      ...item,
      partial: fc.boolean(),
      text,
      output: text,
      content,
      entries: fc.array(planEntry, { maxLength: 2 }),
      error,
      raw
    }
  ),
  "file.changed": data(
    { path: text, change: fc.constantFrom("created", "modified", "deleted", "moved") },
    { from: text, diff: text, additions: count, deletions: count, itemId: id.item, turnId: id.turn }
  ),
  "usage.reported": data({ usage }, { turnId: id.turn, raw }),

  "permission.requested": data(
    {
      requestId: id.request,
      deadline: time,
      title: text,
      options: fc.array(option, { maxLength: 2 }),
      default: permissionOutcomes
    },
    { ...request, description: text, tool, raw }
  ),
  "permission.resolved": all({ requestId: id.request, outcome: permissionOutcomes, by }),
  "question.asked": data(
    {
      requestId: id.request,
      deadline: time,
      questions: fc.array(question, { maxLength: 2 }),
      default: questionOutcomes
    },
    { ...request, raw }
  ),
  "question.answered": all({ requestId: id.request, outcome: questionOutcomes, by }),

  "terminal.output": all({ offset: count }),
  "terminal.resized": all({ cols: dimension, rows: dimension }),
  "terminal.titled": all({ title: text }),
  "terminal.typed": all({ bytes: count }),
  "terminal.snapshot": all({ through: count, offset: count, cols: dimension, rows: dimension, format: text }),
  "terminal.directory_changed": data({ path: text }, { host: text }),
  "terminal.belled": all({ count }),
  "terminal.notified": data({ body: text }, { title: text }),
  "terminal.progressed": data({ state: fc.constantFrom("none", "normal", "error") }, { percent: count }),
  "terminal.marked": data({ mark: fc.constantFrom("prompt", "input", "running", "finished") }, { exitCode }),

  "process.spawned": data(
    { pid: fc.integer({ min: 1, max: 5 }), startTime: text, host: text, command: text },
    {
      args: fc.array(text, { maxLength: 2 }),
      cwd: text,
      env: fc.array(text, { maxLength: 2 }),
      shared: fc.constant(true as const),
      marker: text
    }
  ),
  "process.signalled": all({ signal: fc.constant("SIGINT") }),
  "process.exited": all({ pid: fc.integer({ min: 1, max: 5 }), exitCode, signal }),

  "sandbox.pending": sandbox,
  "sandbox.warming": sandbox,
  "sandbox.syncing": sandbox,
  "sandbox.ready": sandbox,
  "sandbox.running": sandbox,
  "sandbox.stale": sandbox,
  "sandbox.snapshotted": sandbox,
  "sandbox.stopped": sandbox,
  "sandbox.failed": sandbox,

  "workspace.branch_created": data({ branch: text }, { base: text }),
  "workspace.committed": data({ sha: text, message: text }, { author: text }),
  "workspace.pushed": all({ branch: text, sha: text }),
  "artifact.added": artifact,
  "artifact.updated": artifact,

  "participant.joined": all({
    participantId: id.participant,
    name: text,
    role: fc.constantFrom("viewer", "member", "owner")
  }),
  "participant.changed": data(
    { participantId: id.participant },
    { name: text, role: fc.constantFrom("viewer", "member", "owner") }
  ),
  "participant.left": all({ participantId: id.participant })
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 8 })

/** An event of one type. */
export const eventsOfType = <T extends KnownType>(type: T): fc.Arbitrary<EventBody<T>> =>
  (type === "terminal.output" || type === "terminal.snapshot"
    ? fc.tuple(eventData[type], bytes).map(([data, bytes]) => ({ type, data, bytes }))
    : eventData[type].map((data) => ({ type, data }))) as never

/** An event of any type that core knows. */
export const eventBodies = (): fc.Arbitrary<EventBody> =>
  fc.oneof(...(Object.keys(eventData) as Array<KnownType>).map((type) => eventsOfType(type)))
