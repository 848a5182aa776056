/**
 * What a terminal's parser holds between two bytes: an escape sequence that is not complete yet. Read back as bytes that
 * bring a fresh parser into the same state, so that a snapshot may be taken anywhere.
 */
import type { XtermInternals, XtermParser } from "./XtermInternals.ts"

/**
 * Longest unfinished string (title, clipboard, image) that a snapshot carries, in UTF-16 units: 1 MiB. The rest of a
 * longer one is ignored by whoever restores the snapshot, as if the program had aborted it.
 */
export const maxTailLength = 1024 * 1024

/** Parser states of xterm. */
const state = {
  ground: 0,
  escape: 1,
  escapeIntermediate: 2,
  csiEntry: 3,
  csiParam: 4,
  csiIntermediate: 5,
  csiIgnore: 6,
  sosPmApc: 7,
  osc: 8,
  dcsEntry: 9,
  dcsParam: 10,
  dcsIgnore: 11,
  dcsIntermediate: 12,
  dcsPassthrough: 13
} as const

/** States of its OSC parser. */
const oscState = { id: 1, payload: 2, abort: 3 } as const

/** Collects the strings that xterm itself has no use for: a client may have one. */
export interface StringCollector {
  /** The unfinished string so far; `undefined` if it is over the limit. */
  readonly text: () => string | undefined
}

/** Watches a parser from now on. */
export const collectStrings = (parser: XtermParser): StringCollector => {
  let parts: Array<string> = []
  let length = 0
  const on = (_id: number, action: string, payload?: unknown): void => {
    if (action !== "PUT") {
      parts = []
      length = 0
    } else if (typeof payload === "string") {
      length += payload.length
      if (length <= maxTailLength) parts.push(payload)
      else parts = []
    }
  }
  parser.setOscHandlerFallback(on)
  parser.setDcsHandlerFallback(on)
  return { text: () => (length > maxTailLength ? undefined : parts.join("")) }
}

/** Collected prefix and intermediate characters: xterm packs the last four into a number. */
const collected = (parser: XtermParser): { readonly prefix: string; readonly intermediates: string } => {
  const all = [24, 16, 8, 0].map((shift) => (parser._collect >>> shift) & 255).filter((code) => code !== 0)
  const text = String.fromCharCode(...all)
  const hasPrefix = all.length > 0 && all[0]! >= 0x3c && all[0]! <= 0x3f
  return hasPrefix ? { prefix: text.slice(0, 1), intermediates: text.slice(1) } : { prefix: "", intermediates: text }
}

const parameters = (parser: XtermParser): string => {
  let text = ""
  for (const parameter of parser._params.toArray()) {
    if (typeof parameter !== "number") text += parameter.map((sub) => (sub === -1 ? ":" : `:${sub}`)).join("")
    else text += text === "" ? `${parameter}` : `;${parameter}`
  }
  // More than it stores: the separator that made it stop listening.
  if (parser._params._rejectDigits) return `${text};`
  return parser._params._rejectSubDigits ? `${text}:` : text
}

const payloadOf = (
  handlers: ReadonlyArray<{ readonly _data: string; readonly _hitLimit: boolean }>,
  collector: StringCollector
): string | undefined => {
  const handler = handlers[handlers.length - 1]
  if (handler === undefined) return collector.text()
  return handler._hitLimit || handler._data.length > maxTailLength ? undefined : handler._data
}

const oscText = (parser: XtermParser, collector: StringCollector): string => {
  const osc = parser._oscParser
  // A letter where the number belongs: xterm ignores such a string to its end.
  const ignored = "\x1b]x"
  if (osc._state === oscState.abort || osc._id > 1e9) return ignored
  const id = osc._id === -1 ? "" : `${osc._id}`
  if (osc._state !== oscState.payload) return `\x1b]${id}`
  const payload = payloadOf(osc._active, collector)
  return payload === undefined ? ignored : `\x1b]${id};${payload}`
}

const dcsText = (parser: XtermParser, collector: StringCollector): string => {
  const payload = payloadOf(parser._dcsParser._active, collector)
  if (payload === undefined) return "\x1bP0<"
  const { prefix, intermediates } = collected(parser)
  const final = String.fromCharCode(parser._dcsParser._ident & 255)
  return `\x1bP${prefix}${parameters(parser)}${intermediates}${final}${payload}`
}

/**
 * The start of the unfinished sequence, without the control characters in it that were already obeyed; empty in between
 * sequences. Of a PM, APC or SOS string, which xterm ignores, only the fact is kept.
 */
export const parserTail = (inside: XtermInternals, collector: StringCollector): string => {
  const parser = inside._inputHandler._parser
  const { prefix, intermediates } = collected(parser)
  switch (parser.currentState) {
    case state.ground:
      return ""
    case state.escape:
      return "\x1b"
    case state.escapeIntermediate:
      return `\x1b${intermediates}`
    case state.csiEntry:
      return "\x1b["
    case state.csiParam:
    case state.csiIntermediate:
      return `\x1b[${prefix}${parameters(parser)}${intermediates}`
    case state.csiIgnore:
      return "\x1b[0<"
    case state.sosPmApc:
      return "\x1bX"
    case state.osc:
      return oscText(parser, collector)
    case state.dcsEntry:
      return "\x1bP"
    case state.dcsParam:
    case state.dcsIntermediate:
      return `\x1bP${prefix}${parameters(parser)}${intermediates}`
    case state.dcsIgnore:
      return "\x1bP0<"
    case state.dcsPassthrough:
      return dcsText(parser, collector)
    default:
      throw new Error(`@xterm/headless has a parser state that is not known here: ${parser.currentState}`)
  }
}
