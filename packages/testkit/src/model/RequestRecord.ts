/** What a scripted model remembers: its latest requests, and of each conversation what tells a retry from a next step. */
import { Clock, Effect, Schema } from "effect"
import { makeWaitableList } from "../WaitableList.ts"
import {
  type AnswerState,
  type ModelDialectName,
  type ReadRequest,
  type RecordedRequest,
  sinceUser
} from "./ModelRequest.ts"

/** No request came that was waited for. */
export class ModelWaitExpired extends Schema.TaggedError<ModelWaitExpired>()("ModelWaitExpired", {
  waitedMs: Schema.Number,
  /** The latest requests, described. */
  requests: Schema.Array(Schema.String)
}) {
  override get message() {
    const came = this.requests.length === 0 ? "there was none at all" : `the latest were ${this.requests.join("; ")}`
    return `No request that fits came to the scripted model within ${this.waitedMs} ms: ${came}`
  }
}

/** Conversations whose latest call is remembered. The ones that called longest ago are forgotten first. */
const conversationLimit = 1_000

/** Requests that a failed wait names. */
const describedRequests = 10

/** A request as the server got it. */
export interface ArrivedRequest {
  readonly dialect: ModelDialectName
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** A request while it is answered. */
export interface OpenRequest {
  readonly request: RecordedRequest
  /** Calls of its turn so far, this one included. 1 where the client names no conversation. */
  readonly calls: number
  readonly waitsAt: (gate: string | undefined) => void
  /** Only the first counts. */
  readonly ends: (state: AnswerState, problem?: string) => void
}

/** What is kept of the requests. */
export interface RequestRecord {
  readonly requests: ReadonlyArray<RecordedRequest>
  readonly add: (arrived: ArrivedRequest, read: ReadRequest) => OpenRequest
  readonly wait: (
    fits: (request: RecordedRequest) => boolean,
    timeoutMs: number
  ) => Effect.Effect<RecordedRequest, ModelWaitExpired>
}

type Mutable<A> = { -readonly [Key in keyof A]: A[Key] }

/** The latest call of a conversation. */
interface LatestCall {
  readonly request: RecordedRequest
  readonly history: string
  readonly turn: string
  readonly calls: number
}

const describe = ({ dialect, number, prompt, purpose, state, step }: RecordedRequest) =>
  `#${number} (${dialect}, ${purpose}, step ${step}, ${state}) ${JSON.stringify(prompt.slice(0, 60))}`

/** Makes an empty record. */
export const makeRequestRecord = (keepRequests: number, keepBodies: number): RequestRecord => {
  const list = makeWaitableList<Mutable<RecordedRequest>>(keepRequests)
  const latest = new Map<string, LatestCall>()
  let count = 0

  const remember = (key: string, call: LatestCall) => {
    latest.delete(key)
    latest.set(key, call)
    const [oldest] = latest.keys()
    if (latest.size > conversationLimit && oldest !== undefined) latest.delete(oldest)
  }

  return {
    requests: list.items,
    add: (arrived, read) => {
      const { hasUser, ...since } = sinceUser(read.history)
      const key = JSON.stringify([arrived.dialect, read.conversation, read.purpose])
      const before = latest.get(key)
      const history = JSON.stringify(read.history)
      const unanswered = before?.request.state === "broken" || before?.request.state === "client gone"
      const again = unanswered && before.history === history
      const users = read.history.filter(({ role }) => role === "user").length
      const turn = read.turn ?? `${users} ${since.prompt}`
      count += 1
      const request: Mutable<RecordedRequest> = {
        number: count,
        ...arrived,
        model: read.model,
        conversation: read.conversation,
        parent: read.parent,
        purpose: hasUser ? read.purpose : "other",
        ...since,
        attempt: again ? before.request.attempt + 1 : 0,
        tools: read.tools,
        state: "answering",
        gate: undefined,
        problem: undefined
      }
      const calls = read.conversation !== undefined && before?.turn === turn ? before.calls + 1 : 1
      remember(key, { request, history, turn, calls })
      list.add(request)
      const old = list.items[list.items.length - 1 - keepBodies]
      if (old !== undefined) old.body = undefined
      return {
        request,
        calls,
        waitsAt: (gate) => {
          request.gate = gate
          list.changed()
        },
        ends: (state, problem) => {
          if (request.state !== "answering") return
          request.state = state
          request.problem = problem
          request.gate = undefined
          list.changed()
        }
      }
    },
    wait: (fits, timeoutMs) =>
      list
        .find((items) => items.find(fits))
        .pipe(
          Effect.timeoutOrElse({
            duration: timeoutMs,
            orElse: () =>
              Effect.fail(
                new ModelWaitExpired({
                  waitedMs: timeoutMs,
                  requests: list.items.slice(-describedRequests).map(describe)
                })
              )
          }),
          // Clients are in real time: under a test's clock this wait would have no end.
          Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())
        )
  }
}
