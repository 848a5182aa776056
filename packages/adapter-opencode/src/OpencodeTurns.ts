/**
 * The turns of a session. A turn begins with a user message, and ends when the server is idle and the last model call is
 * settled, whichever comes later; or when a model call answers a user message that the turn could not take in.
 */
import type { BackendEvent, PromptId, ReportedError, TurnId } from "@holdfast/core"
import { isAbort, isTrace, plainMessage, reportError } from "./OpencodeErrors.ts"
import type { OpencodeFiles } from "./OpencodeFiles.ts"
import type { OpencodeItems } from "./OpencodeItems.ts"
import type { TellNote } from "./OpencodeNotes.ts"
import type { OpencodeRequests } from "./OpencodeRequests.ts"
import { addError, type AssistantMessage, endOf, goesOn, type Turn, type UserMessage } from "./OpencodeTurn.ts"
import type { NamedError, Part, SessionStatus } from "./OpencodeWire.ts"

/** What a normaliser tells with. */
export interface OpencodeVoice {
  readonly emit: (event: BackendEvent) => void
  readonly items: OpencodeItems
  readonly requests: OpencodeRequests
  readonly files: OpencodeFiles
  readonly note: TellNote
}

/** User messages that wait for their turn: more than a host queues. Past it the oldest is forgotten. */
const maxWaiting = 100

/** Parts of a user message that wait for its turn. */
const maxParts = 64

/** Turns whose id is not that of the message, which are remembered for a revert. */
const maxAliases = 512

/** The turns. */
export interface OpencodeTurns {
  readonly current: () => Turn | undefined
  readonly expect: (promptId: PromptId, messageId: string) => void
  readonly isExpected: (messageId: string) => boolean
  readonly forget: (messageId: string) => void
  readonly failPrompt: (messageId: string, error: ReportedError) => void
  /** The user message, where it waits or is of the running turn. */
  readonly user: (messageId: string) => UserMessage | undefined
  readonly userCame: (messageId: string, createdAt: number | undefined) => void
  readonly userRemoved: (messageId: string) => void
  readonly userPart: (user: UserMessage, part: Part) => void
  /** Begins a turn that ran before this generation, under an id of its own. */
  readonly goOn: (messageId: string, suffix: string) => void
  /** A model call begins, in answer to this user message: its turn. What ended with it is over before. */
  readonly answer: (userId: string, callId: string, isCompaction: boolean) => Turn
  readonly busy: () => void
  readonly idle: () => void
  readonly retrying: (sessionId: string, status: SessionStatus) => boolean
  readonly failed: (error: NamedError) => void
  /** Ends the turn where nothing more can come of it. */
  readonly settle: () => void
  /** Ends the turn as it is. */
  readonly finish: () => void
  /** The turn that a message is of, under the id that was told. */
  readonly turnOf: (messageId: string) => TurnId
}

/** What the turns are made for. */
export interface OpencodeTurnsOptions {
  readonly sessionId: string
  readonly voice: OpencodeVoice
  /** What is over, and says nothing from now on. */
  readonly remember: (messageId: string) => void
  readonly isOver: (messageId: string) => boolean
  /** A turn has ended: all its messages are over. */
  readonly ended: () => void
  /** Whether what is taken now was read from the server after what it tells of. */
  readonly isReading: () => boolean
}

/** Makes an empty store. */
export const makeOpencodeTurns = (options: OpencodeTurnsOptions): OpencodeTurns => {
  const { emit, files, items, note, requests } = options.voice
  const users = new Map<string, UserMessage>()
  const expected = new Map<string, PromptId>()
  const aliases = new Map<string, TurnId>()
  let turn: Turn | undefined
  let isBusy = false
  /** The last turn failed: the server reports that once more, as a trace. */
  let hasFailed = false

  const userOf = (id: string): UserMessage => {
    let user = users.get(id)
    if (user === undefined) {
      const promptId = expected.get(id)
      user = {
        id,
        promptId,
        mayFollowIdle: options.isReading(),
        createdAt: undefined,
        inTurn: false,
        compaction: undefined,
        written: false,
        parts: []
      }
      expected.delete(id)
      users.set(id, user)
      if (users.size > maxWaiting) {
        for (const one of users.values()) {
          if (one.inTurn || one === user) continue
          users.delete(one.id)
          break
        }
      }
    }
    return user
  }

  /** What somebody else wrote; our own prompts are in the log already. */
  const tellPart = (user: UserMessage, part: Part) => {
    if (user.promptId !== undefined || part.synthetic === true || part.ignored === true) return
    const place = { sessionId: options.sessionId, turnId: turn?.turnId, parentId: undefined }
    if (part.type === "text") items.text(part, place, "user", true)
    else if (part.type === "file") items.file(part, place, "user")
  }

  const join = (running: Turn, user: UserMessage) => {
    user.inTurn = true
    running.users.set(user.id, user)
    files.begin(running.turnId, user.id)
    if (running.turnId !== user.id) {
      aliases.set(user.id, running.turnId)
      if (aliases.size > maxAliases) aliases.delete(aliases.keys().next().value!)
    }
    const { parts } = user
    user.parts = []
    for (const part of parts) tellPart(user, part)
  }

  const start = (user: UserMessage, suffix = ""): Turn => {
    // What came before it and had no turn of its own is part of what the model is given now.
    for (const earlier of users.values()) {
      if (earlier === user) break
      users.delete(earlier.id)
      options.remember(earlier.id)
    }
    turn = {
      turnId: `${user.id}${suffix}` as TurnId,
      users: new Map(),
      first: user,
      last: undefined,
      idle: false,
      errors: [],
      steps: new Map(),
      refused: false,
      failure: undefined,
      retry: "",
      counted: new Set()
    }
    emit({
      type: "turn.started",
      data: { turnId: turn.turnId, ...(user.promptId === undefined ? {} : { promptId: user.promptId }) }
    })
    join(turn, user)
    return turn
  }

  const tellErrors = ({ errors }: Turn, said: string | undefined) => {
    const seen = new Set([said])
    for (const error of errors) {
      const { code, message, raw } = reportError(error)
      if (isAbort(error) || isTrace(error) || seen.has(message)) continue
      seen.add(message)
      note("warning", code ?? error.name, message, raw, `error ${message}`)
    }
  }

  const finish = () => {
    if (turn === undefined) return
    const over = turn
    const end = endOf(over)
    items.closeAll(end.outcome === "failed" ? "failed" : "interrupted")
    requests.closeAll()
    files.end(over.turnId, options.isReading())
    tellErrors(over, end.error?.message)
    emit({ type: "turn.completed", data: { turnId: over.turnId, ...end } })
    hasFailed = end.outcome === "failed"
    turn = undefined
    for (const id of over.users.keys()) {
      users.delete(id)
      options.remember(id)
    }
    options.ended()
    if (end.outcome === "completed") return
    for (const { id, promptId } of users.values()) {
      if (promptId === undefined) continue
      const message = "a prompt came in and was not run: it goes with the next"
      note("info", "prompt_waits", message, { promptId, messageId: id }, id)
    }
  }

  const settle = () => {
    if (turn === undefined || !turn.idle) return
    if (turn.last === undefined ? turn.errors.length > 0 : turn.last.settled) finish()
  }

  const failUnseen = (messageId: string, error: ReportedError) => {
    start(userOf(messageId)).failure = error
    finish()
  }

  return {
    finish,
    settle,
    current: () => turn,
    expect: (promptId, messageId) => {
      expected.set(messageId, promptId)
    },
    isExpected: (messageId) => expected.has(messageId),
    forget: (messageId) => {
      expected.delete(messageId)
    },
    failPrompt: (messageId, error) => {
      if (expected.has(messageId) && turn === undefined) {
        failUnseen(messageId, error)
      } else if (turn?.first.id === messageId && turn.last === undefined) {
        turn.failure = error
        finish()
      }
      expected.delete(messageId)
    },
    user: (messageId) => users.get(messageId),
    userCame: (messageId, createdAt) => {
      const isNew = !users.has(messageId)
      const user = userOf(messageId)
      user.createdAt ??= createdAt
      // One that waited while a turn ran, and was not run, is told again without being run now.
      if (isNew && turn === undefined && (user.promptId !== undefined || isBusy)) start(user)
    },
    userRemoved: (messageId) => {
      if (users.get(messageId)?.inTurn === false) users.delete(messageId)
    },
    userPart: (user, part) => {
      if (part.type === "compaction") user.compaction = { automatic: part.auto === true }
      else if (part.synthetic !== true) user.written = true
      if (user.inTurn) tellPart(user, part)
      else if (user.parts.length < maxParts) user.parts.push(part)
    },
    goOn: (messageId, suffix) => {
      start(userOf(messageId), suffix)
    },
    answer: (userId, callId, isCompaction) => {
      // A turn that was given up and goes on after all is another turn.
      const user = userOf(!users.has(userId) && options.isOver(userId) ? callId : userId)
      if (turn !== undefined && !turn.users.has(user.id)) {
        if ((isCompaction && user.compaction === undefined) || goesOn(turn, user)) {
          join(turn, user)
          if (user.promptId !== undefined) {
            emit({ type: "prompt.delivered", data: { promptId: user.promptId, turnId: turn.turnId } })
          }
        } else {
          finish()
        }
      }
      return turn ?? start(user)
    },
    busy: () => {
      isBusy = true
      if (turn !== undefined) {
        turn.idle = false
        return
      }
      const newest = [...users.values()].at(-1)
      if (newest !== undefined) start(newest)
    },
    idle: () => {
      isBusy = false
      if (turn === undefined) return
      turn.idle = true
      settle()
    },
    retrying: (sessionId, { attempt = 1, message = "the model call failed", next }) => {
      const retry = `${sessionId} ${attempt} ${next}`
      if (turn === undefined || turn.retry === retry) return false
      turn.retry = retry
      emit({
        type: "turn.retrying",
        data: {
          turnId: turn.turnId,
          attempt,
          error: { message: plainMessage(message), retryable: true },
          ...(next === undefined ? {} : { nextAt: next })
        }
      })
      return true
    },
    failed: (error) => {
      if (turn !== undefined) {
        addError(turn, error)
        return settle()
      }
      if (isAbort(error) || (isTrace(error) && hasFailed)) return
      const reported = reportError(error)
      // A prompt for an agent that does not exist makes neither a message nor an idle.
      const [messageId] = expected.keys()
      if (messageId !== undefined && !isTrace(error)) return failUnseen(messageId, reported)
      note(
        isTrace(error) ? "warning" : "error",
        error.name,
        reported.message,
        reported.raw,
        `error ${reported.message}`
      )
    },
    turnOf: (messageId) => aliases.get(messageId) ?? (messageId as TurnId)
  }
}

/** Counts a model call of a session. */
export const countStep = (turn: Turn, sessionId: string, message: AssistantMessage, isOwn: boolean): void => {
  turn.steps.set(sessionId, (turn.steps.get(sessionId) ?? 0) + 1)
  if (!isOwn) return
  turn.last = message
  turn.idle = false
}
