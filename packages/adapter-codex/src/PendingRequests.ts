/** Requests of the server that wait for an answer. Each is closed once: by an answer, by the server, or by its turn's end. */
import type { BackendEvent, ItemId, PermissionOutcome, QuestionOutcome, RequestId, TurnId } from "@holdfast/core"
import type { Askable } from "./Askable.ts"
import type { CodexReply } from "./CodexNormaliser.ts"

/** Requests that wait at once, as in core's state; a further one is turned down. */
const maxPending = 64

/** What a request belongs to. */
export interface RequestOwner {
  /** The turn whose end closes it on the server's side too. */
  readonly turnId?: TurnId
  readonly itemId?: ItemId
  /** Asked by a sub-agent: the end of the session's own turn does not reach it. */
  readonly child: boolean
}

interface Pending extends RequestOwner {
  readonly requestId: RequestId
  readonly id: string | number
  readonly askable: Askable
}

/** The requests of a session. */
export interface PendingRequests {
  /** A request arrives; undefined where it waits already, and is only repeated. Full: `rejected` has the reply. */
  readonly add: (
    id: string | number,
    owner: RequestOwner,
    askable: Askable
  ) => { readonly event: BackendEvent } | { readonly rejected: CodexReply } | undefined
  readonly answer: (requestId: RequestId, outcome: PermissionOutcome | QuestionOutcome) => CodexReply | undefined
  readonly cancelAll: () => ReadonlyArray<CodexReply>
  /** The server closed one: the events, and the item that may go on. */
  readonly resolved: (id: string | number) => {
    readonly events: ReadonlyArray<BackendEvent>
    readonly allowed?: ItemId
  }
  /** The session's turn is over: nobody asks any more. Those that the server would wait for are turned down. */
  readonly endTurn: (turnId: TurnId) => {
    readonly events: ReadonlyArray<BackendEvent>
    readonly replies: ReadonlyArray<CodexReply>
  }
  /** Whether an item waits for an answer, or was turned down and has not ended yet. */
  readonly isWaiting: (itemId: ItemId) => boolean
}

/** Starts with none. Ids of requests are counted by the server's process, so the generation is part of ours. */
export const makePendingRequests = (generation: number): PendingRequests => {
  const pending = new Map<string, Pending>()
  /** Items whose requests were answered and are not confirmed yet. */
  const answered = new Map<string, { readonly itemId: ItemId | undefined; readonly allowed: boolean }>()
  let count = 0

  /** Text and number are different ids: `0` and `"0"`. */
  const keyOf = (id: string | number) => JSON.stringify(id)

  /** Beyond the bound the server's confirmation moves no item: its end does. */
  const settle = (key: string, how: { readonly itemId: ItemId | undefined; readonly allowed: boolean }) => {
    if (answered.size < maxPending) answered.set(key, how)
  }

  const close = ({ askable, requestId }: Pending, by: "backend" | "end"): BackendEvent => ({
    type: askable.asked.type === "permission.requested" ? "permission.resolved" : "question.answered",
    data: { requestId, outcome: { outcome: "cancelled" }, by }
  })

  return {
    add: (id, owner, askable) => {
      const key = keyOf(id)
      if (pending.has(key)) return undefined
      if (pending.size >= maxPending) return { rejected: { id, result: askable.cancel } }
      count += 1
      const requestId = `request-${generation}-${count}` as RequestId
      pending.set(key, { ...owner, requestId, id, askable })
      const { itemId, turnId } = owner
      const ids = {
        requestId,
        ...(turnId === undefined ? {} : { turnId }),
        ...(itemId === undefined ? {} : { itemId })
      }
      const { asked } = askable
      const event: BackendEvent =
        asked.type === "permission.requested"
          ? { type: asked.type, data: { ...ids, ...asked.data } }
          : { type: asked.type, data: { ...ids, ...asked.data } }
      return { event }
    },
    answer: (requestId, outcome) => {
      for (const [key, one] of pending) {
        if (one.requestId !== requestId) continue
        pending.delete(key)
        const { allowed, result } = one.askable.answer(outcome)
        settle(key, { itemId: one.itemId, allowed })
        return { id: one.id, result }
      }
      return undefined
    },
    cancelAll: () => {
      const all = [...pending]
      pending.clear()
      for (const [key, { itemId }] of all) settle(key, { itemId, allowed: false })
      return all.map(([, { askable, id }]) => ({ id, result: askable.cancel }))
    },
    resolved: (id) => {
      const key = keyOf(id)
      const said = answered.get(key)
      answered.delete(key)
      if (said?.allowed === true && said.itemId !== undefined) return { events: [], allowed: said.itemId }
      const one = pending.get(key)
      pending.delete(key)
      return { events: one === undefined ? [] : [close(one, "backend")] }
    },
    endTurn: (turnId) => {
      const all = [...pending.values()]
      pending.clear()
      answered.clear()
      return {
        events: all.map((one) => close(one, "end")),
        replies: all.flatMap(({ askable, child, id, ...one }) =>
          child || one.turnId !== turnId ? [{ id, result: askable.cancel }] : []
        )
      }
    },
    isWaiting: (itemId) =>
      [...pending.values()].some((one) => one.itemId === itemId) ||
      [...answered.values()].some((one) => one.itemId === itemId && !one.allowed)
  }
}
