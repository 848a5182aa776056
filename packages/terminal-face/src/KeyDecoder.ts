/** From a terminal's bytes to keys: UTF-8, escape sequences and bracketed pastes, each of them cut anywhere. */

/** A key that does something to the line or the session. */
export type EditKey =
  | "send"
  | "steer"
  | "newline"
  | "left"
  | "right"
  | "wordLeft"
  | "wordRight"
  | "home"
  | "end"
  | "backspace"
  | "delete"
  | "killLine"
  | "killRest"
  | "killWord"
  | "older"
  | "newer"
  | "interrupt"
  | "leave"
  | "redraw"

/** What was typed. */
export type Key =
  | { readonly key: EditKey }
  /** Typed or pasted text; `tooLong` where a paste went past the bound, and nothing of it is here. */
  | { readonly key: "text"; readonly text: string }
  | { readonly key: "tooLong" }

const controls: { readonly [character: string]: EditKey } = {
  "\r": "send",
  "\n": "newline",
  "\u0001": "home",
  "\u0002": "left",
  "\u0003": "interrupt",
  "\u0004": "leave",
  "\u0005": "end",
  "\u0006": "right",
  "\u0008": "backspace",
  "\u007f": "backspace",
  "\u000b": "killRest",
  "\u000c": "redraw",
  "\u000e": "newer",
  "\u0010": "older",
  "\u0015": "killLine",
  "\u0017": "killWord"
}

/** By the sequence without its ESC, and without the modifiers of xterm's cursor keys. */
const sequences: { readonly [sequence: string]: EditKey } = {
  "[A": "older",
  "[B": "newer",
  "[C": "right",
  "[D": "left",
  "[H": "home",
  "[F": "end",
  "[1~": "home",
  "[7~": "home",
  "[4~": "end",
  "[8~": "end",
  "[3~": "delete",
  OA: "older",
  OB: "newer",
  OC: "right",
  OD: "left",
  OH: "home",
  OF: "end",
  b: "wordLeft",
  f: "wordRight",
  "\r": "steer",
  "\n": "steer",
  "\u007f": "killWord",
  "\u0008": "killWord"
}

const pasteEnd = "\u001b[201~"

/** UTF-16 units of an escape sequence that is waited for; what is longer is dropped. */
const maxSequence = 64

/** Decodes what one person types. Holds at most one unfinished sequence and one unfinished paste. */
export class KeyDecoder {
  readonly #utf8 = new TextDecoder()
  readonly #maxPaste: number
  /** An unfinished sequence, from its ESC on. */
  #held = ""
  /** An unfinished paste; undefined outside of one. */
  #paste: string | undefined
  #pasteTooLong = false

  /** Pastes of more UTF-16 units than this are refused as a whole. */
  constructor(maxPaste: number) {
    this.#maxPaste = maxPaste
  }

  /** Takes in what a terminal sent. */
  decode(input: Uint8Array | string): ReadonlyArray<Key> {
    const next = typeof input === "string" ? input : this.#utf8.decode(input, { stream: true })
    if (next === "") return []
    // The key Esc comes alone. Only what begins a sequence makes one with it: the rest of one that was cut there.
    let text = this.#held === "\u001b" && !/^[[O]/.test(next) ? next : this.#held + next
    this.#held = ""
    const keys: Array<Key> = []
    while (text !== "") text = this.#paste === undefined ? this.#typed(text, keys) : this.#pasted(text, keys)
    return keys
  }

  /** Takes keys off the front, and gives what is left. */
  #typed(text: string, keys: Array<Key>): string {
    const escape = text.indexOf("\u001b")
    if (escape !== 0) {
      const plain = escape === -1 ? text : text.slice(0, escape)
      addPlain(plain, keys)
      return text.slice(plain.length)
    }
    const sequence = /^\u001b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O\u001b])/u.exec(text)?.[0]
    if (sequence !== undefined) {
      const name = sequence.slice(1)
      if (name === "[200~") this.#paste = ""
      else {
        const key = keyOf(name)
        if (key !== undefined) keys.push({ key })
      }
      return text.slice(sequence.length)
    }
    const unfinished = /^\u001b(?:\[[0-?]*[ -/]*|O)?$/.test(text)
    if (unfinished && text.length <= maxSequence) {
      this.#held = text
      return ""
    }
    return text.slice(unfinished ? text.length : 1)
  }

  #pasted(text: string, keys: Array<Key>): string {
    const whole = this.#paste! + text
    const end = whole.indexOf(pasteEnd)
    if (end === -1) {
      // The end of the paste may have begun already.
      this.#pasteTooLong ||= whole.length > this.#maxPaste + pasteEnd.length
      this.#paste = this.#pasteTooLong ? whole.slice(1 - pasteEnd.length) : whole
      return ""
    }
    const pasted = whole
      .slice(0, end)
      .replaceAll(/\r\n?/g, "\n")
      .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
    if (this.#pasteTooLong || pasted.length > this.#maxPaste) keys.push({ key: "tooLong" })
    else if (pasted !== "") keys.push({ key: "text", text: pasted })
    this.#paste = undefined
    this.#pasteTooLong = false
    return whole.slice(end + pasteEnd.length)
  }
}

const keyOf = (name: string): EditKey | undefined => {
  const modified = /^\[1;(\d+)([A-H])$/.exec(name)
  if (modified === null) return Object.hasOwn(sequences, name) ? sequences[name] : undefined
  const key = sequences[`[${modified[2]}`]
  // Ctrl and Alt move by words.
  if (Number(modified[1]) > 2) return key === "left" ? "wordLeft" : key === "right" ? "wordRight" : key
  return key
}

const addPlain = (text: string, keys: Array<Key>): void => {
  for (const { 0: piece } of text.matchAll(/[\u0000-\u001f\u007f]|[^\u0000-\u001f\u007f]+/g)) {
    const key = Object.hasOwn(controls, piece) ? controls[piece] : undefined
    if (key !== undefined) keys.push({ key })
    else if (piece >= " ") keys.push({ key: "text", text: piece.replaceAll(/[\u0080-\u009f]/g, "") })
  }
}
