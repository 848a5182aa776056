/** Cuts a stream of bytes into lines: as they come, whatever the pieces, and never more than a stated length of one. */

/**
 * Longest line that is taken: 64 MiB. App-servers put a whole message into one line, of which 20 MB were seen, and none needs
 * more than this: the text of a string of JavaScript would soon have no room.
 */
export const maxLineBytes = 64 * 1024 * 1024

/** Where lines go. */
export interface JsonLinesOptions {
  /** A line without its end, not empty. Bytes that are no UTF-8 have become U+FFFD. */
  readonly onLine: (line: string) => void
  /** A line was longer than the maximum: it is left out, and what comes after it is taken again. */
  readonly onTooLong: (bytes: number) => void
  /** Default {@link maxLineBytes}. */
  readonly maxBytes?: number
}

/** A cutter of lines. */
export interface JsonLines {
  /** Takes the next bytes. They must not change afterwards: a line's beginning is kept as it is. */
  readonly write: (bytes: Buffer) => void
  /** Bytes of a line whose end has not come. */
  readonly pending: () => number
}

const newline = 0x0a

/** Makes one. */
export const makeJsonLines = (options: JsonLinesOptions): JsonLines => {
  const { maxBytes = maxLineBytes, onLine, onTooLong } = options
  const decoder = new TextDecoder()
  // As pieces: a long line in many small pieces would be copied once for each of them.
  let pieces: Array<Buffer> = []
  let length = 0

  const add = (piece: Buffer) => {
    length += piece.byteLength
    if (length <= maxBytes) pieces.push(piece)
    else pieces = []
  }

  const end = () => {
    if (length > maxBytes) onTooLong(length)
    else {
      const line = decoder.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, length)).trim()
      if (line !== "") onLine(line)
    }
    pieces = []
    length = 0
  }

  return {
    write: (bytes) => {
      let from = 0
      for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, from)) {
        add(bytes.subarray(from, at))
        from = at + 1
        end()
      }
      if (from < bytes.byteLength) add(bytes.subarray(from))
    },
    pending: () => length
  }
}
