/** What somebody who attaches to a session is shown: its screen, then every byte after it, then how it ended. */
import type { EventRecord, Lifecycle, LogUnavailable, SessionId, SessionNotFound, SessionState } from "@holdfast/core"
import type { SessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Attached, SessionEnd } from "./OwnerApi.ts"

/** Where a session is when it has ended and does nothing by itself any more. */
export const endedLifecycles: ReadonlySet<Lifecycle> = new Set<Lifecycle>(["closed", "failed", "suspended"])

/** Whether a session has ended. */
export const hasEnded = (state: SessionState): boolean => endedLifecycles.has(state.chart.lifecycle)

/** How it ended. */
export const endOf = ({ end }: SessionState): SessionEnd => ({
  reason: end?.reason ?? "ended",
  exitCode: end?.exitCode ?? null,
  signal: end?.signal ?? null
})

const endTypes = new Set(["backend.closed", "backend.failed", "backend.suspended"])

/** Follows a session as a terminal shows it. Ends with its end; what has ended already gives its last screen and its end. */
export const attachedStream = (
  reader: SessionReader,
  sessionId: SessionId
): Stream.Stream<Attached, SessionNotFound | LogUnavailable> =>
  Stream.unwrap(
    Effect.map(reader.state(sessionId), (state) => {
      const end = hasEnded(state) ? { after: state.seq, end: endOf(state) } : undefined
      return reader.follow(sessionId, 0).pipe(
        Stream.flatMap((page) => {
          if (page.answer === "caught-up") return Stream.empty
          if (page.answer === "gap") return Stream.empty
          return Stream.fromIterable(page.events)
        }),
        Stream.filter((record) => record.type === "terminal.output" || endTypes.has(record.type)),
        Stream.map((record: EventRecord): Attached =>
          record.type === "terminal.output"
            ? { kind: "output", bytes: record.bytes ?? new Uint8Array() }
            : {
                kind: "ended",
                end: end?.end ?? {
                  reason: String(record.data["reason"]),
                  exitCode: (record.data["exitCode"] ?? null) as number | null,
                  signal: (record.data["signal"] ?? null) as string | null
                }
              }
        ),
        Stream.takeUntil((item) => item.kind === "ended")
      )
    })
  )
