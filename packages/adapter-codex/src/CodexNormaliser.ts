/**
 * From the messages of an app-server about one thread to core's vocabulary. Pure: no clock, no I/O, no randomness.
 *
 * What it makes of each message is a table in docs/agents.md. Status comes from `turn/started` and `turn/completed` alone;
 * one turn runs at a time.
 */
import {
  type BackendEvent,
  boundRaw,
  type ItemId,
  note,
  type PermissionOutcome,
  type PromptId,
  type QuestionOutcome,
  type RequestId,
  type TurnId
} from "@holdfast/core"
import { readAsked } from "./CodexRequests.ts"
import { makeCodexNotices } from "./CodexNotices.ts"
import { makeCodexThread, type CodexThread } from "./CodexThread.ts"
import { makePendingRequests } from "./PendingRequests.ts"
import { readNotification, readRequest, threadOf } from "./CodexWire.ts"

/** What a server sends beside responses: a notification, or a request where it has an id. */
export interface CodexMessage {
  readonly method: string
  readonly params?: unknown
  /** Of a request. The server counts from 0, in a space of its own; it must be sent back with the same type. */
  readonly id?: string | number
}

/** A response to a request of the server, ready to be sent. */
export type CodexReply =
  | { readonly id: string | number; readonly result: unknown }
  | { readonly id: string | number; readonly error: { readonly code: number; readonly message: string } }

/** What one message meant. */
export interface Normalised {
  readonly events: ReadonlyArray<BackendEvent>
  /** To be sent at once: requests that no person answers, or that nobody can answer any more. */
  readonly replies: ReadonlyArray<CodexReply>
}

/** A command that still runs, as far as the server has told. */
export interface OpenCommand {
  readonly itemId: ItemId
  /** The server's own ids, for `thread/backgroundTerminals/terminate`. Without a process it waits for approval. */
  readonly wireItemId: string
  readonly processId?: string
  /**
   * `running` in its turn; in the `background` after a turn that ended by itself; `abandoned` by a turn that was
   * interrupted or failed: the log has it as interrupted, and the process lives until somebody ends it.
   */
  readonly state: "running" | "background" | "abandoned"
}

/** The normaliser of one generation of one session. */
export interface CodexNormaliser {
  /** Takes the next message in the order of the wire. Messages about other threads say nothing. Never throws. */
  readonly take: (message: CodexMessage) => Normalised
  /**
   * The response by which an outcome reaches the server; the request is closed here with it, and the server's own word
   * about it says nothing more. Undefined: it is not open any more (answered, taken back, its turn is over).
   */
  readonly answer: (requestId: RequestId, outcome: PermissionOutcome | QuestionOutcome) => CodexReply | undefined
  /** Responses that turn down all that is open: before an interrupt, at the end. Closes them. */
  readonly cancelAll: () => ReadonlyArray<CodexReply>
  /** This prompt made that turn, as the response to `turn/start` says: `turn.started` names it, if it is still to come. */
  readonly expectTurn: (turnId: TurnId, promptId: PromptId) => void
  /** Compaction was asked for: the next one is not automatic. */
  readonly expectCompaction: () => void
  /** The turn that runs. */
  readonly activeTurn: () => TurnId | undefined
  /** Commands that run, those in the background included. */
  readonly openCommands: () => ReadonlyArray<OpenCommand>
  /** The threads that it listens to: its own, and those of sub-agents that it has learnt of (at most 64). */
  readonly threads: () => ReadonlyArray<string>
}

/** Threads of sub-agents that are listened to; further ones work unseen. */
const maxThreads = 64

/** The JSON-RPC code of a request that the client does not know. */
const methodNotFound = -32601

/** Makes the normaliser of one generation. `cwd` is the session's directory, by which paths are shown. */
export const makeCodexNormaliser = (options: {
  readonly threadId: string
  readonly generation: number
  readonly cwd: string
}): CodexNormaliser => {
  const { cwd, generation, threadId } = options
  const notices = makeCodexNotices()
  const pending = makePendingRequests(generation)
  let compactionAsked = false
  const takeCompaction = () => {
    const asked = compactionAsked
    compactionAsked = false
    return asked
  }

  const main = makeCodexThread({ cwd, pending, takeCompaction })
  const threads = new Map<string, CodexThread>([[threadId, main]])

  const adopt = (childId: string, parentId: ItemId | undefined) => {
    if (threads.has(childId) || threads.size > maxThreads || parentId === undefined) return
    threads.set(childId, makeCodexThread({ cwd, pending, takeCompaction, parentId }))
  }

  const notify = (method: string, params: unknown): Normalised => {
    const read = readNotification(method, params)
    if (read === undefined) return said(notices(method, params))
    if (typeof read === "string") return said([malformed(method, read, params)])
    if (read.method === "thread/started") {
      const { id, parentThreadId } = read.params.thread
      const parent = parentThreadId === undefined ? undefined : threads.get(parentThreadId)
      if (parent !== undefined) adopt(id, parent.spawning())
      return nothing
    }
    const thread = threads.get(read.params.threadId)
    if (thread === undefined) return nothing
    if (read.method === "serverRequest/resolved") return said(thread.resolved(read.params.requestId))
    if (read.method === "thread/name/updated") {
      const title = read.params.threadName?.trim()
      return title === undefined || title === "" || thread !== main
        ? nothing
        : said([{ type: "agent.titled", data: { title } }])
    }
    const told = thread.take(read)
    for (const [childId, parentId] of told.children) adopt(childId, parentId)
    return { events: told.events, replies: told.replies }
  }

  const ask = (id: string | number, method: string, params: unknown): Normalised => {
    if (method === "item/tool/call") return { events: [], replies: [{ id, result: noSuchTool }] }
    const read = readRequest(method, params)
    if (read === undefined) return refuse(id, `the client does not know ${method}`, method, params)
    if (typeof read === "string") return refuse(id, read, method, params)
    const thread = threads.get(read.params.threadId)
    if (thread === undefined) return refuse(id, "the client does not know the thread", method, params)
    const item = thread.itemOf(read)
    const asked = readAsked(read, { cwd, item: item?.item })
    if ("refused" in asked) {
      return {
        events: [note("warning", `${method} was turned down: ${asked.refused}`, boundRaw(params), method)],
        replies: [{ id, result: asked.result }]
      }
    }
    const { events, replies } = thread.ask(id, read.params.turnId, item?.itemId, asked)
    return { events, replies }
  }

  return {
    take: ({ id, method, params }) => {
      const about = threadOf(params)
      if (about !== undefined && !threads.has(about) && id === undefined) return nothing
      return id === undefined ? notify(method, params) : ask(id, method, params)
    },
    answer: pending.answer,
    cancelAll: pending.cancelAll,
    expectTurn: main.expectTurn,
    expectCompaction: () => {
      compactionAsked = true
    },
    activeTurn: main.activeTurn,
    openCommands: () => [...threads.values()].flatMap((thread) => thread.commands()),
    threads: () => [...threads.keys()]
  }
}

const nothing: Normalised = { events: [], replies: [] }

const said = (events: ReadonlyArray<BackendEvent>): Normalised => ({ events, replies: [] })

const malformed = (method: string, why: string, params: unknown): BackendEvent =>
  note("warning", `Codex sent a malformed ${method}: ${why}`, boundRaw(params), "malformed")

/** An error response: the item that it was for fails, and the turn goes on. */
const refuse = (id: string | number, why: string, method: string, params: unknown): Normalised => ({
  events: [note("warning", `${method} could not be answered: ${why}`, boundRaw(params), method)],
  replies: [{ id, error: { code: methodNotFound, message: why.slice(0, 500) } }]
})

/** Tools of the client's own are only there if a thread was started with some. */
const noSuchTool = {
  contentItems: [{ type: "inputText", text: "This client has no such tool." }],
  success: false
} as const
