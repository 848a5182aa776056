/** What the endpoints of {@link ParticipantsApi} do. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageOf, send, stateFor } from "./Answers.ts"
import { HoldfastApi } from "./HoldfastApi.ts"

export const participantsRoutes = HttpApiBuilder.group(HoldfastApi, "participants", (handlers) =>
  handlers.handleAll({
    list: Effect.fnUntraced(function* ({ params, query }) {
      const { state } = yield* stateFor(params.sessionId)
      const all = Object.entries(state.participants).map(([participantId, one]) => ({ participantId, ...one }))
      const { page, ...next } = yield* pageOf(all, ({ participantId }) => participantId, query, 100)
      return { participants: page, ...next }
    }),
    join: ({ params, payload: { commandId, ...data } }) =>
      send(params.sessionId, { type: "participant.join", data }, commandId),
    change: ({ params: { participantId, sessionId }, payload: { commandId, ...data } }) =>
      send(sessionId, { type: "participant.change", data: { participantId, ...data } }, commandId),
    leave: ({ params: { participantId, sessionId }, query }) =>
      send(sessionId, { type: "participant.leave", data: { participantId } }, query.commandId)
  })
)
