/** The subscriptions of a client: their numbers on each connection, and which frame is whose. */
import {
  type ConnectionLimits,
  decodeFrame,
  type Present,
  type Problem,
  type ServerMessage,
  type SessionId,
  type SubscribeFrom,
  type TerminalMode,
  type ClientMessage,
  type CommandId
} from "@holdfast/core"
import { Subscription, type SubscriptionLink } from "./Subscription.ts"

/** What subscriptions need of the client around them. */
export interface SubscriptionsOptions {
  readonly send: (message: ClientMessage) => void
  /** Keystrokes reached their terminal. */
  readonly onTyped: (commandId: CommandId) => void
}

/** All of them. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #open = new Set<Subscription>()
  /** Those that the server of the connection knows, by their number there. */
  readonly #byNumber = new Map<number, Subscription>()
  readonly #present = new Map<SessionId, ReadonlyArray<Present>>()
  readonly #onPresence = new Map<SessionId, Set<(present: ReadonlyArray<Present>) => void>>()
  /** Numbers of lists come from here as well, and none is used twice on a connection. */
  #lastNumber = 0
  #connection = 0
  #limits: ConnectionLimits | undefined
  #ended: Problem | undefined
  readonly #link: SubscriptionLink = {
    subscribe: (subscription) => {
      const { from, sessionId, terminal } = subscription
      subscription.number = this.nextNumber()
      this.#byNumber.set(subscription.number, subscription)
      this.#options.send({ type: "subscribe", subscription: subscription.number, sessionId, from, terminal })
    },
    unsubscribe: (subscription) => {
      if (this.#byNumber.delete(subscription.number)) {
        this.#options.send({ type: "unsubscribe", subscription: subscription.number })
      }
      this.#forget(subscription)
    },
    credit: ({ number }, bytes) => {
      if (this.#byNumber.has(number)) this.#options.send({ type: "credit", subscription: number, bytes })
    }
  }

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  /** A number for a subscription or a list. */
  nextNumber(): number {
    return ++this.#lastNumber
  }

  subscribe(sessionId: SessionId, from: SubscribeFrom, terminal: TerminalMode): Subscription {
    const subscription = new Subscription(this.#link, sessionId, from, terminal)
    if (this.#ended !== undefined && !subscription.waits) {
      subscription.end(this.#ended)
      return subscription
    }
    this.#open.add(subscription)
    if (this.#limits !== undefined) subscription.attach(this.#connection, this.#limits.windowBytes)
    return subscription
  }

  /** There is a connection: everything goes on there. */
  onWelcome(limits: ConnectionLimits): void {
    this.#limits = limits
    this.#connection++
    for (const subscription of this.#open) subscription.attach(this.#connection, limits.windowBytes)
  }

  onLost(): void {
    this.#limits = undefined
    this.#lastNumber = 0
    this.#byNumber.clear()
    for (const sessionId of this.#present.keys()) this.#setPresent(sessionId, [])
    this.#present.clear()
  }

  /** No connection is made any more: who cannot wait until the app has the client try again is told. */
  end(problem: Problem): void {
    this.#ended = problem
    for (const subscription of this.#open) {
      if (subscription.waits) continue
      this.#forget(subscription)
      subscription.end(problem)
    }
  }

  /** The app has the client try again. */
  begin(): void {
    this.#ended = undefined
  }

  onSubscribed(message: ServerMessage & { readonly type: "subscribed" }): void {
    this.#byNumber.get(message.subscription)?.begun(message)
  }

  onUnsubscribed({ problem, subscription: number }: ServerMessage & { readonly type: "unsubscribed" }): void {
    const subscription = this.#byNumber.get(number)
    if (subscription === undefined) return
    this.#byNumber.delete(number)
    this.#forget(subscription)
    subscription.end(problem)
  }

  /** Throws where the server breaks the protocol. */
  onFrame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes, (number) => this.#byNumber.get(number)?.sessionId)
    if (frame === undefined) return
    if (frame.kind === "typed") this.#options.onTyped(frame.commandId)
    else this.#byNumber.get(frame.subscription)?.frame(frame)
  }

  onPresence({ present, sessionId }: ServerMessage & { readonly type: "presence" }): void {
    this.#setPresent(sessionId, present)
  }

  /** Who has a session open, now and at each change; the result ends that. */
  watchPresent(sessionId: SessionId, listener: (present: ReadonlyArray<Present>) => void): () => void {
    let listeners = this.#onPresence.get(sessionId)
    if (listeners === undefined) this.#onPresence.set(sessionId, (listeners = new Set()))
    listeners.add(listener)
    const present = this.#present.get(sessionId)
    if (present !== undefined) listener(present)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#onPresence.get(sessionId) === listeners) this.#onPresence.delete(sessionId)
    }
  }

  #setPresent(sessionId: SessionId, present: ReadonlyArray<Present>): void {
    // It is told with the first subscription to a session, and kept for those that come later.
    this.#present.set(sessionId, present)
    for (const listener of this.#onPresence.get(sessionId) ?? []) listener(present)
  }

  #forget(subscription: Subscription): void {
    this.#open.delete(subscription)
    const { sessionId } = subscription
    for (const other of this.#open) if (other.sessionId === sessionId) return
    this.#present.delete(sessionId)
  }
}
