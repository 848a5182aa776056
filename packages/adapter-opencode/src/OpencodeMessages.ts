/**
 * The messages of a session and of the subagents below it: model calls and their parts, as items, file changes, usage and
 * summaries of the turn that they are of.
 */
import { boundRaw, type ItemId } from "@holdfast/core"
import type { Place } from "./OpencodeItems.ts"
import { silentParts } from "./OpencodeNotes.ts"
import { changesOf, textField } from "./OpencodeTools.ts"
import { type AssistantMessage, newMessage } from "./OpencodeTurn.ts"
import { countStep, type OpencodeTurns, type OpencodeVoice } from "./OpencodeTurns.ts"
import { lenientDecoder, type Message, type Part, type SessionStatus, Todo } from "./OpencodeWire.ts"

/** Messages that are over are remembered by id, so that repeats of them say nothing: the newest 512 of a session. */
const maxHistory = 512

/** Subagents' sessions that are listened to: the newest 200. */
const maxChildren = 200

/** One session's messages. */
export interface SessionMessages {
  readonly id: string
  /** The tool call that runs it; undefined of the session itself. */
  parentId: ItemId | undefined
  /** Model calls of the running turn. */
  readonly calls: Map<string, AssistantMessage>
  /** Ids of messages that are over, or that say nothing. */
  readonly history: Set<string>
}

/** What a subagent's tool call is about to do with its session: take what a snapshot knows of it. */
export type TakeChild = (childId: string) => void

/** The messages. */
export interface OpencodeMessages {
  /** The session, or a subagent's below it. */
  readonly session: (id: string) => SessionMessages | undefined
  readonly own: SessionMessages
  readonly addChild: (id: string) => SessionMessages
  readonly children: () => ReadonlyArray<string>
  /** Those with a model call that is not settled, as far as was told. */
  readonly openChildren: () => ReadonlyArray<string>
  readonly message: (info: Message) => void
  readonly part: (part: Part, takeChild?: TakeChild) => void
  readonly status: (session: SessionMessages, status: SessionStatus) => void
  /** The server says that it has put a summary in place of what came before. */
  readonly compacted: () => void
  readonly remember: (session: SessionMessages, messageId: string) => void
  /** A turn has ended. */
  readonly turnEnded: () => void
  readonly placeIn: (session: SessionMessages) => Place
}

/** What the messages are made for. */
export interface OpencodeMessagesOptions {
  readonly sessionId: string
  readonly voice: OpencodeVoice
  readonly turns: () => OpencodeTurns
  /** Whether what is taken now comes from the stream, as it happens. */
  readonly isLive: () => boolean
}

const decodeTodo = lenientDecoder(Todo)

const newSession = (id: string): SessionMessages => ({ id, parentId: undefined, calls: new Map(), history: new Set() })

/** Makes an empty store. */
export const makeOpencodeMessages = (options: OpencodeMessagesOptions): OpencodeMessages => {
  const { emit, files, items, note } = options.voice
  const own = newSession(options.sessionId)
  const children = new Map<string, SessionMessages>()
  /** Summaries that were told before the event that says so. */
  let summaries = 0

  const sessionOf = (id: string): SessionMessages | undefined => (id === own.id ? own : children.get(id))

  const placeIn = ({ id, parentId }: SessionMessages): Place => ({
    sessionId: id,
    turnId: options.turns().current()?.turnId,
    parentId
  })

  const remember = (session: SessionMessages, id: string) => {
    session.calls.delete(id)
    session.history.add(id)
    if (session.history.size > maxHistory) session.history.delete(session.history.values().next().value!)
  }

  const addChild = (id: string): SessionMessages => {
    let child = children.get(id)
    if (child === undefined) {
      child = newSession(id)
      children.set(id, child)
      if (children.size > maxChildren) children.delete(children.keys().next().value!)
    }
    return child
  }

  const callOf = (session: SessionMessages, id: string): AssistantMessage => {
    let call = session.calls.get(id)
    if (call === undefined) {
      call = newMessage(id)
      session.calls.set(id, call)
    }
    return call
  }

  const userMessage = (session: SessionMessages, info: Message) => {
    // What a subagent is asked stands in its tool call.
    if (session !== own) return remember(session, info.id)
    if (typeof info.summary === "object") files.compared(info.id, info.summary.diffs ?? [])
    if (!own.history.has(info.id)) options.turns().userCame(info.id, info.time?.created)
  }

  /** A model call begins: whose answer it is decides where a turn ends and the next begins. */
  const begin = (session: SessionMessages, call: AssistantMessage, info: Message) => {
    call.begun = true
    call.parentId = info.parentID
    call.compaction = info.summary === true
    const isOwn = session === own
    if (isOwn) {
      options.turns().answer(info.parentID ?? call.id, call.id, call.compaction)
      // It is not one of the turn that it ended.
      own.history.delete(call.id)
      own.calls.set(call.id, call)
      if (call.compaction) summaries = 0
    }
    const turn = options.turns().current()
    if (turn !== undefined) countStep(turn, session.id, call, isOwn)
  }

  const assistantMessage = (session: SessionMessages, info: Message) => {
    if (session.history.has(info.id)) return
    const ended = info.time?.completed !== undefined || info.error !== undefined
    if (!session.calls.has(info.id) && ended && options.turns().current() === undefined && options.isLive()) {
      // Nothing begins by being complete: a copy, made by a fork or an import.
      return remember(session, info.id)
    }
    const call = callOf(session, info.id)
    if (!call.begun) begin(session, call, info)
    if (info.path?.root !== undefined && session === own) files.root(info.path.root)
    if (call.settled) return
    call.finish = info.finish
    call.error = info.error
    call.structured = info.structured !== undefined
    if (!ended) return
    call.settled = true
    call.completedAt = info.time?.completed
    items.closeTexts(call.id)
    if (session === own && call.compaction && call.error === undefined && call.finish !== undefined) {
      summaries += 1
      tellSummary(call)
    }
    options.turns().settle()
  }

  const tellSummary = (call: AssistantMessage | undefined) => {
    const turn = options.turns().current()
    const user = turn?.users.get(call?.parentId ?? "")
    emit({
      type: "context.compacted",
      data: {
        ...(turn === undefined ? {} : { turnId: turn.turnId }),
        ...(user?.compaction === undefined ? {} : { automatic: user.compaction.automatic }),
        ...(call === undefined || call.summary === "" ? {} : { summary: call.summary })
      }
    })
  }

  const assistantPart = (session: SessionMessages, call: AssistantMessage, part: Part, takeChild?: TakeChild) => {
    switch (part.type) {
      case "text":
      case "reasoning":
        if (!call.compaction) return items.text(part, placeIn(session), "agent", part.time?.end !== undefined)
        if (part.type === "text" && part.text !== undefined && part.text !== "") call.summary = part.text
        return
      case "tool":
        return toolPart(session, call, part, takeChild)
      case "file":
        return items.file(part, placeIn(session), "agent")
      case "step-start":
        call.hasStep = true
        return
      case "step-finish":
        return tellUsage(part)
      case "patch":
        if (session === own) files.patch(call.parentId, part.files ?? [])
        return
      default:
        if (silentParts.has(part.type)) return
        note("info", "unknown_part", `a part of the type ${part.type}`, part, `part ${part.type}`)
    }
  }

  const toolPart = (session: SessionMessages, call: AssistantMessage, part: Part, takeChild?: TakeChild) => {
    call.hasTool = true
    const { state, tool } = part
    const place = placeIn(session)
    const childId = tool === "task" ? textField(state?.metadata, "sessionId") : undefined
    if (childId !== undefined && childId !== own.id) {
      addChild(childId).parentId = items.idOf(part.id)
      if (takeChild !== undefined) {
        // What the subagent did goes between the call's beginning and its end.
        items.begin(part, place)
        takeChild(childId)
      }
    }
    items.tool(part, place, () => {
      if (state?.status !== "completed" || tool === undefined) return
      files.tool(changesOf(tool, state), place.turnId, items.idOf(part.id))
    })
    if (tool === "todowrite" && (state?.status === "running" || state?.status === "completed")) {
      const todos: unknown = Object(state.input)["todos"]
      if (Array.isArray(todos))
        items.plan(
          todos.flatMap((each) => decodeTodo(each) ?? []),
          place
        )
    }
  }

  /** Input tokens count what came from the cache, and output tokens what was thought, as other agents count them. */
  const tellUsage = ({ cost, id, tokens }: Part) => {
    const turn = options.turns().current()
    if (turn === undefined || turn.counted.has(id)) return
    turn.counted.add(id)
    const { cache, input, output, reasoning } = tokens ?? {}
    const read = cache?.read ?? 0
    const write = cache?.write ?? 0
    if ([input, output, reasoning, read, write, cost].every((count) => (count ?? 0) === 0)) return
    emit({
      type: "usage.reported",
      data: {
        turnId: turn.turnId,
        usage: {
          ...(input === undefined ? {} : { inputTokens: input + read + write }),
          ...(output === undefined ? {} : { outputTokens: output + (reasoning ?? 0) }),
          ...(reasoning === undefined ? {} : { reasoningTokens: reasoning }),
          ...(cache?.read === undefined ? {} : { cachedInputTokens: read }),
          ...(cost === undefined ? {} : { costUsd: cost })
        },
        ...(write > 0 ? { raw: boundRaw({ tokens }) } : {})
      }
    })
  }

  return {
    own,
    session: sessionOf,
    addChild,
    placeIn,
    remember,
    children: () => [...children.keys()],
    openChildren: () =>
      [...children.values()].flatMap(({ calls, id }) =>
        [...calls.values()].some((call) => !call.settled) ? [id] : []
      ),
    message: (info) => {
      const session = sessionOf(info.sessionID)
      if (session === undefined) return
      if (info.role === "user") userMessage(session, info)
      else if (info.role === "assistant") assistantMessage(session, info)
      else note("info", "unknown_message", `a message of the role ${info.role}`, info, `role ${info.role}`)
    },
    part: (part, takeChild) => {
      const session = sessionOf(part.sessionID)
      if (session === undefined || session.history.has(part.messageID)) return
      const turns = options.turns()
      const user = session === own ? turns.user(part.messageID) : undefined
      if (user !== undefined) return turns.userPart(user, part)
      if (session === own && turns.isExpected(part.messageID)) return
      const call = session.calls.get(part.messageID)
      // Of a message that is not known: only an assistant's texts have times.
      if (call === undefined && part.type === "text" && part.time === undefined) return
      assistantPart(session, call ?? callOf(session, part.messageID), part, takeChild)
    },
    status: (session, status) => {
      const turns = options.turns()
      if (session === own) {
        if (status.type === "idle") return turns.idle()
        turns.busy()
      }
      if (status.type !== "retry" || !turns.retrying(session.id, status)) return
      // The next try begins anew; of this one's texts the server keeps nothing.
      for (const call of session.calls.values()) if (!call.settled) items.closeTexts(call.id)
    },
    compacted: () => {
      if (summaries > 0) summaries -= 1
      else tellSummary(undefined)
    },
    turnEnded: () => {
      for (const session of [own, ...children.values()]) {
        for (const id of session.calls.keys()) remember(session, id)
      }
    }
  }
}
