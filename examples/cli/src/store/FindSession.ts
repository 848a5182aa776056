/** From what a person types to a session: its id, or the beginning of it. */
import type { LogUnavailable, SessionSummary } from "@holdfast/core"
import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import { exitCodes, Refused } from "../ExitCode.ts"
import { fit } from "../output/Text.ts"
import type { Reader } from "./Reader.ts"

/** The argument of every command on one session. */
export const sessionArgument = Argument.String("session").pipe(
  Argument.withDescription("The session's id, or as much of its beginning as no other id has")
)

/** Sessions that an ambiguous beginning lists at most. */
const maxCandidates = 8

const notFound = (detail: string) => Effect.fail(new Refused({ code: exitCodes.notFound, detail }))

/** Finds the one session that is meant. */
export const findSession = Effect.fnUntraced(function* (
  reader: Reader,
  asked: string
): Effect.fn.Return<SessionSummary, Refused | LogUnavailable> {
  const beginning = asked.toLowerCase()
  if (!/^[0-9a-f-]+$/.test(beginning)) {
    return yield* notFound(`${JSON.stringify(asked)} is no session's id: holdfast ls shows them`)
  }
  const found: Array<SessionSummary> = []
  let cursor: string | undefined
  do {
    // The store's search looks for the text anywhere in the row: only some of what it finds begins with it.
    const page = yield* reader.sessions({ search: beginning, limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    for (const one of page.sessions) if (one.sessionId.startsWith(beginning)) found.push(one)
    cursor = page.next
  } while (cursor !== undefined && found.length <= maxCandidates)
  const [first] = found
  if (first === undefined) return yield* notFound(`there is no session ${asked}: holdfast ls shows them`)
  if (found.length === 1) return first
  const candidates = found
    .slice(0, maxCandidates)
    .map((one) => `  ${one.sessionId}  ${one.status}  ${fit(one.title, 40)}`)
  if (found.length > maxCandidates) candidates.push("  …")
  return yield* notFound(`${asked} is the beginning of several sessions; give more of one:\n${candidates.join("\n")}`)
})
