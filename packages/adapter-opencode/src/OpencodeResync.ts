/**
 * Reads snapshots of the server: as history, when a generation begins, or for what was missed. A snapshot is taken like the
 * events that would have led to it, in their order; what was told already says nothing again.
 */
import type { ItemId } from "@holdfast/core"
import type { OpencodeMessages, TakeChild } from "./OpencodeMessages.ts"
import type { OpencodeSnapshot, ResyncOptions } from "./OpencodeNormaliser.ts"
import type { OpencodeRecord } from "./OpencodeRecord.ts"
import { cameAfter } from "./OpencodeTurn.ts"
import type { OpencodeTurns, OpencodeVoice } from "./OpencodeTurns.ts"
import {
  lenientDecoder,
  type Message,
  Part,
  PermissionRequest,
  QuestionRequest,
  Session,
  SessionStatus,
  StoredMessage
} from "./OpencodeWire.ts"

const decodeSession = lenientDecoder(Session)
const decodeStatus = lenientDecoder(SessionStatus)
const decodePart = lenientDecoder(Part)
const decodeStored = lenientDecoder(StoredMessage)
const decodePermission = lenientDecoder(PermissionRequest)
const decodeQuestion = lenientDecoder(QuestionRequest)

/** How snapshots are read. */
export interface OpencodeResync {
  readonly adopt: (snapshot: OpencodeSnapshot) => void
  readonly resync: (snapshot: OpencodeSnapshot, how: ResyncOptions) => void
}

/** What reading a snapshot moves. */
export interface OpencodeResyncOptions {
  readonly voice: OpencodeVoice
  readonly messages: OpencodeMessages
  readonly turns: OpencodeTurns
  readonly record: OpencodeRecord
  /** For ids of what goes on in this generation. */
  readonly suffix: string
  readonly permission: (request: PermissionRequest, suffix: string) => void
  readonly question: (request: QuestionRequest, suffix: string) => void
}

type Lists = Map<string, ReadonlyArray<unknown>>

/** Makes the reader. */
export const makeOpencodeResync = (options: OpencodeResyncOptions): OpencodeResync => {
  const { messages, record, suffix, turns } = options
  const { files, items, requests } = options.voice
  const { own } = messages

  const takeNothing: TakeChild = () => undefined

  /** A message that is new, as if it came: its beginning, its parts, its end. */
  const readMessage = (info: Message, parts: ReadonlyArray<unknown>, takeChild: TakeChild) => {
    const { error: _error, finish: _finish, time: _time, ...begun } = info
    messages.message(info.role === "assistant" ? begun : info)
    for (const each of parts) {
      const part = decodePart(each)
      if (part !== undefined) messages.part(part, takeChild)
    }
    if (info.role === "assistant") messages.message(info)
  }

  const readMessages = (sessionId: string, list: ReadonlyArray<unknown>, lists: Lists) => {
    const session = messages.session(sessionId)
    if (session === undefined) return
    const stored = list.flatMap((each) => decodeStored(each) ?? [])
    const known = stored.findLastIndex(({ info }) => session.history.has(info.id))
    for (const { info } of stored.slice(0, known + 1)) {
      if (session === own && typeof info.summary === "object") files.compared(info.id, info.summary.diffs ?? [])
    }
    for (const { info, parts = [] } of stored.slice(known + 1)) readMessage(info, parts, takeFrom(lists))
  }

  const takeFrom =
    (lists: Lists): TakeChild =>
    (childId) => {
      const list = lists.get(childId)
      lists.delete(childId)
      if (list !== undefined) readMessages(childId, list, lists)
    }

  const readRecord = (snapshot: OpencodeSnapshot, isHistory: boolean) => {
    const session = decodeSession(snapshot.session)
    if (session?.id === own.id) {
      const ids = snapshot.messages[own.id]?.flatMap((each) => decodeStored(each)?.info.id ?? [])
      record.update(session, { isHistory, messageIds: ids })
    }
    for (const each of snapshot.children ?? []) {
      const child = decodeSession(each)
      if (child !== undefined && child.id !== own.id) messages.addChild(child.id)
    }
  }

  const permissionsIn = (snapshot: OpencodeSnapshot) =>
    snapshot.permissions.flatMap((each) => decodePermission(each) ?? []).filter(isOurs)

  const questionsIn = (snapshot: OpencodeSnapshot) =>
    snapshot.questions.flatMap((each) => decodeQuestion(each) ?? []).filter(isOurs)

  const isOurs = ({ sessionID }: { readonly sessionID: string }): boolean => messages.session(sessionID) !== undefined

  const readRequests = (snapshot: OpencodeSnapshot, idSuffix: string) => {
    const permissions = permissionsIn(snapshot)
    const questions = questionsIn(snapshot)
    requests.keepOnly(new Set([...permissions, ...questions].map(({ id }) => id)))
    for (const request of permissions) options.permission(request, idSuffix)
    for (const request of questions) options.question(request, idSuffix)
  }

  const statusIn = ({ status }: OpencodeSnapshot, id: string): SessionStatus =>
    decodeStatus(status[id]) ?? { type: Object.hasOwn(status, id) ? "busy" : "idle" }

  const readStatus = (snapshot: OpencodeSnapshot) => {
    for (const id of messages.children()) messages.status(messages.addChild(id), statusIn(snapshot, id))
    messages.status(own, statusIn(snapshot, own.id))
  }

  /** A message of the running turn, under ids of this generation. Usage of complete ones was told, or is lost. */
  const continueMessage = (info: Message, parts: ReadonlyArray<unknown>) => {
    const isOver = info.time?.completed !== undefined || info.error !== undefined
    if (isOver && info.summary === true) return messages.remember(messages.session(info.sessionID) ?? own, info.id)
    for (const each of parts) {
      const part = decodePart(each)
      if (part === undefined || info.role !== "assistant") continue
      items.rename(part.id, `${part.id}${suffix}` as ItemId)
      if (isOver) turns.current()?.counted.add(part.id)
    }
    readMessage(info, info.role === "assistant" ? parts : [], takeNothing)
  }

  const adoptRunning = (snapshot: OpencodeSnapshot) => {
    const stored = (snapshot.messages[own.id] ?? []).flatMap((each) => decodeStored(each) ?? [])
    const from = beginningOf(stored.map(({ info }) => info))
    for (const { info } of stored.slice(0, from)) messages.remember(own, info.id)
    const first = stored[from]
    if (first !== undefined) turns.goOn(first.info.id, suffix)
    for (const { info, parts = [] } of stored.slice(from)) continueMessage(info, parts)
    for (const [id, list] of Object.entries(snapshot.messages)) {
      if (id === own.id) continue
      messages.addChild(id)
      for (const each of list) {
        const message = decodeStored(each)
        if (message !== undefined) continueMessage(message.info, message.parts ?? [])
      }
    }
    readRequests(snapshot, suffix)
    readStatus(snapshot)
    items.gap()
  }

  return {
    adopt: (snapshot) => {
      readRecord(snapshot, true)
      if (statusIn(snapshot, own.id).type !== "idle") return adoptRunning(snapshot)
      for (const [id, list] of Object.entries(snapshot.messages)) {
        const session = id === own.id ? own : messages.addChild(id)
        for (const each of list) {
          const message = decodeStored(each)
          if (message !== undefined) messages.remember(session, message.info.id)
        }
      }
      for (const { id } of permissionsIn(snapshot)) requests.refuse(id, "permission")
      for (const { id } of questionsIn(snapshot)) requests.refuse(id, "question")
    },
    resync: (snapshot, { final = false, missed = true }) => {
      readRecord(snapshot, false)
      const lists: Lists = new Map(Object.entries(snapshot.messages))
      takeFrom(lists)(own.id)
      // Of the others it is not known to which call they belong: they may be long over.
      for (const id of lists.keys()) if (messages.session(id)?.parentId !== undefined) takeFrom(lists)(id)
      readRequests(snapshot, "")
      readStatus(snapshot)
      if (missed) items.gap()
      if (final && turns.current()?.idle === true) turns.finish()
    }
  }
}

/** Where the last turn begins: with the user message that it answers, or with the one whose steps went on into that. */
const beginningOf = (messages: ReadonlyArray<Message>): number => {
  const asked = (answer: Message | undefined): number => messages.findIndex(({ id }) => id === answer?.parentID)
  let from = asked(messages.findLast(({ role }) => role === "assistant"))
  if (from < 0)
    return Math.max(
      0,
      messages.findLastIndex(({ role }) => role === "user")
    )
  for (;;) {
    const before = messages.findLast(({ role }, index) => index < from && role === "assistant")
    const earlier = asked(before)
    if (before?.finish !== "tool-calls" || before.error !== undefined || earlier < 0 || earlier >= from) return from
    if (cameAfter(messages[from]?.time?.created, before.time?.completed)) return from
    from = earlier
  }
}
