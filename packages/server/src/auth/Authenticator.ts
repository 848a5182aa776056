/** Who speaks: what a request or a connection brings as proof, turned into a caller. */
import type { Identity } from "@holdfast/core"
import { Context, type Effect, Schema } from "effect"

/** Proof of who speaks, as a request brought it. One is enough; with several, the first in this order counts. */
export interface Credentials {
  /** Of the header `Authorization: Bearer …`, or of the WebSocket's token subprotocol. */
  readonly bearer?: string | undefined
  /** A ticket of {@link AuthenticatorService.issueTicket}: `?ticket=`, for a WebSocket or an event stream only. */
  readonly ticket?: string | undefined
  /** The value of the session cookie. */
  readonly cookie?: string | undefined
  /** Where it came from, for the limit of failures. */
  readonly address: string
}

/** Somebody who has proved who they are. */
export interface Caller {
  readonly identity: Identity
  /** Of the token: what a revocation names. Null where there is none, as for everybody on an open loopback server. */
  readonly tokenId: string | null
  /** By cookie: changes then need an `Origin` of our own. */
  readonly byCookie: boolean
}

/** Who speaks is not known. The detail never repeats the token. */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("@holdfast/server/Unauthenticated")(
  "Unauthenticated",
  { detail: Schema.String, retryAfterMs: Schema.optionalKey(Schema.Int) }
) {
  override get message() {
    return this.detail
  }
}

/** A token for one session. */
export interface ScopedToken {
  readonly token: string
  readonly tokenId: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** Knows tokens. */
export interface AuthenticatorService {
  readonly authenticate: (credentials: Credentials) => Effect.Effect<Caller, Unauthenticated>
  /** Calls once when the caller's token expires or is revoked; the result ends that. */
  readonly onEnd: (caller: Caller, ended: (why: "expired" | "revoked") => void) => () => void
  /** A ticket that opens one WebSocket or event stream for the caller, within 30 seconds, once. */
  readonly issueTicket: (caller: Caller) => Effect.Effect<{ readonly ticket: string; readonly expiresAt: number }>
  /** The cookie for a one-time start token; it can be had once. */
  readonly exchangeStart: (
    startToken: string,
    address: string
  ) => Effect.Effect<{ readonly cookie: string; readonly caller: Caller }, Unauthenticated>
}

/** Knows who speaks. */
export class Authenticator extends Context.Service<Authenticator, AuthenticatorService>()(
  "@holdfast/server/Authenticator"
) {}
