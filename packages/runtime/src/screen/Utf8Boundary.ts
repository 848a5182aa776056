/** Where a stream of UTF-8 may be cut: xterm loses characters that it is given in two parts, and text formats need whole ones. */

/** Bytes that a character takes, by its first byte; 1 for what cannot begin one. */
const lengthByLead = (byte: number): number => {
  if (byte >= 0xf8 || byte < 0xc0) return 1
  if (byte >= 0xf0) return 4
  return byte >= 0xe0 ? 3 : 2
}

/** How many bytes at the end begin a character that is not complete: 0 to 3. */
export const incompleteUtf8 = (bytes: Uint8Array, end: number = bytes.length): number => {
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back]!
    if ((byte & 0xc0) === 0x80) continue
    return lengthByLead(byte) > back ? back : 0
  }
  return 0
}
