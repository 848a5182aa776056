/** A session's terminal as plain text: all lines that scrolled by, and the screen at the end. */
import type { EventLogService, LogUnavailable, Page, SessionId, SessionNotFound } from "@holdfast/core"
import { Effect, Stream } from "effect"
import { TerminalScreen } from "../screen/TerminalScreen.ts"
import { defaultTerminalSize } from "../screen/TerminalBounds.ts"
import { readSnapshot, showSnapshot } from "../screen/TerminalSnapshot.ts"
import { type TerminalStep, TerminalSteps } from "../screen/TerminalSteps.ts"
import { sessionPages } from "./sessionPages.ts"

/**
 * Output after which lines that scrolled off are taken, and how many lines can wait for that: a byte makes one line at
 * most, but for sequences that no program uses for text.
 */
const sliceBytes = 4 * 1024
const waitingLines = 4 * 1024

/** Milliseconds of work between two turns of the event loop. */
const turnMs = 3

/** Collects the text of one terminal, a page at a time. */
class TranscriptWriter {
  #screen = new TerminalScreen(defaultTerminalSize.cols, defaultTerminalSize.rows, waitingLines)
  #steps = new TerminalSteps()
  #lines: Array<string> = []

  async take(page: Page): Promise<string> {
    if (page.answer === "gap") {
      this.#steps.skipTo(page.to)
      this.#lines.push(`[events ${page.from} to ${page.to} cannot be had: ${page.reason}]`)
      return this.#taken()
    }
    const { seq } = this.#steps.place
    const covering = page.answer === "snapshot" ? page.covering.map(readSnapshot) : []
    const newer = covering.findLast((snapshot) => snapshot !== undefined && snapshot.through > seq)
    if (newer !== undefined) {
      this.#lines.push(...this.#shown(), `[older output was removed; event ${newer.through} goes on here]`)
      this.#screen.dispose()
      this.#screen = await showSnapshot(newer, { scrollback: waitingLines })
      this.#steps = new TerminalSteps({ seq: newer.through, offset: newer.offset })
    }
    let turnBegan = performance.now()
    for (const step of this.#steps.take(page.events)) {
      await this.#step(step)
      if (performance.now() - turnBegan < turnMs) continue
      await new Promise<void>((resolve) => setImmediate(resolve))
      turnBegan = performance.now()
    }
    return this.#taken()
  }

  /** The screen at the end. */
  end(): string {
    this.#lines.push(...this.#shown())
    return this.#taken()
  }

  dispose(): void {
    this.#screen.dispose()
  }

  /** What the screen shows, without the blank lines under it. */
  #shown(): Array<string> {
    const lines = this.#screen.allLines()
    while (lines.at(-1) === "") lines.pop()
    return lines
  }

  #taken(): string {
    const text = this.#lines.map((line) => `${line}\n`).join("")
    this.#lines = []
    return text
  }

  async #step(step: TerminalStep): Promise<void> {
    if (step.kind === "resized") this.#screen.resize(step.cols, step.rows)
    else if (step.kind === "started") {
      const { cols, rows } = this.#screen
      this.#lines.push(...this.#shown())
      this.#screen.dispose()
      this.#screen = new TerminalScreen(cols, rows, waitingLines)
    } else if (step.kind === "output") {
      for (let at = 0; at < step.bytes.length; at += sliceBytes) {
        await this.#screen.write([step.bytes.subarray(at, at + sliceBytes)])
        this.#lines.push(...this.#screen.takeAbove())
      }
    }
  }
}

/**
 * The text of a session's terminal, line by line as it scrolled off the screen, then the screen at the end; lines that
 * the terminal wrapped are whole again. What a full-screen program draws over is not text and is not in it, but for what
 * it shows at the end. Output that was removed is missing but for the lines that its snapshot kept.
 */
export const transcriptOf = (
  log: EventLogService,
  sessionId: SessionId
): Stream.Stream<string, SessionNotFound | LogUnavailable> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => new TranscriptWriter()),
        (writer) => Effect.sync(() => writer.dispose())
      ),
      (writer) =>
        sessionPages(log, sessionId).pipe(
          Stream.mapEffect((page) => Effect.promise(() => writer.take(page))),
          Stream.concat(Stream.sync(() => writer.end())),
          Stream.filter((text) => text !== "")
        )
    )
  )
