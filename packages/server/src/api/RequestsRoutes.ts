/** What the endpoints of {@link RequestsApi} do. */
import { EventLog } from "@holdfast/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageOf, send, stateFor } from "./Answers.ts"
import { HoldfastApi } from "./HoldfastApi.ts"
import { openRequests } from "./OpenRequests.ts"

export const requestsRoutes = HttpApiBuilder.group(
  HoldfastApi,
  "requests",
  Effect.fnUntraced(function* (handlers) {
    const log = yield* EventLog
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ params, query }) {
        const { state } = yield* stateFor(params.sessionId)
        const all = yield* openRequests(log, state)
        const { page, ...next } = yield* pageOf(all, ({ requestId }) => requestId, query, 64)
        return { requests: page, ...next }
      }),
      resolve: ({ params: { requestId, sessionId }, payload: { commandId, outcome } }) =>
        send(sessionId, { type: "permission.resolve", data: { requestId, outcome } }, commandId),
      answer: ({ params: { requestId, sessionId }, payload: { commandId, outcome } }) =>
        send(sessionId, { type: "question.answer", data: { requestId, outcome } }, commandId)
    })
  })
)
