/** Follows a session to its head and says by how many MB that made this process grow at most. */
import { type SessionId, readEvent } from "@holdfast/core"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, Stream } from "effect"
import { residentMb } from "./harness.ts"

const [path, id] = process.argv.slice(2) as [string, SessionId]

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* SqliteEventLog.openReader({ path })
      const before = residentMb()
      let peak = before
      yield* log.follow(id, 0).pipe(
        Stream.takeUntil((page) => page.answer === "caught-up"),
        Stream.runForEach((page) =>
          Effect.sync(() => {
            if ("events" in page) for (const event of page.events) readEvent(event)
            peak = Math.max(peak, process.memoryUsage.rss() / 1e6)
          })
        )
      )
      process.stdout.write(String(peak - before))
    })
  )
)
