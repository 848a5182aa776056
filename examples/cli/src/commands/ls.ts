/** `holdfast ls`: the sessions of the log. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { settings } from "../Settings.ts"

const statuses = ["working", "needs_you", "idle", "done", "failed", "offline"] as const

/** `holdfast ls`. */
export const ls = Command.make(
  "ls",
  {
    all: Flag.Boolean("all").pipe(
      Flag.withAlias("a"),
      Flag.withDescription("Archived ones too"),
      Flag.withDefault(false),
      Flag.withoutNegation
    ),
    status: Flag.Literals("status", statuses).pipe(
      Flag.withDescription("Only those with this status; may be repeated"),
      Flag.atLeast(0)
    ),
    search: Flag.String("search").pipe(
      Flag.withMetavar("text"),
      Flag.withDescription("Only those with this text in title, directory or id"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withMetavar("n"),
      Flag.withDescription("The newest n; default 100"),
      Flag.filter(
        (n) => n >= 1 && n <= 1000,
        (n) => `--limit takes 1 to 1000, and not ${n}`
      ),
      Flag.withDefault(100)
    ),
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Stay and show changes as they happen"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ all, follow, limit, search, status }) {
    const { json, store } = yield* settings
    const query = {
      ...(all ? {} : { archived: false }),
      ...(status.length === 0 ? {} : { status }),
      ...(Option.isSome(search) ? { search: search.value } : {}),
      limit
    }
    const { followSessions, listSessions } = yield* Effect.promise(() => import("../session/ListSessions.ts"))
    yield* follow ? followSessions(store, json, query) : listSessions(store, json, query)
  })
).pipe(
  Command.withDescription("List the sessions of the log, newest first"),
  Command.withAlias("list"),
  Command.withExamples([
    { command: "holdfast ls --status working --status needs_you", description: "What is going on" },
    { command: "holdfast ls --follow", description: "The same, live" }
  ])
)
