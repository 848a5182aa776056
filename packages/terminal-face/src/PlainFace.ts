/**
 * A structured session as plain text that is only added to: for pipes, files and logs. Messages as they stream, a line
 * for each tool call that has ended, requests and how they ended, and what went wrong.
 */
import type { EventRecord, SessionState } from "@holdfast/core"
import { safeText } from "./SafeText.ts"
import { followsClosely, type Print, type PrintGroup } from "./Print.ts"
import { maxBehind, StreamedText } from "./StreamedText.ts"
import { paint, type StyledLine } from "./StyledLine.ts"
import { emptyTranscript, evolveTranscript, type Transcript } from "./Transcript.ts"

/** What a plain face is for. */
export interface PlainFaceOptions {
  /** Default false. */
  readonly colour?: boolean
  /** Whether its own signs are Unicode; otherwise ASCII. Default true. */
  readonly unicode?: boolean
  /** Whether prompts are repeated. Default false: whoever redirects the output wrote them. */
  readonly prompts?: boolean
  /** Who looks: their prompts and answers are not signed. */
  readonly participant?: string
  /** The session's state before the first event that is shown, where that is not the first of the log. */
  readonly state?: SessionState
}

/** A session as text. What each call gives is to be added to the output, in order. */
export interface PlainFace {
  /** The last event that it knows. */
  readonly seq: number
  /** Takes in events; those that it knows change nothing. */
  readonly show: (events: ReadonlyArray<EventRecord>) => string
  /** What is left of texts that did not end, and the end of the line. */
  readonly end: () => string
}

/** Makes a plain face. */
export const makePlainFace = (options: PlainFaceOptions = {}): PlainFace => new Plain(options)

interface PlainStream {
  readonly text: StreamedText
  begun: boolean
}

class Plain implements PlainFace {
  #transcript: Transcript
  readonly #colour: boolean
  readonly #unicode: boolean
  readonly #hidden: ReadonlySet<PrintGroup>
  readonly #streams = new Map<string, PlainStream>()
  #output = ""
  #last: { readonly group: PrintGroup; readonly stream: string | undefined } | undefined
  #midLine = false

  constructor(options: PlainFaceOptions) {
    const { colour = false, participant, prompts = false, state, unicode = true } = options
    this.#transcript = emptyTranscript({ state, participant, unicode })
    this.#colour = colour
    this.#unicode = unicode
    this.#hidden = new Set(["note", "turn", "reasoning", ...(prompts ? [] : ["prompt" as const])])
  }

  get seq(): number {
    return this.#transcript.session.seq
  }

  show(events: ReadonlyArray<EventRecord>): string {
    for (const event of events) {
      const [transcript, prints] = evolveTranscript(this.#transcript, event)
      this.#transcript = transcript
      for (const print of prints) this.#print(print)
    }
    return this.#take()
  }

  end(): string {
    for (const stream of this.#streams.keys()) this.#close(stream, undefined, [])
    this.#endLine()
    return this.#take()
  }

  #take(): string {
    const output = this.#output
    this.#output = ""
    return output
  }

  #print(print: Print): void {
    switch (print.print) {
      case "block":
        if (this.#hidden.has(print.group)) return
        this.#lines(print.group, print.group === "tool" ? print.lines.slice(0, 1) : print.lines, undefined)
        return
      case "opened":
        this.#close(print.stream, undefined, [])
        if (this.#hidden.has(print.group)) return
        this.#streams.set(print.stream, { text: new StreamedText(this.#unicode), begun: false })
        return
      case "text":
        this.#streams.get(print.stream)?.text.push(print.text)
        this.#writeStreams()
        return
      case "closed":
        this.#close(print.stream, print.whole, print.lines)
    }
  }

  /** Texts go out in the order in which they began, unless a later one grows too long to wait. */
  #writeStreams(): void {
    let first = true
    for (const [id, stream] of this.#streams) {
      const { waiting } = stream.text
      if (first || waiting.length > maxBehind) {
        // Line ends wait for what follows them: those at the end of a text are left out.
        const written = waiting.trimEnd().length
        this.#text(id, stream, waiting.slice(0, written))
        stream.text.printed(written)
      }
      first = false
    }
  }

  #close(id: string, whole: string | undefined, lines: ReadonlyArray<StyledLine>): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#streams.delete(id)
    const { differs, text } = stream.text.end(whole)
    if (differs) {
      this.#endLine()
      this.#output += "(the whole text differs from what streamed)\n"
    }
    this.#text(id, stream, text.trimEnd())
    if (lines.length > 0) this.#lines("message", lines, id)
    this.#endLine()
    this.#writeStreams()
  }

  #text(id: string, stream: PlainStream, text: string): void {
    const shown = stream.begun ? text : text.replace(/^\s*\n/, "")
    if (shown === "") return
    this.#begin("message", id)
    stream.begun = true
    this.#output += shown
    this.#midLine = true
  }

  #lines(group: PrintGroup, lines: ReadonlyArray<StyledLine>, stream: string | undefined): void {
    if (lines.length === 0) return
    this.#begin(group, stream)
    this.#endLine()
    for (const line of lines) {
      const hang = safeText(line.hang?.text ?? "", this.#unicode)
      const row = [...(line.lead === undefined ? [] : [line.lead]), ...line.spans].map((span) => ({
        ...span,
        text: safeText(span.text, this.#unicode).replaceAll("\n", `\n${hang}`)
      }))
      this.#output += `${paint(row, this.#colour)}\n`
    }
  }

  /** Sets apart what is not the same text as before. */
  #begin(group: PrintGroup, stream: string | undefined): void {
    const last = this.#last
    this.#last = { group, stream }
    if (last === undefined || (stream !== undefined && last.stream === stream)) return
    this.#endLine()
    if (!followsClosely(last.group, group)) this.#output += "\n"
  }

  #endLine(): void {
    if (this.#midLine) this.#output += "\n"
    this.#midLine = false
  }
}
