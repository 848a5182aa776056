/**
 * Branded identifiers. What we make ourselves is a UUID version 7 (RFC 9562), so that sorting by id is sorting by the
 * time of making; what a backend names (turns, items, requests) stays an opaque text, unique within its session.
 */
import * as Schema from "effect/Schema"
import { v7 } from "uuid"

const uuidV7Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const uuidV7 = Schema.String.check(Schema.isPattern(uuidV7Pattern, { expected: "a UUID version 7 in lower case" }))

/** Whether it has the form of the ids that are made here, without a schema: for what is asked at every append. */
export const isUuidV7 = (id: unknown): id is string => typeof id === "string" && uuidV7Pattern.test(id)

/** Longest opaque identifier that is accepted from a backend or a host, in UTF-16 units. */
export const maxIdLength = 256

const opaque = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(maxIdLength))

/** One session, and so one log. */
export const SessionId = uuidV7.pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

/** One command; its sender makes it, and sends it again unchanged when in doubt. */
export const CommandId = uuidV7.pipe(Schema.brand("CommandId"))
export type CommandId = typeof CommandId.Type

/** One prompt. It is the id of the command that queued it. */
export const PromptId = uuidV7.pipe(Schema.brand("PromptId"))
export type PromptId = typeof PromptId.Type

/** One turn of an agent, unique within its session. */
export const TurnId = opaque.pipe(Schema.brand("TurnId"))
export type TurnId = typeof TurnId.Type

/** One item of a turn (message, reasoning, tool call, plan), unique within its session. */
export const ItemId = opaque.pipe(Schema.brand("ItemId"))
export type ItemId = typeof ItemId.Type

/** One permission or question, unique within its session. */
export const RequestId = opaque.pipe(Schema.brand("RequestId"))
export type RequestId = typeof RequestId.Type

/** One artifact, unique within its session. */
export const ArtifactId = opaque.pipe(Schema.brand("ArtifactId"))
export type ArtifactId = typeof ArtifactId.Type

/** A person or program that takes part in a session. The host gives it; `host` and `runtime` are taken. */
export const ParticipantId = opaque.pipe(
  Schema.check(
    Schema.makeFilter((id: string) =>
      id === "host" || id === "runtime" ? `an id other than "host" and "runtime", which are reserved` : undefined
    )
  ),
  Schema.brand("ParticipantId")
)
export type ParticipantId = typeof ParticipantId.Type

/**
 * Who did something: a participant, `host` (the app that embeds Holdfast, with every right) or `runtime` (Holdfast
 * itself: deadlines, recovery).
 */
export const Actor = opaque
export type Actor = string

/** What {@link makeUuid} takes instead of asking the platform: for pure code and for tests. */
export interface UuidSource {
  /** Milliseconds since 1970. */
  readonly now: number
  /** 16 random bytes. */
  readonly random: Uint8Array
}

/** Ids for which randomness is asked at once: asking the system costs 20 µs, whether for 16 bytes or for 2 KiB. */
const pooledIds = 128

const pool = new Uint8Array(16 * pooledIds)
let poolAt = pool.byteLength

const takeRandom = (): Uint8Array => {
  if (poolAt === pool.byteLength) {
    crypto.getRandomValues(pool)
    poolAt = 0
  }
  poolAt += 16
  // A copy: what makes the id writes into it, and an id must not stay in the pool.
  const random = pool.slice(poolAt - 16, poolAt)
  pool.fill(0, poolAt - 16, poolAt)
  return random
}

let lastMs = 0
let counter = 0

/**
 * Makes a UUID version 7, from the platform's clock and randomness unless both are given. What is made later in one process
 * sorts later, also within a millisecond and after the clock was set back.
 */
export const makeUuid = (source?: UuidSource): string => {
  if (source !== undefined) return v7({ msecs: source.now, random: source.random })
  const random = takeRandom()
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    // Half of the counter's room is left for the ids of this millisecond.
    counter = ((random[6]! & 0x7f) << 24) | (random[7]! << 16) | (random[8]! << 8) | random[9]!
  } else {
    counter = (counter + 1) >>> 0
    if (counter === 0) lastMs += 1
  }
  return v7({ msecs: lastMs, seq: counter, random })
}

/** Makes the id of a new session. */
export const makeSessionId = (source?: UuidSource): SessionId => makeUuid(source) as SessionId

/** Makes the id of a new command. */
export const makeCommandId = (source?: UuidSource): CommandId => makeUuid(source) as CommandId
