/**
 * Opencode's ids are ordered by time: twelve hexadecimal digits are the lower 48 bits of milliseconds × 4,096 and a counter,
 * fourteen letters and digits are random. A session's messages are run and shown in the order of their ids, so a message of
 * ours needs one that lies between what the server has made and what it will make.
 */
import type { PromptId } from "@holdfast/core"
import { createHash } from "node:crypto"

const ticksPerMs = 4_096n

/** The digits hold this many milliseconds, 795 days, and begin again. */
const rangeMs = 2n ** 36n

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const randomLength = 14

/** The end of a message's id by which its prompt is known: the same each time that the prompt is sent. */
const endOf = (promptId: PromptId): string => {
  let rest = BigInt(`0x${createHash("sha256").update(promptId).digest("hex")}`)
  let text = ""
  for (let at = 0; at < randomLength; at++) {
    text += alphabet[Number(rest % 62n)]
    rest /= 62n
  }
  return text
}

/** Whether a message was made from this prompt, whenever that was. */
export const isMessageOf = (messageId: string, promptId: PromptId): boolean =>
  messageId.startsWith("msg_") && messageId.endsWith(endOf(promptId))

/** The ticks of an id; undefined where it is of another form. */
const ticksOf = (id: unknown): bigint | undefined => {
  const digits = typeof id === "string" ? /^[a-z]+_([0-9a-f]{12})/.exec(id)?.[1] : undefined
  return digits === undefined ? undefined : BigInt(`0x${digits}`)
}

/** Knows the server's time and the ids that it has made, from those that were seen. */
export interface IdClock {
  /** An id that the server has just made: of an event. */
  readonly heard: (id: unknown, now: number) => void
  /** An id of a message of the session, ours included. */
  readonly saw: (id: unknown) => void
  /** The id of a prompt that is sent now: after all messages that were seen, and not after the server's own time. */
  readonly messageId: (promptId: PromptId, now: number) => string
}

/** Makes one, for one session. */
export const makeIdClock = (): IdClock => {
  // The largest that was seen: what an event needs on its way makes it smaller, and nothing makes it larger.
  let offset: bigint | undefined
  let newest = 0n
  return {
    heard: (id, now) => {
      const ticks = ticksOf(id)
      if (ticks === undefined) return
      const ms = ticks / ticksPerMs
      const local = BigInt(now) % rangeMs
      let difference = ms - local
      if (difference > rangeMs / 2n) difference -= rangeMs
      if (difference < -rangeMs / 2n) difference += rangeMs
      if (offset === undefined || difference > offset) offset = difference
    },
    saw: (id) => {
      const ticks = ticksOf(id)
      if (ticks !== undefined && ticks > newest) newest = ticks
    },
    messageId: (promptId, now) => {
      const present = ((BigInt(now) + (offset ?? 0n)) % rangeMs) * ticksPerMs
      const ticks = present > newest ? present : newest + 1n
      newest = ticks
      return `msg_${ticks.toString(16).padStart(12, "0").slice(-12)}${endOf(promptId)}`
    }
  }
}
