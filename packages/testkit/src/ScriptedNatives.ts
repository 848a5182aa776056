/** What scripted agents keep beyond an opening: the sessions of one scripted provider, by native id. */
import type { OpenRequest, PromptId, TurnId } from "@holdfast/core"

/** A turn as the provider keeps it. */
export interface NativeTurn {
  readonly turnId: TurnId
  /** Its prompt, and those that were steered into it. */
  readonly promptIds: ReadonlyArray<PromptId>
  /** All that was said to the agent. */
  readonly text: string
}

/** A session as the provider keeps it. */
export interface NativeSession {
  readonly nativeId: string
  readonly turns: ReadonlyArray<NativeTurn>
  /** What the last revert took back, until the next prompt. */
  readonly reverted: ReadonlyArray<NativeTurn> | undefined
}

/** The sessions of a provider. They live as long as this object, and so longer than any opening. */
export interface ScriptedNatives {
  /** The session that is resumed or branched; a new one otherwise. */
  readonly open: (request: OpenRequest) => NativeSession
  readonly get: (nativeId: string) => NativeSession
  readonly set: (session: NativeSession) => void
  /** Copies a session up to and including a turn, or whole. Undefined where there is no such turn. */
  readonly fork: (nativeId: string, throughTurn?: TurnId) => NativeSession | undefined
}

/** Makes a provider without sessions. */
export const scriptedNatives = (): ScriptedNatives => {
  const sessions = new Map<string, NativeSession>()
  let forks = 0

  const get = (nativeId: string) => sessions.get(nativeId) ?? { nativeId, turns: [], reverted: undefined }
  const set = (session: NativeSession) => void sessions.set(session.nativeId, session)

  const fork: ScriptedNatives["fork"] = (from, throughTurn) => {
    const { turns } = get(from)
    const end = throughTurn === undefined ? turns.length : turns.findIndex(({ turnId }) => turnId === throughTurn) + 1
    if (throughTurn !== undefined && end === 0) return undefined
    const branch = { nativeId: `${from}-fork-${++forks}`, turns: turns.slice(0, end), reverted: undefined }
    set(branch)
    return branch
  }

  return {
    get,
    set,
    fork,
    open: ({ forkOf, nativeId, sessionId }) =>
      (nativeId === undefined && forkOf !== undefined ? fork(forkOf) : undefined) ??
      get(nativeId ?? `native-${sessionId}`)
  }
}
