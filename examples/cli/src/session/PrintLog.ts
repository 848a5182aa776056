/** Prints the events of a session: for people a line each, for programs as the log has them. */
import { encodeRecord, type EventRecord, type Followed } from "@holdfast/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { usage } from "../ExitCode.ts"
import { eventLine, pageNotice } from "../output/EventLine.ts"
import { json as printJson, note, write } from "../output/Output.ts"
import { styleOf } from "../output/Style.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"

/** What to print, and how. */
export interface PrintLogOptions {
  readonly json: boolean
  readonly after: number
  readonly follow: boolean
  readonly limit: number
}

const endTypes: ReadonlySet<string> = new Set(["backend.closed", "backend.failed", "backend.suspended"])

/** Prints them. A page that is not everything says so: on stderr for people, as a line of its own in JSON. */
export const printLog = (store: string, asked: string, { after, follow, json, limit }: PrintLogOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const { lifecycle, sessionId } = yield* findSession(log, asked)
      const style = styleOf(process.stdout)
      const toText = json ? encodeRecord : (record: EventRecord) => eventLine(record, style)
      let printed = 0
      let ended = lifecycle === "closed" || lifecycle === "failed"

      const printEvents = (events: ReadonlyArray<EventRecord>) => {
        const chosen = events.slice(0, limit - printed)
        printed += chosen.length
        ended ||= chosen.some((record) => endTypes.has(record.type))
        return chosen.length === 0 ? Effect.void : write(`${chosen.map(toText).join("\n")}\n`)
      }
      const printPage = Effect.fnUntraced(function* (page: Followed) {
        if (page.answer === "caught-up") return
        // Going on from the start would repeat what the reader has, or is another log's.
        if (page.answer === "gap" && page.reason === "ahead") return yield* usage(`--after ${after}: ${page.detail}`)
        const notice = pageNotice(page)
        if (notice !== undefined) yield* json ? printJson({ notice: noticeOf(page) }) : note(style("yellow", notice))
        if (page.answer === "gap") return
        if (page.answer === "snapshot") yield* printEvents(page.covering.filter((one) => one.seq > page.cursor))
        yield* printEvents(page.events)
      })
      const isDone = (page: Followed) => printed >= limit || (page.answer === "caught-up" && (ended || !follow))
      yield* log.follow(sessionId, after).pipe(Stream.tap(printPage), Stream.takeUntil(isDone), Stream.runDrain)
    })
  )

/** What a program should know of a page: the answer without its events. */
const noticeOf = (page: Followed): unknown => {
  switch (page.answer) {
    case "gap": {
      const { answer, detail, from, reason, to } = page
      return { answer, reason, from, to, detail }
    }
    case "snapshot":
      return { answer: page.answer, wholeAt: page.wholeAt, covering: page.covering.map((one) => one.seq) }
    default:
      return { answer: page.answer }
  }
}
