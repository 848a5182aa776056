/**
 * From what an Opencode server tells of one session, and of the subagents below it, to core's vocabulary. Pure: no clock,
 * no I/O, no randomness.
 */
import type {
  BackendEvent,
  PermissionOutcome,
  PromptId,
  QuestionOutcome,
  ReportedError,
  RequestId,
  TurnId
} from "@holdfast/core"
import { isAbort, reportError } from "./OpencodeErrors.ts"
import { makeOpencodeFiles } from "./OpencodeFiles.ts"
import { makeOpencodeItems } from "./OpencodeItems.ts"
import { makeOpencodeMessages } from "./OpencodeMessages.ts"
import { makeOpencodeNotes, silentEvents } from "./OpencodeNotes.ts"
import { makeOpencodeRecord } from "./OpencodeRecord.ts"
import { makeOpencodeRequests } from "./OpencodeRequests.ts"
import { makeOpencodeResync } from "./OpencodeResync.ts"
import { textField } from "./OpencodeTools.ts"
import { makeOpencodeTurns, type OpencodeTurns } from "./OpencodeTurns.ts"
import {
  decodeEvent,
  type PermissionRequest,
  type QuestionRequest,
  readDelta,
  sessionOf,
  type WireEvent
} from "./OpencodeWire.ts"

/** One event of `GET /event`. */
export interface OpencodeEvent {
  readonly type: string
  readonly properties?: unknown
}

/** What a server answers at one moment about a session, as its REST answers have it. */
export interface OpencodeSnapshot {
  /** `GET /session/status`: every session of the directory that is not idle. */
  readonly status: Readonly<Record<string, unknown>>
  /** `GET /permission` and `GET /question`: those of the whole directory. */
  readonly permissions: ReadonlyArray<unknown>
  readonly questions: ReadonlyArray<unknown>
  /**
   * `GET /session/{id}/message` by session, oldest first: the session's own, and those of subagents that still run. The
   * newest are enough, back to one that was told; subagents that are not in here are left as they are.
   */
  readonly messages: Readonly<Record<string, ReadonlyArray<unknown>>>
  /** `GET /session/{id}`, where it was read: title and revert. */
  readonly session?: unknown
  /** `GET /session/{id}/children`, where it was read. */
  readonly children?: ReadonlyArray<unknown>
}

/** How a snapshot is to be read. */
export interface ResyncOptions {
  /**
   * Events may have been missed since the last one that was taken: the stream was away. Default true. False for a second
   * look while the stream goes on: pieces of text that arrive after it are still wanted.
   */
  readonly missed?: boolean
  /**
   * Nobody will look again: what an idle session leaves unfinished was cut off, and is told as interrupted. Default false.
   */
  readonly final?: boolean
}

/** A request to the server by which an answer reaches it. */
export interface OpencodeReply {
  readonly method: "POST"
  /** `/permission/per_…/reply`, `/question/que_…/reply` or `/question/que_…/reject`. */
  readonly path: string
  readonly body?: unknown
}

/** The normaliser of one generation of one session. No method ever throws. */
export interface OpencodeNormaliser {
  /**
   * The session as it is found when a generation begins: all of it is history and nothing is told, except of a turn that
   * still runs. That is told from its beginning, as a turn of this generation with ids of its own (`msg_…:2`): what of it
   * came while nobody listened is not known.
   */
  readonly adopt: (snapshot: OpencodeSnapshot) => ReadonlyArray<BackendEvent>
  /** Takes the next event of the stream. Events of other sessions say nothing. */
  readonly take: (event: OpencodeEvent) => ReadonlyArray<BackendEvent>
  /**
   * Tells what a snapshot knows and the events so far did not say; nothing twice. After a reconnect: buffer events, read
   * the snapshot, resync, take the buffer, go on.
   */
  readonly resync: (snapshot: OpencodeSnapshot, options?: ResyncOptions) => ReadonlyArray<BackendEvent>
  /** A prompt is about to be sent as this message. The turn that it makes will name it. */
  readonly expectPrompt: (promptId: PromptId, messageId: string) => void
  /** It was not sent after all, or the server refused it: the prompt itself is settled elsewhere. */
  readonly forgetPrompt: (messageId: string) => void
  /** A prompt that the server took and then did not run, without a word: its turn is told as failed. */
  readonly failPrompt: (messageId: string, error: ReportedError) => ReadonlyArray<BackendEvent>
  /** Whatever way the running turn ends next, tell it as failed with this error: it was aborted for that reason. */
  readonly failTurn: (error: ReportedError) => void
  /**
   * The request by which an outcome reaches the server; undefined where it is not open any more. Where nobody chose, the
   * model is told so and the turn goes on; the option `reject` ends it.
   */
  readonly answer: (requestId: RequestId, outcome: PermissionOutcome | QuestionOutcome) => OpencodeReply | undefined
  /**
   * Refusals for requests that ended with their turn and that the server still keeps (it does after an abort): send them,
   * a 404 is fine. Each is handed out once.
   */
  readonly abandoned: () => ReadonlyArray<OpencodeReply>
  /** Whether an event is about this session or a subagent below it. */
  readonly concerns: (event: OpencodeEvent) => boolean
  /** Subagents' sessions, those below subagents included; the newest 200. */
  readonly children: () => ReadonlyArray<string>
  /** Those of which something was told that has not ended: a snapshot should have their messages. */
  readonly openChildren: () => ReadonlyArray<string>
  /** The running turn. */
  readonly activeTurn: () => TurnId | undefined
  /**
   * Model calls of the running turn so far, of the session or of one subagent, whichever made more: against streams
   * without a finish reason, which Opencode answers with another call for ever.
   */
  readonly steps: () => number
  /**
   * The server said that it is idle, and the turn is not finished: read a snapshot and resync. Within some 40 ms its last
   * words come by themselves; some never come.
   */
  readonly needsReread: () => boolean
  /** The session was deleted on the server. */
  readonly isDeleted: () => boolean
}

/** What a normaliser is made for. */
export interface OpencodeNormaliserOptions {
  readonly sessionId: string
  /** The opening that it serves, as in the envelope of the log's events. */
  readonly generation: number
  /** The session's directory: relative paths of diffs are told as paths below it. */
  readonly directory: string
}

/** The user message that a turn began with: what `revert` and `fork` name. */
export const messageIdOf = (turnId: TurnId): string => turnId.split(":", 1)[0]!

/** Makes one. */
export const makeOpencodeNormaliser = (options: OpencodeNormaliserOptions): OpencodeNormaliser => {
  let out: Array<BackendEvent> = []
  const emit = (event: BackendEvent): void => {
    out.push(event)
  }
  /** What was told since the last time. */
  const told = (): ReadonlyArray<BackendEvent> => {
    const events = out
    out = []
    return events
  }

  let reading: "events" | "snapshot" | "history" = "events"
  let isDeleted = false
  const note = makeOpencodeNotes(emit)
  const items = makeOpencodeItems(options.directory, emit)
  const requests = makeOpencodeRequests(emit)
  const files = makeOpencodeFiles(options.directory, emit)
  const voice = { emit, files, items, note, requests }
  const messages = makeOpencodeMessages({
    sessionId: options.sessionId,
    voice,
    turns: (): OpencodeTurns => turns,
    isLive: () => reading === "events"
  })
  const turns = makeOpencodeTurns({
    sessionId: options.sessionId,
    voice,
    remember: (id) => messages.remember(messages.own, id),
    isOver: (id) => messages.own.history.has(id),
    ended: messages.turnEnded,
    isReading: () => reading === "snapshot"
  })
  const record = makeOpencodeRecord(emit, turns.turnOf)

  const placeOf = (tool: PermissionRequest["tool"], suffix: string) => ({
    turnId: turns.current()?.turnId,
    itemId:
      tool?.messageID === undefined || tool.callID === undefined
        ? undefined
        : items.ofCall(tool.messageID, tool.callID),
    suffix
  })
  const permission = (request: PermissionRequest, suffix = "") =>
    requests.permission(request, placeOf(request.tool, suffix))
  const question = (request: QuestionRequest, suffix = "") => requests.question(request, placeOf(request.tool, suffix))

  const { adopt, resync } = makeOpencodeResync({
    voice,
    messages,
    turns,
    record,
    suffix: `:${options.generation}`,
    permission,
    question
  })

  const refused = () => {
    const turn = turns.current()
    if (turn !== undefined) turn.refused = true
  }

  const takeKnown = (event: WireEvent): void => {
    switch (event.type) {
      case "session.created":
      case "session.updated": {
        const { info } = event.properties
        if (info.id === options.sessionId) record.update(info)
        else messages.addChild(info.id)
        return
      }
      case "session.deleted":
        if (event.properties.info.id !== options.sessionId) return
        isDeleted = true
        return note("warning", "session_deleted", "the session was deleted on the server")
      case "message.updated":
        return messages.message(event.properties.info)
      case "message.part.updated":
        return messages.part(event.properties.part)
    }
    const session = messages.session(event.properties.sessionID)
    if (session === undefined) return
    const isOwn = session === messages.own
    switch (event.type) {
      case "session.status":
        return messages.status(session, event.properties.status)
      case "session.idle":
        return isOwn ? turns.idle() : undefined
      case "session.error": {
        const { error } = event.properties
        if (isOwn && !isDeleted) return turns.failed(error)
        if (isAbort(error)) return
        const { message, raw } = reportError(error)
        return note(
          "warning",
          error.name,
          isOwn ? message : `a subagent failed: ${message}`,
          raw,
          `error ${session.id}`
        )
      }
      case "session.compacted":
        return isOwn ? messages.compacted() : undefined
      case "message.removed":
        if (!isOwn) return
        record.messageRemoved()
        return turns.userRemoved(event.properties.messageID)
      case "message.part.removed":
        return items.closePart(event.properties.partID)
      case "permission.asked":
        return permission(event.properties)
      case "permission.replied":
        if (event.properties.reply === "reject") refused()
        return requests.replied(event.properties.requestID, event.properties.reply)
      case "question.asked":
        return question(event.properties)
      case "question.replied":
        return requests.answered(event.properties.requestID, event.properties.answers ?? [])
      case "question.rejected":
        refused()
        return requests.answered(event.properties.requestID, undefined)
      case "todo.updated":
        return items.plan(event.properties.todos, messages.placeIn(session))
    }
  }

  const concerns = (event: OpencodeEvent): boolean => {
    const id = sessionOf(event)
    if (id !== undefined && messages.session(id) !== undefined) return true
    if (event.type !== "session.created" && event.type !== "session.updated") return false
    const parent = textField(Object(event.properties)["info"], "parentID")
    return parent !== undefined && messages.session(parent) !== undefined
  }

  const take = (event: OpencodeEvent) => {
    if (event.type === "server.instance.disposed") {
      const message = "the server let go of the directory: what was always allowed is asked for again"
      return note("info", "instance_disposed", message)
    }
    if (!concerns(event) || silentEvents.has(event.type)) return
    if (event.type === "message.part.delta") {
      const delta = readDelta(event.properties)
      if (delta?.field === "text") items.delta(delta.partID, delta.delta)
      return
    }
    const decoded = decodeEvent(event)
    if (decoded === "unknown") {
      note("info", "unknown_event", `an event of the type ${event.type}`, event, `event ${event.type}`)
    } else if (decoded === "malformed") {
      note("warning", "malformed_event", `${event.type} without its ids`, event, `malformed ${event.type}`)
    } else {
      takeKnown(decoded)
    }
  }

  return {
    adopt: (snapshot) => {
      reading = "history"
      adopt(snapshot)
      reading = "events"
      return told()
    },
    take: (event) => {
      take(event)
      return told()
    },
    resync: (snapshot, how = {}) => {
      reading = "snapshot"
      resync(snapshot, how)
      reading = "events"
      return told()
    },
    expectPrompt: turns.expect,
    forgetPrompt: turns.forget,
    failPrompt: (messageId, error) => {
      turns.failPrompt(messageId, error)
      return told()
    },
    failTurn: (error) => {
      const turn = turns.current()
      if (turn !== undefined) turn.failure = error
    },
    answer: (requestId, outcome) => {
      const reply = requests.answer(requestId, outcome)
      if (outcome.outcome === "selected" && outcome.optionId === "reject") refused()
      return reply
    },
    abandoned: requests.abandoned,
    concerns,
    children: messages.children,
    openChildren: messages.openChildren,
    activeTurn: () => turns.current()?.turnId,
    steps: () => Math.max(0, ...(turns.current()?.steps.values() ?? [])),
    needsReread: () => turns.current()?.idle === true,
    isDeleted: () => isDeleted
  }
}
