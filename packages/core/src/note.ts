/** Notes: events for what has no type of its own. */
import type { EventBody } from "./SessionEvent.ts"

/** Most characters of a note's raw payload. A longer one is cut, and says so. */
export const maxRawText = 64 * 1024

/** Most characters of a note's message. */
const maxMessage = 4_096

/** A note with what it is about, bounded. Takes any value. */
export const note = (
  level: "info" | "warning" | "error",
  message: string,
  raw?: unknown,
  code?: string
): EventBody<"backend.noted"> => {
  const data: { -readonly [K in keyof EventBody<"backend.noted">["data"]]: EventBody<"backend.noted">["data"][K] } = {
    level,
    message: message.length > maxMessage ? `${message.slice(0, maxMessage - 1)}…` : message
  }
  if (code !== undefined) data.code = code
  if (raw !== undefined) data.raw = boundRaw(raw, maxRawText)
  return { type: "backend.noted", data }
}

/**
 * A raw payload as plain JSON of at most `maxCharacters`; a longer one is cut, and says so: `{ cutAt, characters, start }`.
 * Takes any value. The default is an adapter's measure for what it keeps beside its events: 16 Ki characters.
 */
export const boundRaw = (raw: unknown, maxCharacters: number = 16 * 1024): unknown => {
  const json = toJson(raw)
  return json.length > maxCharacters
    ? { cutAt: maxCharacters, characters: json.length, start: json.slice(0, maxCharacters) }
    : JSON.parse(json)
}

/** JSON of anything a backend may hand over: bytes become their count, big integers text. */
const toJson = (raw: unknown): string => {
  try {
    return JSON.stringify(raw, (_, value: unknown) => replace(value)) ?? JSON.stringify({ unserialisable: typeof raw })
  } catch (cause) {
    return JSON.stringify({ unserialisable: cause instanceof Error ? cause.message.slice(0, 100) : typeof cause })
  }
}

const replace = (value: unknown): unknown => {
  if (typeof value === "bigint") return value.toString()
  return ArrayBuffer.isView(value) ? { bytes: value.byteLength } : value
}
