/**
 * Names of snapshots. E2B keeps nothing of ours beside a snapshot but its name, so all that is known of it is in there:
 *
 * ```text
 * holdfast-<owner, 16 of its SHA-256 in hex>-<session id>-<milliseconds since 1970, base 36>-<4 random>
 * ```
 *
 * E2B takes `a-z0-9-_` and answers with `<team>/<name>`, a tag behind.
 */
import { SessionId } from "@holdfast/core"
import { Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"

/** What a name says. */
export interface SnapshotFacts {
  readonly sessionId: SessionId
  readonly createdAt: number
}

const prefixOf = (owner: string) => `holdfast-${createHash("sha256").update(owner).digest("hex").slice(0, 16)}`

const isSessionId = Schema.is(SessionId)

/** A new name. */
export const snapshotName = (owner: string, { createdAt, sessionId }: SnapshotFacts): string =>
  `${prefixOf(owner)}-${sessionId}-${createdAt.toString(36)}-${randomBytes(2).toString("hex")}`

const shape =
  /^(?:[a-z0-9_-]+\/)?(holdfast-[0-9a-f]{16})-([0-9a-f-]{36})-([0-9a-z]{1,11})-[0-9a-f]{4}(?::[a-z0-9._-]+)?$/

/** Whether it is the name of a snapshot that was made here, of whatever owner: nothing else is ever removed. */
export const isSnapshotName = (given: string): boolean => shape.test(given)

/** Reads a name as E2B gives it; undefined where it is not of this owner. */
export const readSnapshotName = (owner: string, given: string): SnapshotFacts | undefined => {
  const [, prefix, sessionId, at] = shape.exec(given) ?? []
  if (prefix !== prefixOf(owner) || !isSessionId(sessionId)) return undefined
  return { sessionId, createdAt: Number.parseInt(at!, 36) }
}
