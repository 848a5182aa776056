/** A session's sandbox in a timeline: how it starts, and what goes wrong with it. */
import type { SessionEvent } from "./SessionEvent.ts"
import type { SandboxEntry } from "./TimelineEntry.ts"
import { addEntry, closeEntry, entryAt, openPosition, replaceEntry, type Timeline } from "./TimelineList.ts"

type SandboxEvent = SessionEvent<`sandbox.${SandboxEntry["condition"] | "running"}`>

const key = "sandbox"

/**
 * A start is one entry, from the first thing that was asked for until the sandbox is ready or has failed; so is a time without an
 * answer. That it works, rests or was put to sleep is no entry: turns and the backend's comings and goings tell it.
 */
export const changeSandbox = (timeline: Timeline, event: SandboxEvent): Timeline => {
  const position = openPosition(timeline, key)
  const open = position === undefined ? undefined : (entryAt(timeline, position) as SandboxEntry)
  const condition = event.type.slice("sandbox.".length) as SandboxEntry["condition"] | "running"
  switch (condition) {
    case "pending":
    case "warming":
    case "syncing":
      if (position === undefined || open === undefined || open.condition === "stale") {
        return addEntry(ended(timeline, event), entryOf(event, condition), key)
      }
      return replaceEntry(timeline, position, {
        ...open,
        condition,
        restored: open.restored || event.data.snapshotId !== undefined,
        provider: event.data.provider ?? open.provider,
        reason: event.data.reason ?? null
      })
    case "stale":
      return addEntry(ended(timeline, event, condition), entryOf(event, condition), key)
    case "failed":
      return open === undefined || open.condition === "stale"
        ? addEntry(ended(timeline, event), { ...entryOf(event, condition), duration: 0 })
        : ended(timeline, event, condition)
    default:
      return ended(timeline, event, condition === "running" ? "ready" : condition)
  }
}

const entryOf = ({ at, data, seq }: SandboxEvent, condition: SandboxEntry["condition"]): SandboxEntry => ({
  seq,
  at,
  type: "sandbox",
  condition,
  restored: condition !== "stale" && condition !== "failed" && data.snapshotId !== undefined,
  provider: data.provider ?? null,
  reason: data.reason ?? null,
  duration: null
})

/** The backend went away: a start that led to nothing until then leads to nothing any more. */
export const endSandbox = (timeline: Timeline, { at }: SessionEvent): Timeline =>
  close(timeline, (entry) => ({
    ...entry,
    ...(entry.condition === "stale" ? {} : { condition: "stopped" }),
    duration: at - entry.at
  }))

/** What was open is over: a start led to something, a silence stays one. */
const ended = (timeline: Timeline, { at, data }: SandboxEvent, condition?: SandboxEntry["condition"]): Timeline =>
  close(timeline, (entry) => ({
    ...entry,
    ...(entry.condition === "stale" || condition === undefined ? {} : { condition, reason: data.reason ?? null }),
    provider: data.provider ?? entry.provider,
    duration: at - entry.at
  }))

const close = (timeline: Timeline, end: (entry: SandboxEntry) => SandboxEntry): Timeline => {
  const position = openPosition(timeline, key)
  if (position === undefined) return timeline
  return closeEntry(replaceEntry(timeline, position, end(entryAt(timeline, position) as SandboxEntry)), key)
}
