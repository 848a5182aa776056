/**
 * Sandbox tokens: by them a bridge is let in. One for each sandbox that is made, never stored but as its hash, worthless once
 * another sandbox has taken its place.
 *
 * ```text
 * hfs_<session id>_<generation>_<32 random bytes, base64url>
 * ```
 */
import { SessionId } from "@holdfast/core"
import { Schema } from "effect"
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** A token that was read; whether it is good, only its hash says. */
export interface SandboxToken {
  readonly sessionId: SessionId
  /** The generation for which its sandbox was made. */
  readonly generation: number
  /** SHA-256 of the whole token, in hex: what the log has. */
  readonly hash: string
}

const shape = /^hfs_([0-9a-f-]{36})_([1-9][0-9]{0,9})_[A-Za-z0-9_-]{43}$/

/** Makes one of 256 random bits. */
export const makeSandboxToken = (sessionId: SessionId, generation: number): string =>
  `hfs_${sessionId}_${generation}_${randomBytes(32).toString("base64url")}`

/** SHA-256 in hex. The token is random, so the hash needs no salt and may be shown. */
export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex")

const isSessionId = Schema.is(SessionId)

/** Reads a token; undefined where it has not the shape of one. */
export const parseSandboxToken = (token: string): SandboxToken | undefined => {
  const found = shape.exec(token)
  const sessionId = found?.[1]
  if (!isSessionId(sessionId)) return undefined
  return { sessionId, generation: Number(found![2]), hash: hashToken(token) }
}

/** Whether two hashes are the same, in a time that tells nothing of where they differ. */
export const sameHash = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))

/** What a host proves itself with to a bridge that it dials: derived, so that the next process of the host can do so too. */
export const makeDialKey = (secret: string, sessionId: SessionId, tokenHash: string): string =>
  createHmac("sha256", secret).update(`${sessionId} ${tokenHash}`).digest("base64url")
