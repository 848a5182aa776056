/** What handlers of several groups do: send a command, read a state, cut a list into pages. */
import { type ClientCommand, type CommandId, problem, type SessionId } from "@holdfast/core"
import { Holdfast } from "@holdfast/runtime"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { SessionAccess } from "../access/SessionAccess.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { Refused } from "./Problems.ts"

/** Sends a command as whoever calls. */
export const send = (sessionId: SessionId, command: ClientCommand, commandId: CommandId | undefined) =>
  Effect.flatMap(SessionAccess, (access) =>
    Effect.flatMap(CurrentCaller, (caller) => access.command(caller, sessionId, command, commandId))
  )

/** The state of a session, for whoever may look at it. */
export const stateFor = Effect.fnUntraced(function* (sessionId: SessionId) {
  const access = yield* SessionAccess
  const summary = yield* access.allow(yield* CurrentCaller, sessionId, "viewer")
  return { summary, state: yield* (yield* Holdfast).state(sessionId) }
})

/** A page of a list that is in memory as a whole. The cursor is the key of the last that was given. */
export const pageOf = <A>(
  all: ReadonlyArray<A>,
  keyOf: (one: A) => string,
  query: { readonly limit?: number; readonly cursor?: string },
  usual: number
): Effect.Effect<{ readonly page: ReadonlyArray<A>; readonly next?: string }, Refused> => {
  let from = 0
  if (query.cursor !== undefined) {
    from = all.findIndex((one) => keyOf(one) === query.cursor) + 1
    if (from === 0) {
      const detail = "what the cursor was of is not there any more: list from the start"
      return Effect.fail(new Refused({ problem: problem("invalid", detail, { field: "cursor" }) }))
    }
  }
  const page = all.slice(from, from + (query.limit ?? usual))
  const last = page.at(-1)
  const more = last !== undefined && from + page.length < all.length
  return Effect.succeed(more ? { page, next: keyOf(last) } : { page })
}

/** JSON that is text already: what is large, or was encoded before, goes through no schema once more. */
export const jsonText = (text: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(text, { contentType: "application/json" })
