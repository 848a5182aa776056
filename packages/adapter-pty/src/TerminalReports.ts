/**
 * What a program reports of itself between the characters that it shows: its title, its directory, the bell, notifications,
 * progress and shell integration. Read from the bytes as they pass, whatever their borders; nothing is taken out of them.
 *
 * A report is an OSC sequence: `ESC ] number ; text`, ended by BEL, by ST (`ESC \`) or by any other ESC, given up by CAN or
 * SUB; where these rules leave room this does what xterm.js does, so that a report and the screen agree. The form with a single
 * character for `ESC ]` (U+009D) is not read: nothing writes it.
 *
 * | sequence | report | source |
 * | --- | --- | --- |
 * | BEL | bell | ECMA-48 |
 * | OSC 0, OSC 2 | title | xterm "Control Sequences" |
 * | OSC 7 `file://host/path` | directory | VTE, Terminal.app |
 * | OSC 9 `text` | notification | iTerm2 |
 * | OSC 9;4 `;state;percent` | progress | ConEmu, Windows Terminal |
 * | OSC 9;9 `;path` | directory | ConEmu, Windows Terminal |
 * | OSC 777 `;notify;title;text` | notification | rxvt-unicode |
 * | OSC 133 `;A` `;B` `;C` `;D;exit code` | shell integration | FinalTerm |
 */
import type { EventBody } from "@holdfast/core"

/** One report, as core's event of it. */
export type TerminalReport = EventBody<
  | "terminal.titled"
  | "terminal.directory_changed"
  | "terminal.belled"
  | "terminal.notified"
  | "terminal.progressed"
  | "terminal.marked"
>

/**
 * Most bytes of an OSC sequence that is read as a report: 4 KiB, the longest path that Linux has. Longer ones are data (images,
 * clipboards) or nonsense.
 */
export const maxReportBytes = 4096

/** Reads reports from the chunks of one terminal's output. */
export interface ReportReader {
  /** The reports that end in this chunk, in order. Adjacent bells are one. Keeps nothing of the chunk. */
  readonly read: (chunk: Buffer) => ReadonlyArray<TerminalReport>
}

const BEL = 0x07
const CAN = 0x18
const SUB = 0x1a
const ESC = 0x1b
const bracketByte = 0x5d
const oscStart = Buffer.from([ESC, bracketByte])

/** After ESC: DCS, SOS, PM and APC, whose text may hold a BEL that does not ring. */
const isStringStart = (byte: number | undefined) => byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f

const none: ReadonlyArray<TerminalReport> = []

/** Bytes of a chunk that are looked at one by one: for what echoes typing that takes a tenth of four searches. */
const shortBytes = 64

/** Whether nothing in it begins or ends anything. */
const isPlain = (chunk: Buffer): boolean => {
  for (const byte of chunk) if (byte === BEL || byte === CAN || byte === SUB || byte === ESC) return false
  return true
}

/** Where the next OSC begins. Coloured text is full of ESC and has few brackets: whether there is one at all is found ten times sooner. */
const findOsc = (chunk: Buffer, from: number): number => {
  const bracket = chunk.indexOf(bracketByte, from)
  return bracket === -1 ? -1 : chunk.indexOf(oscStart, Math.max(from, bracket - 1))
}

/** Makes a reader for a terminal from its first byte on. */
export const makeReportReader = (): ReportReader => {
  /** The last chunk ended with ESC. */
  let afterEsc = false
  /** Inside a string that is not an OSC. Any ESC ends it. */
  let inString = false
  /** Inside an OSC: what was read of it, or too long to be kept. */
  let osc: Array<Buffer> | "ignored" | undefined
  let oscBytes = 0

  let reports: Array<TerminalReport> = []

  const ring = () => {
    const last = reports.at(-1)
    if (last?.type === "terminal.belled") {
      reports[reports.length - 1] = { type: last.type, data: { count: last.data.count + 1 } }
    } else reports.push({ type: "terminal.belled", data: { count: 1 } })
  }

  /** Reads on inside an OSC; gives the place after it, or the length where it does not end here. */
  const readOsc = (chunk: Buffer, from: number): number => {
    let end = from
    while (end < chunk.length) {
      const byte = chunk[end]!
      if (byte === BEL || byte === ESC || byte === CAN || byte === SUB) break
      end++
    }
    if (osc !== "ignored" && osc !== undefined) {
      oscBytes += end - from
      if (oscBytes > maxReportBytes) osc = "ignored"
      // A copy: the next read may overwrite the chunk.
      else if (end > from) osc.push(Buffer.from(chunk.subarray(from, end)))
    }
    if (end === chunk.length) return end
    const byte = chunk[end]!
    if (osc !== "ignored" && osc !== undefined && (byte === BEL || byte === ESC)) {
      const report = interpret(Buffer.concat(osc))
      if (report !== undefined) reports.push(report)
    }
    osc = undefined
    // An ESC may begin the next sequence: it is looked at again.
    return byte === ESC ? end : end + 1
  }

  const startOsc = () => {
    inString = false
    osc = []
    oscBytes = 0
  }

  /** Reads over plain text: it is inside a string when the last ESC in it began one that nothing gave up since. */
  const readText = (text: Buffer) => {
    const esc = text.lastIndexOf(ESC)
    if (esc !== -1) inString = isStringStart(text[esc + 1])
    if (!inString) return
    const rest = esc === -1 ? text : text.subarray(esc)
    inString = !rest.includes(CAN) && !rest.includes(SUB)
  }

  return {
    read: (chunk) => {
      if (chunk.length <= shortBytes && osc === undefined && !afterEsc && !inString && isPlain(chunk)) return none
      reports = []
      let at = 0
      if (osc !== undefined) at = readOsc(chunk, 0)
      else if (afterEsc && chunk.length > 0) {
        if (chunk[0] === bracketByte) {
          startOsc()
          at = readOsc(chunk, 1)
        } else inString = isStringStart(chunk[0])
      }
      if (chunk.length > 0) afterEsc = false

      // The places of the next BEL and OSC in the plain text from `at` on.
      let bell = chunk.indexOf(BEL, at)
      let start = findOsc(chunk, at)
      while (bell !== -1 || start !== -1) {
        if (start === -1 || (bell !== -1 && bell < start)) {
          readText(chunk.subarray(at, bell))
          at = bell
          if (!inString) ring()
          bell = chunk.indexOf(BEL, bell + 1)
          continue
        }
        startOsc()
        at = readOsc(chunk, start + oscStart.length)
        if (bell !== -1 && bell < at) bell = chunk.indexOf(BEL, at)
        start = findOsc(chunk, at)
      }

      if (osc === undefined && at < chunk.length) {
        readText(at === 0 ? chunk : chunk.subarray(at))
        afterEsc = chunk[chunk.length - 1] === ESC
      }
      return reports.length === 0 ? none : reports
    }
  }
}

/** Text as people should read it: invalid UTF-8 replaced, control characters gone. */
const textOf = (bytes: Buffer) => bytes.toString("utf8").replace(/[\u0000-\u001f\u007f-\u009f]/g, "")

const interpret = (bytes: Buffer): TerminalReport | undefined => {
  const text = textOf(bytes)
  const [, number, rest] = /^(\d{1,4});?(.*)$/s.exec(text) ?? []
  if (number === undefined || rest === undefined) return undefined
  switch (Number(number)) {
    case 0:
    case 2:
      return { type: "terminal.titled", data: { title: rest } }
    case 7:
      return directoryOf(rest)
    case 9:
      return conEmu(rest)
    case 777: {
      const [kind, title, ...body] = rest.split(";")
      if (kind !== "notify" || title === undefined) return undefined
      return { type: "terminal.notified", data: { title, body: body.join(";") } }
    }
    case 133:
      return markOf(rest)
    default:
      return undefined
  }
}

const directoryOf = (url: string): TerminalReport | undefined => {
  const [, host, path] = /^file:\/\/([^/]*)(\/.*)$/s.exec(url) ?? []
  if (host === undefined || path === undefined) return undefined
  try {
    const data = { path: decodeURIComponent(path), ...(host === "" ? {} : { host }) }
    return { type: "terminal.directory_changed", data }
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

const progressStates = ["none", "normal", "error", "indeterminate", "paused"] as const

const conEmu = (text: string): TerminalReport | undefined => {
  const [, command, rest = ""] = /^(\d{1,2})(?:;(.*))?$/s.exec(text) ?? []
  if (command === undefined) return text === "" ? undefined : { type: "terminal.notified", data: { body: text } }
  if (command === "9" && rest !== "") {
    return { type: "terminal.directory_changed", data: { path: rest.replace(/^"(.*)"$/s, "$1") } }
  }
  if (command !== "4") return undefined
  const [state, percent] = rest.split(";")
  const name = /^\d$/.test(state ?? "") ? progressStates[Number(state)] : undefined
  if (name === undefined) return undefined
  const isNumber = percent !== undefined && /^\d{1,3}$/.test(percent)
  return {
    type: "terminal.progressed",
    data: { state: name, ...(isNumber ? { percent: Math.min(Number(percent), 100) } : {}) }
  }
}

const marks = { A: "prompt", B: "input", C: "running", D: "finished" } as const

const markOf = (text: string): TerminalReport | undefined => {
  const [letter, code] = text.split(";")
  if (letter !== "A" && letter !== "B" && letter !== "C" && letter !== "D") return undefined
  if (letter !== "D") return { type: "terminal.marked", data: { mark: marks[letter] } }
  const exitCode = code !== undefined && /^-?\d{1,10}$/.test(code) ? Number(code) : null
  return { type: "terminal.marked", data: { mark: marks.D, exitCode } }
}
