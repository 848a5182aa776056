/** A session's terminal as an asciicast (version 2), which asciinema and its players show. */
import type { EventLogService, LogUnavailable, Page, SessionId, SessionNotFound } from "@holdfast/core"
import { Stream } from "effect"
import { startAfresh } from "../screen/Attach.ts"
import { defaultTerminalSize } from "../screen/TerminalBounds.ts"
import { readSnapshot, type TerminalSnapshot } from "../screen/TerminalSnapshot.ts"
import { type TerminalStep, TerminalSteps } from "../screen/TerminalSteps.ts"
import { sessionPages } from "./sessionPages.ts"

/** What goes into the recording's header beside what the session says. */
export interface AsciicastOptions {
  /** Default: the session's title. */
  readonly title?: string
  /** What the program was told its terminal is; default `xterm-256color`. */
  readonly term?: string
}

/** Writes one recording, a page at a time. */
class AsciicastWriter {
  readonly #options: AsciicastOptions
  /** Output is text in a recording: a character waits until all of its bytes are there. */
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  #steps = new TerminalSteps()
  #size: { cols: number; rows: number } = { ...defaultTerminalSize }
  #title: string | undefined
  #began: number | undefined
  #time = 0
  #headed = false
  #text = ""

  constructor(options: AsciicastOptions) {
    this.#options = options
  }

  /** The lines for a page. */
  take(page: Page): string {
    if (page.answer === "gap") {
      this.#steps.skipTo(page.to)
      this.#event("m", `events ${page.from} to ${page.to} cannot be had: ${page.reason}`)
      return this.#taken()
    }
    const { seq } = this.#steps.place
    const covering = page.answer === "snapshot" ? page.covering.map(readSnapshot) : []
    const newer = covering.findLast((snapshot) => snapshot !== undefined && snapshot.through > seq)
    for (const record of page.events) {
      this.#began ??= record.at
      if (record.type === "session.created" && typeof record.data["title"] === "string") {
        this.#title = record.data["title"]
      }
      if (newer !== undefined && record.seq <= newer.through) continue
      if (newer !== undefined && this.#steps.place.seq < newer.through) this.#show(newer)
      this.#time = Math.max(this.#time, record.at - this.#began)
      for (const step of this.#steps.take([record])) this.#step(step)
    }
    if (newer !== undefined && this.#steps.place.seq < newer.through) this.#show(newer)
    return this.#taken()
  }

  /** What is left at the end: half a character, and the header of a recording without output. */
  end(): string {
    this.#output(this.#decoder.decode())
    this.#header()
    return this.#taken()
  }

  #taken(): string {
    const text = this.#text
    this.#text = ""
    return text
  }

  #header(): void {
    if (this.#headed) return
    this.#headed = true
    const title = this.#options.title ?? this.#title
    const header = {
      version: 2,
      width: this.#size.cols,
      height: this.#size.rows,
      timestamp: Math.floor((this.#began ?? 0) / 1000),
      ...(title === undefined || title === "" ? {} : { title }),
      env: { TERM: this.#options.term ?? "xterm-256color" }
    }
    this.#text = `${JSON.stringify(header)}\n${this.#text}`
  }

  #event(code: "o" | "r" | "m", data: string): void {
    this.#header()
    this.#text += `${JSON.stringify([this.#time / 1000, code, data])}\n`
  }

  #output(text: string): void {
    if (text !== "") this.#event("o", text)
  }

  #resize(cols: number, rows: number): void {
    const changed = cols !== this.#size.cols || rows !== this.#size.rows
    this.#size = { cols, rows }
    // Before the first output it is the size of the recording.
    if (changed && this.#headed) this.#event("r", `${cols}x${rows}`)
  }

  #step(step: TerminalStep): void {
    if (step.kind === "output") this.#output(this.#decoder.decode(step.bytes, { stream: true }))
    else if (step.kind === "resized") this.#resize(step.cols, step.rows)
    else if (step.kind === "started") this.#output(this.#decoder.decode() + startAfresh)
  }

  /** Output that is gone: the screen that it led to appears at once. */
  #show(snapshot: TerminalSnapshot): void {
    const fresh = this.#headed ? this.#decoder.decode() + startAfresh : ""
    this.#resize(snapshot.cols, snapshot.rows)
    this.#event("m", `older output was removed; event ${snapshot.through} goes on here`)
    this.#output(fresh + this.#decoder.decode(snapshot.bytes, { stream: true }))
    this.#steps = new TerminalSteps({ seq: snapshot.through, offset: snapshot.offset })
  }
}

/**
 * The terminal of a session as an asciicast: a header line, then `o` for output, `r` for a new size and `m` (a marker)
 * for what the log cannot give, each with its time in seconds since the session was made. Invalid UTF-8 becomes U+FFFD,
 * as the format is text. The stream gives whole lines, a page of them at once.
 */
export const asciicastOf = (
  log: EventLogService,
  sessionId: SessionId,
  options: AsciicastOptions = {}
): Stream.Stream<string, SessionNotFound | LogUnavailable> =>
  Stream.suspend(() => {
    const writer = new AsciicastWriter(options)
    return sessionPages(log, sessionId).pipe(
      Stream.map((page) => writer.take(page)),
      Stream.concat(Stream.sync(() => writer.end())),
      Stream.filter((text) => text !== "")
    )
  })
