/**
 * One subscription: what a server sends of a session, in order, for one taker. It outlives connections, each of which goes
 * on where the last one ended.
 */
import type {
  Followed,
  Problem,
  ServerFrame,
  ServerMessage,
  SessionId,
  SubscribeFrom,
  TerminalMode
} from "@holdfast/core"
import { clientError } from "./ClientError.ts"

/** The answer to a subscription. */
export type Begun = ServerMessage & { readonly type: "subscribed" }

/** A frame of a subscription. */
export type SubscriptionFrame = Exclude<ServerFrame, { readonly kind: "typed" }>

/** What arrives. */
export type Arrived =
  /** A subscription to the latest begins, or begins again: then whatever came before does not count. */
  | { readonly kind: "begun"; readonly begun: Begun }
  | SubscriptionFrame
  /** The last: the server ended it, or nothing can be asked of the server any more. */
  | { readonly kind: "ended"; readonly problem: Problem }

/** What arrived, and over which connection: bytes are given back as credit to the one that they came from. */
export interface Delivery {
  readonly arrived: Arrived
  readonly connection: number
}

/** What a subscription needs of its connection. */
export interface SubscriptionLink {
  readonly subscribe: (subscription: Subscription) => void
  readonly unsubscribe: (subscription: Subscription) => void
  readonly credit: (subscription: Subscription, bytes: number) => void
}

/** Credit is given back in parts of the window of 1 to this: few messages, and never a stop. */
const creditParts = 4

/** A subscription; `Subscriptions` makes it. */
export class Subscription {
  readonly sessionId: SessionId
  readonly terminal: TerminalMode
  /** Its number on the connection that there is. */
  number = 0
  readonly #link: SubscriptionLink
  #from: SubscribeFrom
  /** The seq up to which it has everything. */
  #cursor: number
  /** Bounded by the window: a server that sends more than it has credit for breaks the protocol. */
  readonly #deliveries: Array<Delivery> = []
  #waiting: ((delivery: Delivery | undefined) => void) | undefined
  #connection = 0
  #windowBytes = 0
  #heldBytes = 0
  #owedBytes = 0
  #isOpen = true
  /** The cursor before the snapshot pages that came last: the screen that belongs to them has yet to come. */
  #beforeSnapshot: number | undefined

  constructor(link: SubscriptionLink, sessionId: SessionId, from: SubscribeFrom, terminal: TerminalMode) {
    this.#link = link
    this.sessionId = sessionId
    this.#from = from
    this.#cursor = "after" in from ? from.after : 0
    this.terminal = terminal
  }

  /** Who looks at a session waits for as long as it takes; a program that reads it is told where nothing is tried any more. */
  get waits(): boolean {
    return this.terminal === "screen"
  }

  /** Where it begins, or goes on. */
  get from(): SubscribeFrom {
    return this.#from
  }

  /** The next of what arrives; undefined once it is over. One call at a time. */
  next(): Promise<Delivery | undefined> {
    const delivery = this.#deliveries.shift()
    if (delivery !== undefined || !this.#isOpen) return Promise.resolve(delivery)
    return new Promise((resolve) => (this.#waiting = resolve))
  }

  /** What `next` gave was dealt with: as much may be sent again. */
  taken({ arrived, connection }: Delivery): void {
    if (connection !== this.#connection || !("bytes" in arrived)) return
    this.#heldBytes -= arrived.bytes
    this.#owedBytes += arrived.bytes
    if (!this.#isOpen || this.#owedBytes * creditParts < this.#windowBytes) return
    this.#link.credit(this, this.#owedBytes)
    this.#owedBytes = 0
  }

  /** Ends it here. What had arrived is dropped. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#deliveries.length = 0
    this.#link.unsubscribe(this)
    this.#resume(undefined)
  }

  /** The server ended it, or nothing can be asked of it: what had arrived can still be taken. */
  end(problem: Problem): void {
    if (!this.#isOpen) return
    this.#give({ kind: "ended", problem })
    this.#isOpen = false
  }

  /** There is a connection: it begins, or goes on, with the window of that connection. */
  attach(connection: number, windowBytes: number): void {
    this.#connection = connection
    this.#windowBytes = windowBytes
    this.#heldBytes = this.#owedBytes = 0
    // The screen that belongs to the last pages did not arrive: they and it have to come again.
    if (this.#beforeSnapshot !== undefined) this.#goOn(this.#beforeSnapshot)
    this.#beforeSnapshot = undefined
    this.#link.subscribe(this)
  }

  begun(begun: Begun): void {
    // One that goes on has nothing new to begin with.
    if ("after" in this.#from) return
    this.#cursor = begun.cursor
    this.#give({ kind: "begun", begun })
  }

  /** Throws where the server breaks the protocol. */
  frame(frame: SubscriptionFrame): void {
    // What a subscription opens with is sent at once, however large it is.
    if (frame.kind === "page" && this.#heldBytes > 2 * this.#windowBytes) {
      throw clientError("invalid", `the server sent more than the ${this.#windowBytes} bytes that it may`)
    }
    if (frame.kind === "page") this.#follow(frame.page)
    else if (frame.kind === "screen") this.#beforeSnapshot = undefined
    this.#heldBytes += frame.bytes
    this.#give(frame)
  }

  #follow(page: Followed): void {
    if (page.answer === "exact" && page.events.length > 0 && page.events[0]!.seq !== this.#cursor + 1) {
      throw clientError("invalid", `the server went on at seq ${page.events[0]!.seq} after ${this.#cursor}`)
    }
    if (page.answer === "snapshot" && this.terminal === "screen") this.#beforeSnapshot ??= this.#cursor
    else this.#beforeSnapshot = undefined
    this.#goOn(page.cursor)
  }

  #goOn(cursor: number): void {
    this.#cursor = cursor
    this.#from = { after: cursor }
  }

  #give(arrived: Arrived): void {
    const delivery = { arrived, connection: this.#connection }
    if (this.#waiting === undefined) this.#deliveries.push(delivery)
    else this.#resume(delivery)
  }

  #resume(delivery: Delivery | undefined): void {
    const resume = this.#waiting
    this.#waiting = undefined
    resume?.(delivery)
  }
}
