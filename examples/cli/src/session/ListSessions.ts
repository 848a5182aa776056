/** The list of sessions: once, or as it changes. */
import {
  type EventLogService,
  type SessionId,
  type SessionQuery,
  type SessionSummary,
  SessionSummary as Summary
} from "@holdfast/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { json as printJson, line, note, write } from "../output/Output.ts"
import { sessionTable, statusText } from "../output/SessionTable.ts"
import { styleOf } from "../output/Style.ts"
import { fit, size } from "../output/Text.ts"
import { openIfThere, openReader } from "../store/Reader.ts"

/** Milliseconds between two drawings of a live table: a burst of changes is one. */
const drawEveryMs = 100

const style = styleOf(process.stdout)
const columns = () => process.stdout.columns || 100

const encode = Schema.encodeSync(Schema.toCodecJson(Summary))

/** Prints the list once. */
export const listSessions = (store: string, json: boolean, query: SessionQuery) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openIfThere(store)
      const page = log === undefined ? { sessions: [] } : yield* log.sessions(query)
      if (json) return yield* printJson({ sessions: page.sessions.map((one) => encode(one)), next: page.next ?? null })
      if (page.sessions.length === 0) {
        return yield* note(
          query.status === undefined && query.search === undefined
            ? "There are no sessions yet. Start one: holdfast run -- <command>"
            : "No session is like that."
        )
      }
      yield* write(`${sessionTable(page.sessions, { style, columns: columns(), now: Date.now() }).join("\n")}\n`)
      if (page.next !== undefined)
        yield* note("There are more: --limit shows up to 1000, --search and --status choose.")
    })
  )

/** Prints the list and what changes in it, until it is interrupted. */
export const followSessions = (store: string, json: boolean, query: SessionQuery) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const changes = log.followSessions(query)
      if (json) {
        return yield* Stream.runForEach(changes, (item) =>
          printJson(item.kind === "changed" ? { ...item, sessions: item.sessions.map((one) => encode(one)) } : item)
        )
      }
      yield* process.stdout.isTTY ? drawTable(changes, query.limit ?? 100) : printChanges(changes)
    })
  )

type Changes = ReturnType<EventLogService["followSessions"]>

/** One line a change: what a pipe or a file can hold. */
const printChanges = (changes: Changes) =>
  Stream.runForEach(changes, (item) => {
    switch (item.kind) {
      case "changed":
        return Effect.forEach(
          item.sessions,
          (one) =>
            line(
              `${one.sessionId}  ${statusText(one.status, style, 11)}  ${size(one.outputBytes).padStart(7)}  ${fit(one.title, 80)}`
            ),
          { discard: true }
        )
      case "gone":
        return Effect.forEach(item.sessionIds, (sessionId) => line(`${sessionId}  gone`), { discard: true })
      case "caught-up":
        return Effect.void
    }
  })

/** The table, drawn over itself, no higher than the window. */
const drawTable = (changes: Changes, limit: number) =>
  Effect.gen(function* () {
    const shown = new Map<SessionId, SessionSummary>()
    let drawn = 0
    const draw = Effect.suspend(() => {
      const rows = Math.max(3, (process.stdout.rows || 24) - 1)
      const newest = [...shown.values()].toSorted((a, b) => (a.sessionId < b.sessionId ? 1 : -1)).slice(0, limit)
      const lines = sessionTable(newest, { style, columns: columns(), now: Date.now() }).slice(0, rows)
      // Back to the first line, each line new, nothing below.
      const text = `${drawn > 0 ? `\u001b[${drawn}A` : ""}\r${lines.map((one) => `${one}\u001b[K\n`).join("")}\u001b[J`
      drawn = lines.length
      return write(text)
    })
    yield* changes.pipe(
      Stream.tap((item) =>
        Effect.sync(() => {
          if (item.kind === "changed") for (const one of item.sessions) shown.set(one.sessionId, one)
          if (item.kind === "gone") for (const sessionId of item.sessionIds) shown.delete(sessionId)
        })
      ),
      // Ages grow without a change.
      Stream.merge(Stream.tick("1 second")),
      Stream.debounce(drawEveryMs),
      Stream.runForEach(() => draw)
    )
  })
