/** What the endpoints of {@link SessionsApi} do. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { TurnId } from "@holdfast/core"
import { SessionAccess } from "../access/SessionAccess.ts"
import { jsonText, send, stateFor } from "./Answers.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { HoldfastApi } from "./HoldfastApi.ts"

export const sessionsRoutes = HttpApiBuilder.group(
  HoldfastApi,
  "sessions",
  Effect.fnUntraced(function* (handlers) {
    const access = yield* SessionAccess
    return handlers.handleAll({
      list: ({ query }) =>
        Effect.flatMap(CurrentCaller, (caller) => access.list(caller, query)).pipe(
          // Summaries are plain JSON as they are.
          Effect.map((page) => jsonText(JSON.stringify(page)))
        ),
      create: ({ payload }) => Effect.flatMap(CurrentCaller, (caller) => access.create(caller, payload)),
      get: ({ params }) => Effect.map(stateFor(params.sessionId), (session) => jsonText(JSON.stringify(session))),
      remove: ({ params }) => Effect.flatMap(CurrentCaller, (caller) => access.remove(caller, params.sessionId)),
      command: ({ params, payload }) => send(params.sessionId, payload.command, payload.commandId),
      open: ({ params, payload }) => send(params.sessionId, { type: "session.open", data: {} }, payload.commandId),
      rename: ({ params, payload: { commandId, title } }) =>
        send(params.sessionId, { type: "session.rename", data: { title } }, commandId),
      archive: ({ params, payload }) =>
        send(params.sessionId, { type: "session.archive", data: {} }, payload.commandId),
      unarchive: ({ params, payload }) =>
        send(params.sessionId, { type: "session.unarchive", data: {} }, payload.commandId),
      suspend: ({ params, payload: { commandId, ...data } }) =>
        send(params.sessionId, { type: "session.suspend", data }, commandId),
      close: ({ params, payload: { commandId, ...data } }) =>
        send(params.sessionId, { type: "session.close", data }, commandId),
      interrupt: ({ params, payload: { commandId, turnId } }) =>
        send(
          params.sessionId,
          { type: "turn.interrupt", data: turnId === undefined ? {} : { turnId: turnId as TurnId } },
          commandId
        ),
      fork: ({ params, payload }) =>
        Effect.flatMap(CurrentCaller, (caller) => access.fork(caller, params.sessionId, payload)),
      handoff: ({ params, payload: { commandId, timeoutMs, ...to } }) =>
        Effect.flatMap(CurrentCaller, (caller) =>
          access.handoff(caller, params.sessionId, to, {
            ...(commandId === undefined ? {} : { commandId }),
            ...(timeoutMs === undefined ? {} : { timeoutMs })
          })
        )
    })
  })
)
