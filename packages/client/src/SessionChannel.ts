/**
 * What views and terminals of one session share: one subscription to the latest, so that output goes over the wire once.
 * Whoever joins later begins with a subscription of their own; once the others have come to where it began, they go over to
 * it, and it is the only one again.
 */
import type { Followed, HistoryPage, Problem, ScreenHead, SessionId } from "@holdfast/core"
import { clientError } from "./ClientError.ts"
import type { Arrived, Begun, Subscription } from "./Subscription.ts"
import type { Subscriptions } from "./Subscriptions.ts"
import { messageOf } from "./TokenSource.ts"

/** Pause before it is opened again after something went wrong; it doubles up to the longest, and a random part is waited. */
const pauseMs = 500
const maxPauseMs = 15_000

/** A view or a terminal. What a method returns is waited for before more is asked of the server. */
export interface ChannelMember {
  /** Events of history that it wants. */
  readonly history: number
  /** It begins, or begins again: `history` and a screen may follow, then what comes after `begun.cursor`. */
  readonly begin: (begun: Begun) => void
  readonly showHistory: (page: HistoryPage) => void
  readonly showScreen: (screen: ScreenHead, ansi: Uint8Array) => void | Promise<void>
  /** Some of its events may be known already. */
  readonly follow: (page: Exclude<Followed, { readonly answer: "gap" }>) => void | Promise<void>
  /** Something went wrong, or (`lost`) events cannot be had: it will begin again. */
  readonly interrupted: (problem: Problem, lost: boolean) => void
  /** There is no such session (any more). */
  readonly gone: (problem: Problem) => void
  /** The client was closed. */
  readonly closed: () => void
}

/** A subscription, and whom it serves. */
interface Lane {
  readonly subscription: Subscription
  readonly members: Set<ChannelMember>
  /** Up to where its members have everything. */
  cursor: number
}

/** The channel of one session. */
export class SessionChannel {
  readonly #sessionId: SessionId
  readonly #subscriptions: Subscriptions
  readonly #onEmpty: () => void
  readonly #onError: (error: unknown) => void
  readonly #members = new Set<ChannelMember>()
  /** Members that no subscription serves yet. */
  readonly #joining = new Set<ChannelMember>()
  #main: Lane | undefined
  /** Begins, and takes the place of the main one once that has come to where it began. */
  #next: Lane | undefined
  #caughtUp: (() => void) | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #failures = 0

  constructor(
    sessionId: SessionId,
    subscriptions: Subscriptions,
    onEmpty: () => void,
    onError: (error: unknown) => void
  ) {
    this.#sessionId = sessionId
    this.#subscriptions = subscriptions
    this.#onEmpty = onEmpty
    this.#onError = onError
  }

  /** Joins; the result leaves. Who joins in the same turn begins together. */
  join(member: ChannelMember): () => void {
    this.#members.add(member)
    this.#joining.add(member)
    queueMicrotask(() => this.#admit())
    return () => {
      if (!this.#members.delete(member)) return
      this.#joining.delete(member)
      this.#main?.members.delete(member)
      this.#next?.members.delete(member)
      if (this.#members.size > 0) return
      this.#stop()
      this.#onEmpty()
    }
  }

  /** Everything begins again, after a pause. */
  reopen(problem: Problem, lost = false): void {
    this.#stop()
    for (const member of this.#members) this.#joining.add(member)
    const pause = Math.random() * Math.min(maxPauseMs, pauseMs * 2 ** Math.min(10, this.#failures++))
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#admit()
    }, pause)
    for (const member of this.#members) this.#guard(() => member.interrupted(problem, lost))
  }

  /** The client was closed. */
  end(): void {
    this.#stop()
    for (const member of this.#members) this.#guard(() => member.closed())
    this.#members.clear()
    this.#joining.clear()
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const lane of [this.#main, this.#next]) lane?.subscription.close()
    this.#main = this.#next = undefined
    this.#caughtUp?.()
  }

  /** Opens a subscription for those who wait for one, unless one is being opened. */
  #admit(): void {
    if (this.#joining.size === 0 || this.#next !== undefined || this.#timer !== undefined) return
    const members = new Set(this.#joining)
    this.#joining.clear()
    const latest = Math.max(...[...members].map((member) => member.history))
    const subscription = this.#subscriptions.subscribe(this.#sessionId, { latest }, "screen")
    const lane: Lane = { subscription, members, cursor: -1 }
    if (this.#main === undefined) this.#main = lane
    else this.#next = lane
    this.#run(lane).catch(this.#onError)
  }

  async #run(lane: Lane): Promise<void> {
    for (;;) {
      const delivery = await lane.subscription.next()
      if (delivery === undefined) return
      const { arrived } = delivery
      if (arrived.kind === "page" && lane === this.#next) await this.#mainAt(lane.cursor)
      if (lane !== this.#main && lane !== this.#next) return
      try {
        const done = this.#deliver(lane, arrived)
        if (done !== undefined) await done
      } catch (error) {
        this.#onError(error)
        return this.reopen(clientError("internal", `the session could not be followed: ${messageOf(error)}`).problem)
      }
      lane.subscription.taken(delivery)
    }
  }

  /** Waits until the main one has come to a seq; then the next one takes its place. */
  async #mainAt(cursor: number): Promise<void> {
    const main = this.#main
    const next = this.#next
    if (main === undefined || next === undefined) return
    if (main.cursor < cursor) await new Promise<void>((resolve) => (this.#caughtUp = resolve))
    this.#caughtUp = undefined
    if (this.#main !== main || this.#next !== next) return
    for (const member of main.members) next.members.add(member)
    this.#main = next
    this.#next = undefined
    main.subscription.close()
    this.#admit()
  }

  /** What has to be waited for before the next, if anything. */
  #deliver(lane: Lane, arrived: Arrived): Promise<unknown> | undefined {
    switch (arrived.kind) {
      case "begun":
        lane.cursor = arrived.begun.cursor
        for (const member of lane.members) member.begin(arrived.begun)
        return undefined
      case "history":
        for (const member of lane.members) member.showHistory(arrived.page)
        return undefined
      case "screen":
        return giveAll(lane, (member) => member.showScreen(arrived.screen, arrived.ansi))
      case "page": {
        const { page } = arrived
        if (page.answer === "gap") {
          if (page.reason === "removed") this.#gone(clientError("not_found", page.detail).problem)
          else this.reopen(clientError("internal", page.detail).problem, true)
          return undefined
        }
        this.#failures = 0
        const done = giveAll(lane, (member) => member.follow(page))
        lane.cursor = page.cursor
        if (lane === this.#main && this.#next !== undefined && lane.cursor >= this.#next.cursor) this.#caughtUp?.()
        return done
      }
      case "ended":
        if (arrived.problem.kind === "not_found" || arrived.problem.kind === "forbidden") this.#gone(arrived.problem)
        else this.reopen(arrived.problem)
        return undefined
    }
  }

  #gone(problem: Problem): void {
    this.#stop()
    for (const member of this.#members) this.#guard(() => member.gone(problem))
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#onError(error)
    }
  }
}

const giveAll = (lane: Lane, give: (member: ChannelMember) => void | Promise<void>): Promise<unknown> | undefined => {
  let waiting: Array<Promise<void>> | undefined
  for (const member of lane.members) {
    const done = give(member)
    if (done !== undefined) (waiting ??= []).push(done)
  }
  return waiting === undefined ? undefined : Promise.all(waiting)
}
