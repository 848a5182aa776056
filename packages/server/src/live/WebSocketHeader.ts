/** The header of a WebSocket's frame as a server sends it: unmasked and whole (RFC 6455, 5.2). */

/** First byte of a text message. */
export const textFrame = 0x81

/** First byte of a binary message. */
export const binaryFrame = 0x82

/** Bytes of the header of a payload. */
export const headerBytes = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10)

/** Writes the header at `at`; gives where it ends. */
export const writeHeader = (into: Buffer, at: number, opcode: number, length: number): number => {
  into[at] = opcode
  if (length < 126) {
    into[at + 1] = length
    return at + 2
  }
  if (length < 65_536) {
    into[at + 1] = 126
    into.writeUInt16BE(length, at + 2)
    return at + 4
  }
  into[at + 1] = 127
  into.writeUInt32BE(0, at + 2)
  into.writeUInt32BE(length, at + 6)
  return at + 10
}
