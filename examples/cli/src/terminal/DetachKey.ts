/** The key that leaves a session without ending it, found in what a person types. */

/** The keys to choose from; `none` sends every key to the program. */
export const detachKeys = ["ctrl-\\", "ctrl-]", "none"] as const
export type DetachKey = (typeof detachKeys)[number]

/** How people read it. */
export const detachKeyName = (key: DetachKey): string => key.replace("ctrl-", "Ctrl-")

/**
 * As a byte, and as the sequences of terminals whose program asked for unambiguous keys (kitty's keyboard protocol, xterm's
 * modifyOtherKeys). 5 is Ctrl; further bits (locks) and the kind of event may follow.
 */
const patternOf = (code: number) =>
  new RegExp(
    `${String.fromCharCode(code & 0x1f)}|\u001b\\[${code}(?::\\d*)*;(?:5|69|133|197)(?::1)?u|\u001b\\[27;5;${code}~`
  )

const patterns: { readonly [K in DetachKey]: RegExp | undefined } = {
  "ctrl-\\": patternOf(0x5c),
  "ctrl-]": patternOf(0x5d),
  none: undefined
}

/** What a person typed, up to the detach key; whether it was there. */
export interface Typed {
  readonly bytes: Uint8Array
  readonly detached: boolean
}

/** Looks for the key. A sequence that is cut by the end of the chunk is not looked for: nothing may hold keys back. */
export const findDetachKey = (chunk: Uint8Array, key: DetachKey): Typed => {
  const pattern = patterns[key]
  const at = pattern === undefined ? -1 : Buffer.from(chunk).toString("latin1").search(pattern)
  return at === -1 ? { bytes: chunk, detached: false } : { bytes: chunk.subarray(0, at), detached: true }
}
