/** How long texts are bounded in a timeline: their beginning is shown, their full length is kept. */
import type { ContentBlock } from "./Content.ts"
import { weigh } from "./EventRecord.ts"

/** Full lengths of the parts that are cut. */
export type Cut = { readonly [part: string]: number }

/** Most UTF-16 units of one part of an entry that a timeline keeps, unless told otherwise: 1,048,576. */
export const defaultMaxText = 1024 * 1024

/** The beginning of a text that fits, never half of a surrogate pair. */
const start = (text: string, max: number): string => {
  const last = text.charCodeAt(max - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max)
}

/** Collects what of an entry was cut. */
export class Bounds {
  #cut: { [part: string]: number }
  readonly #max: number

  constructor(max: number, cut: Cut = {}) {
    this.#max = max
    this.#cut = { ...cut }
  }

  /** A whole text, which takes the place of what was there. */
  text(part: string, whole: string): string {
    delete this.#cut[part]
    if (whole.length <= this.#max) return whole
    this.#cut[part] = whole.length
    return start(whole, this.#max)
  }

  /** A text with a piece added to its end. */
  append(part: string, shown: string, piece: string): string {
    const full = this.#cut[part]
    if (full === undefined) return this.text(part, shown + piece)
    this.#cut[part] = full + piece.length
    return shown
  }

  /** Forgets a part that the entry does not have any more. */
  drop(part: string): void {
    delete this.#cut[part]
  }

  /** JSON of a backend's own: kept whole or not at all. */
  json(part: string, value: unknown): unknown {
    delete this.#cut[part]
    const weight = weigh({ at: 0, generation: 0, type: "", version: 1, data: { value } })
    if (weight <= this.#max) return value
    this.#cut[part] = weight
    return undefined
  }

  /** Blocks of content: texts are cut, and what is not text is left out, where together they do not fit. */
  content(part: string, blocks: ReadonlyArray<ContentBlock>): ReadonlyArray<ContentBlock> {
    delete this.#cut[part]
    const full = blocks.reduce((sum, block) => sum + payload(block).length, 0)
    if (full <= this.#max) return blocks
    this.#cut[part] = full
    let room = this.#max
    return blocks.map((block) => {
      const fits = payload(block).length <= room
      const shown = fits ? block : cutBlock(block, room)
      room -= payload(shown).length
      return shown
    })
  }

  /** What to put into the entry: nothing where nothing is cut. */
  get cut(): { readonly cut?: Cut } {
    return Object.keys(this.#cut).length === 0 ? {} : { cut: this.#cut }
  }
}

const payload = (block: ContentBlock): string => {
  switch (block.type) {
    case "text":
      return block.text
    case "image":
      return block.data ?? ""
    case "resource":
      return block.text ?? block.blob ?? ""
  }
}

const cutBlock = (block: ContentBlock, room: number): ContentBlock => {
  switch (block.type) {
    case "text":
      return { ...block, text: start(block.text, room) }
    case "image": {
      const { data: _data, ...rest } = block
      return rest
    }
    case "resource": {
      const { text: _text, blob: _blob, ...rest } = block
      return rest
    }
  }
}
