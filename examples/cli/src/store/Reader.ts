/** Looking at the log without owning it: what every command does that changes nothing. */
import type { SqliteEventLog } from "@holdfast/store-sqlite"
import type { LogUnavailable } from "@holdfast/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import { exitCodes, Refused } from "../ExitCode.ts"

/** The log, opened for reading. */
export type Reader = SqliteEventLog.SqliteLogReader

/** Opens the log for reading; undefined where there is none yet. */
export const openIfThere = (store: string): Effect.Effect<Reader | undefined, LogUnavailable, Scope.Scope> =>
  Effect.suspend(() => {
    if (!existsSync(store)) return Effect.undefined
    return Effect.flatMap(
      Effect.promise(() => import("@holdfast/store-sqlite")),
      ({ SqliteEventLog }) => SqliteEventLog.openReader({ path: store })
    )
  })

/** Opens the log for reading; where there is none there is no session to be found either. */
export const openReader = (store: string): Effect.Effect<Reader, LogUnavailable | Refused, Scope.Scope> =>
  Effect.flatMap(openIfThere(store), (reader) =>
    reader === undefined
      ? Effect.fail(
          new Refused({
            code: exitCodes.notFound,
            detail: `there are no sessions in ${store} yet: start one with holdfast run -- <command>`
          })
        )
      : Effect.succeed(reader)
  )
