/** What the endpoint of {@link WorkspaceApi} does. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { SessionAccess } from "../access/SessionAccess.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { HoldfastApi } from "./HoldfastApi.ts"

export const workspaceRoutes = HttpApiBuilder.group(
  HoldfastApi,
  "workspace",
  Effect.fnUntraced(function* (handlers) {
    const access = yield* SessionAccess
    return handlers.handleAll({
      perform: ({ params, payload }) =>
        Effect.flatMap(CurrentCaller, (caller) => access.workspace(caller, params.sessionId, payload))
    })
  })
)
