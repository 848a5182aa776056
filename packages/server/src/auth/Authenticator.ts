/** Who speaks: what a request or a connection brings as proof, turned into a caller. */
import type { Identity, Role, SessionId } from "@holdfast/core"
import { Clock, Context, Effect, type Redacted, type Scope } from "effect"
import { randomBytes, randomUUID } from "node:crypto"
import type { ServerConfig } from "../ServerOptions.ts"
import { makeFailureLimit } from "./FailureLimit.ts"
import { type AuthUnavailable, maxTokenLength, Unauthenticated } from "./JwtRefusal.ts"
import { makeOneTimeTokens } from "./OneTimeTokens.ts"
import { makeOutsideTokens, type Vouched } from "./OutsideTokens.ts"
import { claimsToBeOwn, makeOwnTokens, type OwnTokenKind } from "./OwnTokens.ts"
import type { RevocationFailed, RevocationStore } from "./RevocationStore.ts"
import { cookieLifetimeMs, cookieRenewalMs } from "./SessionCookie.ts"
import { makeTokenEnds, type TokenEnd } from "./TokenEnds.ts"
import { rememberVerified } from "./VerifiedTokens.ts"

/** Proof of who speaks, as a request brought it. One is enough; with several, the first in this order counts. */
export interface Credentials {
  /** Of the header `Authorization: Bearer …`, or of the WebSocket's token subprotocol. */
  readonly bearer?: string | undefined
  /** A ticket of {@link AuthenticatorService.issueTicket}: `?ticket=`, for a WebSocket or an event stream only. */
  readonly ticket?: string | undefined
  /** The value of the session cookie. */
  readonly cookie?: string | undefined
  /** Where it came from, for the limit of failures: of the socket, never of a header. */
  readonly address: string
}

/** Somebody who has proved who they are. */
export interface Caller {
  readonly identity: Identity
  /** Of the token: what a revocation names. Null where there is none, as for everybody on an open loopback server. */
  readonly tokenId: string | null
  /** By cookie: changes then need an `Origin` of our own. */
  readonly byCookie: boolean
  /** From when on the token is refused, in milliseconds since 1970: its expiry and as much as clocks may differ. */
  readonly refusedAt: number | null
}

/** A token for one session. */
export interface ScopedToken {
  readonly token: string
  readonly tokenId: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** A token for one session to make. */
export interface ShareSession {
  readonly sessionId: SessionId
  readonly role: Role
  /** What others see of who uses it. */
  readonly name?: string
  /** 1 minute to 30 days; default 24 hours. */
  readonly expiresInSeconds?: number
}

/** Knows tokens. */
export interface AuthenticatorService {
  readonly authenticate: (credentials: Credentials) => Effect.Effect<Caller, Unauthenticated | AuthUnavailable>
  /**
   * Calls once when the caller's token expires or is revoked, and never before this returns; the result ends that.
   */
  readonly onEnd: (caller: Caller, ended: (why: TokenEnd) => void) => () => void
  /** A ticket that opens one WebSocket or event stream for the caller, within 30 seconds, once. */
  readonly issueTicket: (caller: Caller) => Effect.Effect<{ readonly ticket: string; readonly expiresAt: number }>
  /** A one-time token for a start link, good for 10 minutes: whoever has it becomes the server's owner. */
  readonly issueStart: Effect.Effect<{ readonly token: string; readonly expiresAt: number }>
  /** The cookie for a one-time start token; it can be had once. */
  readonly exchangeStart: (
    startToken: string,
    address: string
  ) => Effect.Effect<{ readonly cookie: string; readonly caller: Caller }, Unauthenticated>
  /** Another cookie, where the caller's is a day old; it ends with the first one's sign-out. */
  readonly renewCookie: (caller: Caller) => Effect.Effect<string | undefined>
  /** A token for one session, in the caller's organisation. Whether the caller may share it is asked before: `Sharing`. */
  readonly issueScoped: (caller: Caller, share: ShareSession) => Effect.Effect<ScopedToken>
  /** Refuses a token from now on, and ends its live connections. */
  readonly revoke: (tokenId: string, until?: number) => Effect.Effect<void, RevocationFailed>
  /** Revokes the token that the caller came with. */
  readonly signOut: (caller: Caller) => Effect.Effect<void, RevocationFailed>
}

/** What an authenticator is made of. */
export interface AuthenticatorOptions {
  readonly auth: ServerConfig["auth"]
  /** What the server's own tokens are signed with; at least 32 bytes, and not the secret of tokens from outside. */
  readonly secret: Redacted.Redacted<Uint8Array>
  readonly revocations: RevocationStore
  /** Who a start link, and everybody on an open server, speaks for. Default: the owner, in no organisation. */
  readonly owner?: { readonly participantId: string; readonly name: string; readonly organisation?: string }
}

/** How long a ticket is good: 30 s, which is a page's time to open a socket. */
const ticketLifetimeMs = 30_000
/** Tickets that wait at once; past it the oldest end. 10,000: as many as there may be connections. */
const maxTickets = 10_000
/** How long a start link is good, and how many are at once: a new one can be had at any time. */
const startLifetimeMs = 600_000
const maxStarts = 16
/** Longest life of a token for one session, and the one that is given unless asked: in milliseconds. */
const maxScopedMs = 30 * 86_400_000
const scopedMs = 86_400_000

/** Makes the authenticator. Its timers end with the scope. */
export const makeAuthenticator = Effect.fnUntraced(function* (
  options: AuthenticatorOptions
): Effect.fn.Return<AuthenticatorService, never, Scope.Scope> {
  const { auth, revocations, secret } = options
  const clock = yield* Clock.Clock
  const own = yield* makeOwnTokens(secret)
  const outside = auth.kind === "open" ? undefined : yield* makeOutsideTokens(auth)
  const failures = yield* makeFailureLimit
  const ends = yield* makeTokenEnds(revocations.has)
  const tickets = makeOneTimeTokens<Caller>({ lifetimeMs: ticketLifetimeMs, capacity: maxTickets })
  const starts = makeOneTimeTokens<true>({ lifetimeMs: startLifetimeMs, capacity: maxStarts })
  const now = () => clock.currentTimeMillisUnsafe()
  const verifyOwn = {
    cookie: rememberVerified((token) => own.verify("cookie", token), now),
    session: rememberVerified((token) => own.verify("session", token), now)
  }
  const verifyOutside = outside === undefined ? undefined : rememberVerified(outside.verify, now)

  const owner = (expiresAt: number | null): Identity => ({
    participantId: options.owner?.participantId ?? "owner",
    name: options.owner?.name ?? "Owner",
    role: "owner",
    organisation: options.owner?.organisation ?? null,
    sessionId: null,
    expiresAt
  })
  const everybody: Caller = { identity: owner(null), tokenId: null, byCookie: false, refusedAt: null }

  const callerOf = ({ identity, refusedAt, tokenId }: Vouched, byCookie: boolean) =>
    tokenId !== null && revocations.has(tokenId)
      ? Effect.fail(new Unauthenticated({ detail: "the token was revoked: get a new one" }))
      : Effect.succeed<Caller>({ identity, tokenId, byCookie, refusedAt })

  const byOwn = (kind: OwnTokenKind, token: string) =>
    Effect.flatMap(verifyOwn[kind](token), (vouched) => callerOf(vouched, kind === "cookie"))

  const byBearer = (token: string): Effect.Effect<Caller, Unauthenticated | AuthUnavailable> => {
    if (claimsToBeOwn(token)) return byOwn("session", token)
    if (verifyOutside === undefined) {
      return Effect.fail(new Unauthenticated({ detail: "this server takes no tokens but its own: leave it out" }))
    }
    return Effect.flatMap(verifyOutside(token), (vouched) => callerOf(vouched, false))
  }

  const byTicket = (ticket: string) =>
    Effect.suspend(() => {
      const caller = tickets.take(ticket, now())
      const isGood =
        caller !== undefined &&
        (caller.refusedAt === null || caller.refusedAt > now()) &&
        !(caller.tokenId !== null && revocations.has(caller.tokenId))
      return isGood
        ? Effect.succeed<Caller>({ ...caller, byCookie: false })
        : Effect.fail(new Unauthenticated({ detail: "the ticket is not good any more: get a new one" }))
    })

  /** A failure, unless its address has had too many. */
  const counted = (what: "token" | "start", address: string, error: Unauthenticated) =>
    Effect.flatMap(failures.count(what, address), (retryAfterMs) =>
      Effect.fail(
        retryAfterMs === undefined
          ? error
          : new Unauthenticated({ detail: "too many failures: wait before you try again", retryAfterMs })
      )
    )

  const authenticate: AuthenticatorService["authenticate"] = ({ address, bearer, cookie, ticket }) => {
    const proof = bearer ?? ticket ?? cookie
    if (proof === undefined) return auth.kind === "open" ? Effect.succeed(everybody) : Effect.fail(missing)
    const checked: Effect.Effect<Caller, Unauthenticated | AuthUnavailable> =
      proof.length > maxTokenLength
        ? Effect.fail(new Unauthenticated({ detail: `the token is longer than ${maxTokenLength} characters` }))
        : bearer !== undefined
          ? byBearer(bearer)
          : ticket !== undefined
            ? byTicket(ticket)
            : byOwn("cookie", proof)
    // What is left of an older cookie keeps nobody out of a server that is open to everybody.
    if (auth.kind === "open" && proof === cookie) return Effect.orElseSucceed(checked, () => everybody)
    return Effect.catchTag(checked, "Unauthenticated", (error) => counted("token", address, error))
  }

  const cookieFor = (identity: Identity, tokenId: string) => {
    const expiresAt = now() + cookieLifetimeMs
    const signed = { ...identity, expiresAt }
    return Effect.map(own.issue("cookie", signed, tokenId), (cookie) => ({
      cookie,
      caller: { identity: signed, tokenId, byCookie: true, refusedAt: expiresAt } satisfies Caller
    }))
  }

  const exchangeStart: AuthenticatorService["exchangeStart"] = Effect.fn("Authenticator.exchangeStart")(
    function* (startToken, address) {
      const isGood = startToken.length <= maxTokenLength && starts.take(startToken, now()) === true
      if (isGood) return yield* cookieFor(owner(null), randomUUID())
      const detail = "this link is not good any more: ask the server for a new one"
      return yield* counted("start", address, new Unauthenticated({ detail }))
    }
  )

  const revoke: AuthenticatorService["revoke"] = Effect.fn("Authenticator.revoke")(function* (tokenId, until) {
    yield* revocations.revoke(tokenId, until ?? now() + cookieLifetimeMs)
    ends.revoked(tokenId)
  })

  return {
    authenticate,
    onEnd: ({ refusedAt, tokenId }, ended) => ends.watch(tokenId, refusedAt, ended),
    issueTicket: (caller) =>
      Effect.sync(() => {
        const { expiresAt, token } = tickets.issue(caller, now())
        return { ticket: token, expiresAt }
      }),
    issueStart: Effect.sync(() => starts.issue(true, now())),
    exchangeStart,
    renewCookie: ({ byCookie, identity, refusedAt, tokenId }) =>
      byCookie && tokenId !== null && (refusedAt ?? 0) - now() < cookieLifetimeMs - cookieRenewalMs
        ? Effect.map(cookieFor(identity, tokenId), ({ cookie }) => cookie)
        : Effect.undefined,
    issueScoped: Effect.fn("Authenticator.issueScoped")(function* ({ identity }, share) {
      const lifetimeMs = Math.min((share.expiresInSeconds ?? scopedMs / 1000) * 1000, maxScopedMs)
      const expiresAt = Math.floor((now() + lifetimeMs) / 1000) * 1000
      const guest = randomBytes(8).toString("base64url")
      const tokenId = `${share.sessionId}.${guest}`
      const token = yield* own.issue(
        "session",
        {
          participantId: `guest-${guest}`,
          name: share.name ?? `A guest of ${identity.name}`,
          role: share.role,
          organisation: identity.organisation,
          sessionId: share.sessionId,
          expiresAt
        },
        tokenId
      )
      return { token, tokenId, expiresAt }
    }),
    revoke,
    // Longer than any token lives: a cookie that was renewed meanwhile has the same id.
    signOut: ({ refusedAt, tokenId }) =>
      tokenId === null ? Effect.void : revoke(tokenId, Math.max(refusedAt ?? 0, now() + cookieLifetimeMs))
  }
})

const missing = new Unauthenticated({
  detail: "no token: send one in the header Authorization, or open the start link"
})

/** Knows who speaks. */
export class Authenticator extends Context.Service<Authenticator, AuthenticatorService>()(
  "@holdfast/server/Authenticator"
) {}
