/** An agent's session as text, piece by piece as it came: for replays, exports and screens, which a terminal's bytes have else. */
import type { EventLogService, LogUnavailable, SessionId, SessionNotFound, SessionSummary } from "@holdfast/core"
import { makePlainFace } from "@holdfast/terminal-face"
import * as Stream from "effect/Stream"
import { pageNotice } from "../output/EventLine.ts"

/** A piece of text and the time at which it was there, in milliseconds since 1970. */
export interface TextPiece {
  readonly at: number
  readonly text: string
}

/** Which events, and how they look. */
export interface FaceTextOptions {
  readonly colour: boolean
  /** The last event that counts; default: the last that there is. */
  readonly through?: number | undefined
}

/** Whether a session is shown by a face: it has no terminal of its own. */
export const hasFace = ({ backend, hasTerminal }: SessionSummary): boolean => !hasTerminal && backend !== "pty"

/** The text of a session, from its first event on. */
export const faceText = (
  log: EventLogService,
  sessionId: SessionId,
  { colour, through = Number.POSITIVE_INFINITY }: FaceTextOptions
): Stream.Stream<TextPiece, SessionNotFound | LogUnavailable> =>
  Stream.suspend(() => {
    const face = makePlainFace({ colour, prompts: true })
    let at = 0
    const pages = Stream.takeUntil(
      log.follow(sessionId, 0),
      ({ answer, cursor }) => answer === "caught-up" || cursor >= through
    )
    return pages.pipe(
      Stream.flatMap((page) => {
        if (page.answer === "caught-up") return Stream.empty
        if (page.answer === "gap") return Stream.succeed({ at, text: `[${pageNotice(page)}]\n` })
        return Stream.fromIterable(
          page.events.flatMap((event): ReadonlyArray<TextPiece> => {
            if (event.seq > through) return []
            at = event.at
            const text = face.show([event])
            return text === "" ? [] : [{ at, text }]
          })
        )
      }),
      Stream.concat(Stream.sync(() => ({ at, text: face.end() }))),
      Stream.filter(({ text }) => text !== "")
    )
  })

/** Columns and rows that a recording of a face has. */
const castSize = { width: 100, height: 30 }

/** The text as an asciicast v2 recording, a line at a time. */
export const faceCast = (
  log: EventLogService,
  sessionId: SessionId
): Stream.Stream<string, SessionNotFound | LogUnavailable> =>
  Stream.suspend(() => {
    let began: number | undefined
    return faceText(log, sessionId, { colour: true }).pipe(
      Stream.map(({ at, text }) => {
        const header =
          began === undefined
            ? `${JSON.stringify({ version: 2, ...castSize, timestamp: Math.floor(at / 1_000) })}\n`
            : ""
        began ??= at
        return `${header}${JSON.stringify([(at - began) / 1_000, "o", text.replaceAll("\n", "\r\n")])}\n`
      })
    )
  })
