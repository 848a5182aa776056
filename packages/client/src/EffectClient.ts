/** The client with Effect: a service over the same engine. */
import type { ListQuery } from "@holdfast/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ClientError } from "./ClientError.ts"
import { connect as connectPlainly } from "./connect.ts"
import type { ConnectionState } from "./ConnectionState.ts"
import {
  asClientError,
  type EffectCalls,
  effectCalls,
  type EffectLive,
  effectLive,
  type PromiseMethod
} from "./EffectCalls.ts"
import { type EffectSession, effectSession } from "./EffectSession.ts"
import type { ConnectOptions, HoldfastClient as PlainClient } from "./HoldfastClient.ts"
import type { ListedSessions } from "./LiveList.ts"

/** Where to connect, and as whom. */
export interface EffectConnectOptions<R = never> extends Omit<ConnectOptions, "token"> {
  /** As `ConnectOptions.token`: an Effect is run before each connection, and shortly before the token that it gave expires. */
  readonly token?: string | Effect.Effect<string, unknown, R>
}

type Calls = Exclude<PromiseMethod<PlainClient>, "close" | typeof Symbol.asyncDispose>

/** A client: everything of the plain one. It is closed with its scope. */
export interface HoldfastClientService extends Pick<EffectCalls<PlainClient>, Exclude<Calls, "create">> {
  readonly connection: EffectLive<ConnectionState>
  /** A live list, until the scope closes. */
  readonly sessions: (query?: ListQuery) => Effect.Effect<EffectLive<ListedSessions>, never, Scope.Scope>
  /** Fails with `invalid` for what cannot be an id. */
  readonly session: (sessionId: string) => Effect.Effect<EffectSession, ClientError>
  readonly create: (...args: Parameters<PlainClient["create"]>) => Effect.Effect<EffectSession, ClientError>
  readonly reconnectNow: Effect.Effect<void>
}

const optionsAt: { readonly [K in Calls]: number } = { list: 0, create: 0, backends: 0 }

/** Connects, and stays connected until the scope closes. Fails where the address is none. */
export const connect = <R = never>(
  options: EffectConnectOptions<R>
): Effect.Effect<HoldfastClientService, ClientError, Scope.Scope | R> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<R>()
    const { token, ...rest } = options
    const given = token === undefined || typeof token === "string" ? token : () => Effect.runPromiseWith(context)(token)
    const client = yield* Effect.acquireRelease(
      Effect.try({
        try: () => connectPlainly({ ...rest, ...(given === undefined ? {} : { token: given }) }),
        catch: asClientError
      }),
      (opened) => Effect.promise(opened.close)
    )
    const calls = effectCalls(client, optionsAt)
    return {
      connection: effectLive(client.connection),
      sessions: (query) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => client.sessions(query)),
            (list) => Effect.sync(list.close)
          ),
          effectLive
        ),
      session: (sessionId) => Effect.try({ try: () => effectSession(client.session(sessionId)), catch: asClientError }),
      list: calls.list,
      backends: calls.backends,
      create: (create) => Effect.map(calls.create(create), effectSession),
      reconnectNow: Effect.sync(client.reconnectNow)
    }
  })

/** A client as a service. */
export class HoldfastClient extends Context.Service<HoldfastClient, HoldfastClientService>()(
  "@holdfast/client/HoldfastClient"
) {
  /** Connects for as long as the layer is in use. */
  static readonly layer = <R = never>(options: EffectConnectOptions<R>): Layer.Layer<HoldfastClient, ClientError, R> =>
    Layer.effect(HoldfastClient, connect(options)) as never
}
