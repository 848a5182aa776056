/** What a session's own record tells: its title, and turns that are taken back. */
import type { BackendEvent, TurnId } from "@holdfast/core"
import type { Session } from "./OpencodeWire.ts"

/** Titles that nobody found: the server's own before the first. */
const defaultTitle = /^(New session|Child session) - \d{4}-/

/** Files of a revert that are told: 500. */
const maxFiles = 500

/** How an update came. */
export interface RecordUpdate {
  /** It was so before this generation: nothing is told. */
  readonly isHistory?: boolean
  /** The session's messages at that moment, where they were read. */
  readonly messageIds?: ReadonlyArray<string> | undefined
}

/** The record of a session. */
export interface OpencodeRecord {
  readonly update: (session: Session, how?: RecordUpdate) => void
  /** A message was deleted: a prompt deletes what was taken back before it. */
  readonly messageRemoved: () => void
}

/** Makes it. `turnOf` names the turn of a message. */
export const makeOpencodeRecord = (
  emit: (event: BackendEvent) => void,
  turnOf: (messageId: string) => TurnId
): OpencodeRecord => {
  let title: string | undefined
  let revert: { readonly messageId: string; isFinal: boolean } | undefined

  return {
    update: (session, { isHistory = false, messageIds } = {}) => {
      if (session.title !== undefined && session.title !== title) {
        title = session.title
        if (!isHistory && !defaultTitle.test(title)) emit({ type: "agent.titled", data: { title } })
      }
      if (revert !== undefined && messageIds !== undefined && !messageIds.includes(revert.messageId)) {
        revert.isFinal = true
      }
      const now = session.revert
      if (now === undefined) {
        // With the messages the way back is gone: they stay reverted.
        if (revert?.isFinal === false) emit({ type: "history.restored", data: {} })
        revert = undefined
      } else if (now.messageID !== revert?.messageId) {
        revert = { messageId: now.messageID, isFinal: false }
        if (isHistory) return
        const files = now.diff === undefined ? [] : filesIn(now.diff)
        emit({
          type: "history.reverted",
          data: { turnId: turnOf(now.messageID), ...(files.length === 0 ? {} : { files }) }
        })
      }
    },
    messageRemoved: () => {
      if (revert !== undefined) revert.isFinal = true
    }
  }
}

/** The files that a difference of Git is about. */
const filesIn = (diff: string): ReadonlyArray<string> =>
  [...diff.matchAll(/^diff --git a\/(.+) b\/.+$/gm)].slice(0, maxFiles).map((match) => match[1]!)
