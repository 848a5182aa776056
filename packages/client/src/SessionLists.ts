/** The live lists of a client: each is asked for anew on each connection, and stays as it was meanwhile. */
import {
  type ClientMessage,
  type ListQuery,
  type Problem,
  type ServerMessage,
  type SessionId,
  type SessionSummary
} from "@holdfast/core"
import type { ListedSessions, LiveList } from "./LiveList.ts"
import { type LiveValue, makeLive } from "./LiveValue.ts"

/** Pause before a list that the server ended is asked for again; it doubles up to the longest, and a random part is waited. */
const pauseMs = 500
const maxPauseMs = 15_000

/** One list. */
interface OpenList {
  readonly query: ListQuery
  readonly value: LiveValue<ListedSessions>
  readonly byId: Map<SessionId, SessionSummary>
  /** Listed on an earlier connection, and not heard of on this one. */
  unheard: Set<SessionId>
  number: number
  failures: number
  timer: ReturnType<typeof setTimeout> | undefined
}

/** What lists need of the client around them. */
export interface SessionListsOptions {
  readonly send: (message: ClientMessage) => void
  readonly nextNumber: () => number
  readonly isConnected: () => boolean
  readonly onError: (error: unknown) => void
}

/** All lists. */
export class SessionLists {
  readonly #options: SessionListsOptions
  readonly #open = new Set<OpenList>()
  readonly #byNumber = new Map<number, OpenList>()

  constructor(options: SessionListsOptions) {
    this.#options = options
  }

  open(query: ListQuery = {}): LiveList {
    const { isConnected, onError, send } = this.#options
    const value = makeLive<ListedSessions>({ sessions: [], caughtUp: false, problem: null }, onError)
    const list: OpenList = {
      query,
      value,
      byId: new Map(),
      unheard: new Set(),
      number: 0,
      failures: 0,
      timer: undefined
    }
    this.#open.add(list)
    if (isConnected()) this.#ask(list)
    return Object.assign(value.live, {
      close: () => {
        if (!this.#open.delete(list)) return
        clearTimeout(list.timer)
        if (this.#byNumber.delete(list.number)) send({ type: "unsubscribe", subscription: list.number })
        value.end()
      }
    })
  }

  onWelcome(): void {
    for (const list of this.#open) this.#ask(list)
  }

  onLost(): void {
    this.#byNumber.clear()
    for (const list of this.#open) clearTimeout(list.timer)
  }

  /** The client is closed. */
  end(): void {
    this.onLost()
    for (const list of this.#open) list.value.end()
    this.#open.clear()
  }

  onSessions({ caughtUp, changed, gone, subscription }: ServerMessage & { readonly type: "sessions" }): void {
    const list = this.#byNumber.get(subscription)
    if (list === undefined) return
    list.failures = 0
    const { byId, unheard, value } = list
    for (const summary of changed) {
      byId.set(summary.sessionId, summary)
      unheard.delete(summary.sessionId)
    }
    for (const sessionId of gone) byId.delete(sessionId)
    if (caughtUp) {
      for (const sessionId of unheard) byId.delete(sessionId)
      unheard.clear()
    }
    const before = value.live.current
    value.set({
      sessions: [...byId.values()].toSorted(newestFirst),
      caughtUp: caughtUp || before.caughtUp,
      problem: null
    })
  }

  /** Says whether it was a list. */
  onUnsubscribed(number: number, problem: Problem): boolean {
    const list = this.#byNumber.get(number)
    if (list === undefined) return false
    this.#byNumber.delete(number)
    list.value.set({ ...list.value.live.current, caughtUp: false, problem: problem.detail })
    const pause = Math.random() * Math.min(maxPauseMs, pauseMs * 2 ** Math.min(10, list.failures++))
    list.timer = setTimeout(() => this.#ask(list), pause)
    return true
  }

  #ask(list: OpenList): void {
    list.number = this.#options.nextNumber()
    list.unheard = new Set(list.byId.keys())
    this.#byNumber.set(list.number, list)
    if (list.value.live.current.caughtUp) list.value.set({ ...list.value.live.current, caughtUp: false })
    this.#options.send({ type: "list", subscription: list.number, query: list.query })
  }
}

const newestFirst = (a: SessionSummary, b: SessionSummary): number =>
  b.createdAt - a.createdAt || (a.sessionId < b.sessionId ? 1 : -1)
