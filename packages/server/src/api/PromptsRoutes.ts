/** What the endpoints of {@link PromptsApi} do. */
import type { ContentBlock, TurnId } from "@holdfast/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageOf, send, stateFor } from "./Answers.ts"
import { HoldfastApi } from "./HoldfastApi.ts"

const contentOf = (said: { readonly content?: ReadonlyArray<ContentBlock>; readonly text?: string }) =>
  said.content ?? [{ type: "text" as const, text: said.text ?? "" }]

export const promptsRoutes = HttpApiBuilder.group(HoldfastApi, "prompts", (handlers) =>
  handlers.handleAll({
    list: Effect.fnUntraced(function* ({ params, query }) {
      const { state } = yield* stateFor(params.sessionId)
      const { page, ...next } = yield* pageOf(state.prompts, ({ promptId }) => promptId, query, 100)
      return { prompts: page, ...next }
    }),
    send: ({ params, payload: { commandId, content, delivery, text, turnId } }) =>
      send(
        params.sessionId,
        {
          type: "prompt.send",
          data: {
            content: contentOf({ content, text } as never),
            ...(delivery === undefined ? {} : { delivery }),
            ...(turnId === undefined ? {} : { turnId: turnId as TurnId })
          }
        },
        commandId
      ),
    edit: ({ params: { promptId, sessionId }, payload }) =>
      send(sessionId, { type: "prompt.edit", data: { promptId, content: contentOf(payload) } }, payload.commandId),
    withdraw: ({ params: { promptId, sessionId }, query: { commandId, ...reason } }) =>
      send(sessionId, { type: "prompt.withdraw", data: { promptId, ...reason } }, commandId)
  })
)
