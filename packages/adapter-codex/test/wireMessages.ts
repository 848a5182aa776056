/** Messages as an app-server writes them, for tests of what no recording shows. */
import type { BackendEvent } from "@holdfast/core"
import {
  type CodexMessage,
  type CodexNormaliser,
  type CodexReply,
  makeCodexNormaliser
} from "../src/CodexNormaliser.ts"

export const thread = "thread-1"

/** A notification about the thread. */
export const tells = (method: string, params: object = {}): CodexMessage => ({
  method,
  params: { threadId: thread, ...params }
})

/** A request about the thread. */
export const asks = (id: string | number, method: string, params: object = {}): CodexMessage => ({
  ...tells(method, { turnId: "u1", itemId: "call_1", startedAtMs: 1, ...params }),
  id
})

export const turnStarted = (id = "u1") =>
  tells("turn/started", { turn: { id, status: "inProgress", items: [], error: null } })

export const turnCompleted = (status = "completed", more: object = {}, id = "u1") =>
  tells("turn/completed", { turn: { id, status, items: [], error: null, ...more } })

export const started = (item: object, turnId = "u1") => tells("item/started", { turnId, item, startedAtMs: 1 })

export const completed = (item: object, turnId = "u1") => tells("item/completed", { turnId, item, completedAtMs: 2 })

export const delta = (kind: string, itemId: string, text: string, turnId = "u1") =>
  tells(`item/${kind}`, { turnId, itemId, delta: text })

export const message = (id: string, text = "") => ({ type: "agentMessage", id, text, phase: null })

export const command = (id = "call_1", more: object = {}) => ({
  type: "commandExecution",
  id,
  command: "/bin/bash -lc 'make test'",
  cwd: "/workspace",
  processId: "71",
  source: "unifiedExecStartup",
  status: "inProgress",
  commandActions: [{ type: "unknown", command: "make test" }],
  aggregatedOutput: null,
  exitCode: null,
  ...more
})

/** What a row of messages became. */
export interface Heard {
  readonly normaliser: CodexNormaliser
  readonly take: (...messages: ReadonlyArray<CodexMessage>) => ReadonlyArray<BackendEvent>
  readonly replies: Array<CodexReply>
}

/** A normaliser in a running turn `u1`, or before any. */
export const hear = (options: { readonly idle?: true } = {}): Heard => {
  const normaliser = makeCodexNormaliser({ threadId: thread, generation: 3, cwd: "/workspace" })
  const replies: Array<CodexReply> = []
  const take: Heard["take"] = (...messages) =>
    messages.flatMap((one) => {
      const said = normaliser.take(one)
      replies.push(...said.replies)
      return said.events
    })
  if (options.idle !== true) take(turnStarted())
  return { normaliser, take, replies }
}

type DataOf<T> = Extract<BackendEvent, { readonly type: T; readonly data: unknown }>["data"]

/** Ids as plain texts, so that they compare with what a test spells out. */
type Spelled<D> = { readonly [K in keyof D]: K extends "itemId" | "turnId" | "parentId" | "promptId" ? string : D[K] }

/** The data of the events of one type. */
export const dataOf = <T extends Exclude<BackendEvent["type"], "terminal.output">>(
  events: ReadonlyArray<BackendEvent>,
  type: T
): ReadonlyArray<Spelled<DataOf<T>>> =>
  events.flatMap((event) => (event.type === type && "data" in event ? [event.data as never] : []))
