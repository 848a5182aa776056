/** What is remembered of a text that is not kept: its length and a hash, which tell whether another text begins with it. */

/** The mark of a text. It is no defence against somebody who wants two texts to have one mark. */
export interface TextMark {
  readonly length: number
  readonly hash: number
}

/** FNV-1a (32 bits) over UTF-16 units. */
const step = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193) >>> 0

export const emptyMark: TextMark = { length: 0, hash: 0x811c9dc5 }

/** The mark of a text with another at its end. */
export const extendMark = (mark: TextMark, text: string): TextMark => {
  let { hash } = mark
  for (let at = 0; at < text.length; at++) hash = step(hash, text.charCodeAt(at))
  return { length: mark.length + text.length, hash }
}

/** The mark of a whole text. */
export const textMark = (text: string): TextMark => extendMark(emptyMark, text)

/** Whether a text begins with what the mark was made of. */
export const beginsWith = (text: string, mark: TextMark): boolean =>
  text.length >= mark.length && textMark(text.slice(0, mark.length)).hash === mark.hash
