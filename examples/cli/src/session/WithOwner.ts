/** What the commands that change a session have in common: find it, reach the owner of its log, say what was done. */
import type { SessionSummary } from "@holdfast/core"
import * as Effect from "effect/Effect"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import { ownerGone, type OwnerClient, reachOwner } from "../owner/OwnerClient.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"
import { shortId } from "../store/ShortId.ts"

/** Does something through the owner of a store. */
export const withOwner = <A, E, R>(
  store: string,
  use: (client: OwnerClient) => Effect.Effect<A, E | RpcClientError, R>
) =>
  reachOwner(store).pipe(
    Effect.flatMap(use),
    Effect.catchIf(
      (error): error is RpcClientError => (error as { readonly _tag?: unknown })._tag === "RpcClientError",
      () => ownerGone(store)
    ),
    Effect.scoped
  )

/** Does something to one session through its owner. `id` is its short form, for messages. */
export const withSession = <A, E, R>(
  store: string,
  asked: string,
  use: (client: OwnerClient, session: SessionSummary, id: string) => Effect.Effect<A, E | RpcClientError, R>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const session = yield* findSession(log, asked)
      const id = yield* shortId(log, session.sessionId)
      return yield* withOwner(store, (client) => use(client, session, id))
    })
  )
