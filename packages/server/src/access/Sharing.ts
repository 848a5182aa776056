/** Tokens for one session: who owns it may let others in, for a time and with a role, and take that back. */
import { CommandRejected, type LogUnavailable, SessionId, type SessionNotFound } from "@holdfast/core"
import { Context, Effect, Layer, Schema } from "effect"
import { Authenticator, type Caller, type ScopedToken, type ShareSession } from "../auth/Authenticator.ts"
import type { RevocationFailed } from "../auth/RevocationStore.ts"
import { SessionAccess } from "./SessionAccess.ts"

/** Least and longest life of a token for one session, in seconds: 1 minute to 30 days. 24 hours unless asked. */
export const shareSeconds = { least: 60, most: 30 * 86_400 } as const

/** What an owner of a session may do about who else uses it. */
export interface SharingService {
  readonly share: (
    caller: Caller,
    share: ShareSession
  ) => Effect.Effect<ScopedToken, CommandRejected | SessionNotFound | LogUnavailable>
  /** Revokes a token that somebody made for a session of the caller's. Its live connections are closed. */
  readonly unshare: (
    caller: Caller,
    tokenId: string
  ) => Effect.Effect<void, CommandRejected | SessionNotFound | LogUnavailable | RevocationFailed>
}

const isSessionId = Schema.is(SessionId)

/** Sharing as a service. */
export class Sharing extends Context.Service<Sharing, SharingService>()("@holdfast/server/Sharing") {
  static readonly layer: Layer.Layer<Sharing, never, SessionAccess | Authenticator> = Layer.effect(
    Sharing,
    Effect.gen(function* () {
      const access = yield* SessionAccess
      const authenticator = yield* Authenticator

      const rejection = (
        sessionId: string,
        reason: "forbidden" | "invalid" | "not_found",
        detail: string,
        field?: string
      ) =>
        new CommandRejected({ sessionId, command: "share", reason, detail, ...(field === undefined ? {} : { field }) })

      const share: SharingService["share"] = Effect.fn("Sharing.share")(function* (caller, given) {
        const { expiresInSeconds, sessionId } = given
        // So that no role is more than the caller's own.
        yield* access.allow(caller, sessionId, "owner")
        if (caller.identity.sessionId !== null) {
          // It would outlive, and outlast the revocation of, the one that it was made with.
          return yield* rejection(sessionId, "forbidden", "who came by a token for one session cannot make another")
        }
        if (expiresInSeconds !== undefined && !isBetween(expiresInSeconds, shareSeconds.least, shareSeconds.most)) {
          const detail = `a token lives between ${shareSeconds.least} seconds and 30 days (${shareSeconds.most})`
          return yield* rejection(sessionId, "invalid", detail, "expiresInSeconds")
        }
        if (given.name !== undefined && !isBetween(given.name.length, 1, 200)) {
          return yield* rejection(sessionId, "invalid", "a name has 1 to 200 characters", "name")
        }
        return yield* authenticator.issueScoped(caller, given)
      })

      const unshare: SharingService["unshare"] = Effect.fn("Sharing.unshare")(function* (caller, tokenId) {
        const sessionId = tokenId.split(".")[0]
        if (!isSessionId(sessionId)) {
          return yield* rejection("", "not_found", "there is no such token: its id was given when it was made")
        }
        yield* access.allow(caller, sessionId, "owner")
        yield* authenticator.revoke(tokenId)
      })

      return { share, unshare }
    })
  )
}

const isBetween = (value: number, least: number, most: number): boolean => value >= least && value <= most
