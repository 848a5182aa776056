/**
 * The parts of @xterm/headless that its public interface hides and that a faithful snapshot needs: the parser's state,
 * pens, margins, tab stops, saved cursors and charsets. This is the only file that knows where they are. The package's
 * version is pinned; {@link internalsOf} checks the shape once per terminal, so a moved field is an error with a name
 * and not a wrong screen.
 */
import type { IUnicodeVersionProvider, Terminal } from "@xterm/headless"

/** Colours and flags of a cell or of the pen, packed as xterm packs them. */
export interface XtermPen {
  fg: number
  bg: number
  readonly extended: XtermExtended
}

/** Underline style and colour (`_ext`), and the hyperlink. */
export interface XtermExtended {
  readonly _ext: number
  readonly urlId: number
}

/** One row of cells. */
export interface XtermLine {
  readonly length: number
  isWrapped: boolean
  getWidth(column: number): number
  getString(column: number): string
  getFg(column: number): number
  getBg(column: number): number
  hasContent(column: number): number
  translateToString(trimRight?: boolean, start?: number, end?: number): string
  readonly _extendedAttrs: { readonly [column: number]: XtermExtended | undefined }
}

/** A character set by identity: the objects are shared by all terminals. */
export type XtermCharset = object | undefined

/** The normal or the alternate screen. `y` counts from the top of the screen, `savedY` from the first line kept. */
export interface XtermBuffer {
  readonly lines: {
    readonly length: number
    maxLength: number
    get(index: number): XtermLine | undefined
    trimStart(count: number): void
  }
  readonly x: number
  readonly y: number
  ybase: number
  ydisp: number
  readonly scrollTop: number
  readonly scrollBottom: number
  readonly savedX: number
  savedY: number
  readonly savedCurAttrData: XtermPen
  readonly savedCharset: XtermCharset
  readonly tabs: { readonly [column: number]: boolean | undefined }
}

/** What an unfinished OSC or DCS string went to so far. */
interface XtermStringHandler {
  readonly _data: string
  readonly _hitLimit: boolean
}

/** What xterm does for a sequence. */
type XtermHandler = (parameters: unknown) => boolean | Promise<boolean>

/** The escape sequence parser. */
export interface XtermParser {
  readonly currentState: number
  readonly precedingJoinState: number
  readonly _collect: number
  readonly _params: {
    toArray(): ReadonlyArray<number | ReadonlyArray<number>>
    readonly _rejectDigits: boolean
    readonly _rejectSubDigits: boolean
  }
  readonly _oscParser: {
    readonly _state: number
    readonly _id: number
    readonly _active: ReadonlyArray<XtermStringHandler>
  }
  readonly _dcsParser: { readonly _ident: number; readonly _active: ReadonlyArray<XtermStringHandler> }
  readonly _csiHandlers: { readonly [id: string]: Array<XtermHandler> }
  readonly _escHandlers: { readonly [id: string]: Array<XtermHandler> }
  readonly _executeHandlers: { [code: string]: XtermHandler }
  setOscHandlerFallback(handler: (id: number, action: string, payload?: string | boolean) => void): void
  setDcsHandlerFallback(handler: (id: number, action: string, payload?: unknown) => void): void
}

/** A terminal from the inside. */
export interface XtermInternals {
  readonly cols: number
  readonly rows: number
  readonly buffers: { readonly active: XtermBuffer; readonly normal: XtermBuffer; readonly alt: XtermBuffer }
  readonly coreService: {
    readonly isCursorHidden: boolean
    readonly modes: { readonly insertMode: boolean }
    readonly decPrivateModes: {
      readonly applicationCursorKeys: boolean
      readonly applicationKeypad: boolean
      readonly bracketedPasteMode: boolean
      readonly cursorBlink: boolean | undefined
      readonly cursorStyle: "block" | "underline" | "bar" | undefined
      readonly origin: boolean
      readonly reverseWraparound: boolean
      readonly sendFocus: boolean
      readonly synchronizedOutput: boolean
      readonly wraparound: boolean
    }
  }
  readonly unicodeService: { readonly _providers: { readonly [version: string]: IUnicodeVersionProvider | undefined } }
  readonly coreMouseService: { readonly activeProtocol: string; readonly activeEncoding: string }
  readonly optionsService: { readonly rawOptions: { readonly convertEol: boolean; readonly cursorBlink: boolean } }
  readonly _charsetService: {
    readonly charset: XtermCharset
    readonly glevel: number
    readonly _charsets: ReadonlyArray<XtermCharset>
  }
  readonly _oscLinkService: {
    getLinkData(id: number): { readonly id?: string; readonly uri: string } | undefined
  }
  readonly _inputHandler: {
    readonly _curAttrData: XtermPen
    readonly _windowTitle: string
    readonly _iconName: string
    readonly _parser: XtermParser
    parse(data: Uint8Array): unknown
    setTitle(title: string): boolean
    registerCsiHandler(
      id: { readonly prefix?: string; readonly final: string },
      handler: (parameters: { readonly params: Int32Array }) => boolean
    ): { dispose(): void }
  }
}

/** The fields that {@link internalsOf} looks for, as paths with the type that each must have. */
const shape: ReadonlyArray<readonly [path: string, type: string]> = [
  ["buffers.normal.lines.maxLength", "number"],
  ["buffers.normal.lines.trimStart", "function"],
  ["buffers.normal.ybase", "number"],
  ["buffers.normal.ydisp", "number"],
  ["buffers.normal.scrollTop", "number"],
  ["buffers.normal.scrollBottom", "number"],
  ["buffers.normal.savedX", "number"],
  ["buffers.normal.savedY", "number"],
  ["buffers.normal.savedCurAttrData.fg", "number"],
  ["buffers.normal.savedCurAttrData.extended._ext", "number"],
  ["buffers.normal.tabs", "object"],
  ["buffers.alt.lines.length", "number"],
  ["coreService.isCursorHidden", "boolean"],
  ["coreService.modes.insertMode", "boolean"],
  ["coreService.decPrivateModes.applicationKeypad", "boolean"],
  ["coreService.decPrivateModes.origin", "boolean"],
  ["coreService.decPrivateModes.reverseWraparound", "boolean"],
  ["coreService.decPrivateModes.synchronizedOutput", "boolean"],
  ["coreService.decPrivateModes.wraparound", "boolean"],
  ["unicodeService._providers.6.charProperties", "function"],
  ["coreMouseService.activeProtocol", "string"],
  ["coreMouseService.activeEncoding", "string"],
  ["optionsService.rawOptions.convertEol", "boolean"],
  ["optionsService.rawOptions.cursorBlink", "boolean"],
  ["_charsetService.glevel", "number"],
  ["_charsetService._charsets", "object"],
  ["_oscLinkService.getLinkData", "function"],
  ["_inputHandler._curAttrData.fg", "number"],
  ["_inputHandler._curAttrData.extended.urlId", "number"],
  ["_inputHandler._windowTitle", "string"],
  ["_inputHandler._iconName", "string"],
  ["_inputHandler.parse", "function"],
  ["_inputHandler.setTitle", "function"],
  ["_inputHandler.registerCsiHandler", "function"],
  ["_inputHandler._parser._params.params", "object"],
  ["_inputHandler._parser.currentState", "number"],
  ["_inputHandler._parser.precedingJoinState", "number"],
  ["_inputHandler._parser._collect", "number"],
  ["_inputHandler._parser._params.toArray", "function"],
  ["_inputHandler._parser._params._rejectDigits", "boolean"],
  ["_inputHandler._parser._oscParser._state", "number"],
  ["_inputHandler._parser._oscParser._id", "number"],
  ["_inputHandler._parser._dcsParser._ident", "number"],
  ["_inputHandler._parser._csiHandlers", "object"],
  ["_inputHandler._parser._escHandlers", "object"],
  ["_inputHandler._parser._executeHandlers", "object"],
  ["_inputHandler._parser.setOscHandlerFallback", "function"],
  ["_inputHandler._parser.setDcsHandlerFallback", "function"]
]

/** Names of the fields that are not where this version of the library has them. Empty with the pinned one. */
export const missingInternals = (terminal: Terminal): ReadonlyArray<string> =>
  shape.flatMap(([path, type]) => {
    let value: unknown = (terminal as unknown as { readonly _core?: unknown })._core
    for (const key of path.split(".")) value = (value as { readonly [key: string]: unknown } | undefined)?.[key]
    return typeof value === type ? [] : [path]
  })

/** The inside of a terminal; throws where the library is not the one that this file was written for. */
export const internalsOf = (terminal: Terminal): XtermInternals => {
  const missing = missingInternals(terminal)
  if (missing.length > 0) {
    throw new Error(`@xterm/headless has other internals than 6.0.0: ${missing.join(", ")}`)
  }
  return (terminal as unknown as { readonly _core: XtermInternals })._core
}
