/**
 * What is remembered of a text that is not kept: a hash, which tells whether another text begins with it. Blanks do not
 * count, since agents trim their texts when they are whole.
 */

/** The mark of a text. It is no defence against somebody who wants two texts to have one mark. */
export interface TextMark {
  /** UTF-16 units that are no blanks. */
  readonly length: number
  readonly hash: number
}

export const emptyMark: TextMark = { length: 0, hash: 0x811c9dc5 }

/** FNV-1a (32 bits) over UTF-16 units. */
const step = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193) >>> 0

const isBlank = (unit: number): boolean => unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)

/** Where the blanks at the end of a text begin. */
export const inkLength = (text: string): number => {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return end
}

/** The mark of a text with another at its end. */
export const extendMark = (mark: TextMark, text: string): TextMark => {
  let { hash, length } = mark
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (isBlank(unit)) continue
    hash = step(hash, unit)
    length++
  }
  return { length, hash }
}

/** The mark of a whole text. */
export const textMark = (text: string): TextMark => extendMark(emptyMark, text)

/** How much of a text is what the mark was made of; undefined where it begins otherwise. */
export const markedLength = (text: string, mark: TextMark): number | undefined => {
  let { hash, length } = emptyMark
  let at = 0
  for (; at < text.length && length < mark.length; at++) {
    const unit = text.charCodeAt(at)
    if (isBlank(unit)) continue
    hash = step(hash, unit)
    length++
  }
  return length === mark.length && hash === mark.hash ? at : undefined
}
