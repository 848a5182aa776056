/** The server for hosts that do not use Effect: promises, and the same errors. */
import { type Closing, type CreateHoldfast, createHoldfast, type PlainHoldfast, servicesOf } from "@holdfast/runtime"
import { Cause, Effect, Exit, Scope } from "effect"
import { serveHoldfast } from "./HoldfastServer.ts"
import type { ServerOptions } from "./ServerOptions.ts"

/** What a plain server is made of. */
export interface ServeOptions extends ServerOptions {
  /**
   * The runtime to serve: one that its host has, and closes itself; or what one is made of, which the server opens and closes
   * with itself. Where that has an `onLog`, it gets the server's warnings and errors too.
   */
  readonly holdfast: PlainHoldfast | CreateHoldfast
}

/** A server that listens, plainly. `close` stops it gracefully. */
export interface PlainServer extends Closing {
  /** `http://127.0.0.1:4747`. */
  readonly url: string
  readonly port: number
  /** The runtime behind it. */
  readonly holdfast: PlainHoldfast
  /** A link that signs a browser in as the server's owner: once, within 10 minutes. */
  readonly startLink: () => Promise<string>
  /**
   * Refuses a token from now on, and closes its live connections: one for a session by its `tokenId`, one from outside by its
   * `jti`. It is remembered until `until` (milliseconds since 1970), which must not be before its expiry; 30 days unless given.
   */
  readonly revoke: (tokenId: string, until?: number) => Promise<void>
  /** Live connections that are open. */
  readonly connections: () => number
}

/** Opens a server. Rejects with what kept it from opening, and then leaves nothing open. */
export const serve = async ({ holdfast: given, ...options }: ServeOptions): Promise<PlainServer> => {
  const own = "store" in given ? await createHoldfast(given) : undefined
  const holdfast = own ?? (given as PlainHoldfast)
  const scope = Scope.makeUnsafe()
  const opened = await serveHoldfast(options).pipe(
    Effect.provide(servicesOf(holdfast)),
    Scope.provide(scope),
    Effect.runPromiseExit
  )
  const end = async (exit: Exit.Exit<unknown, unknown>) => {
    await Effect.runPromise(Scope.close(scope, exit))
    await own?.close()
  }
  if (Exit.isFailure(opened)) {
    await end(opened)
    throw Cause.squash(opened.cause)
  }
  let closed: Promise<void> | undefined
  const close = () => (closed ??= end(Exit.void))
  const { connections, port, revoke, startLink, url } = opened.value
  return {
    url,
    port,
    holdfast,
    connections,
    startLink: () => Effect.runPromise(startLink),
    revoke: (tokenId, until) => Effect.runPromise(revoke(tokenId, until)),
    close,
    [Symbol.asyncDispose]: close
  }
}
