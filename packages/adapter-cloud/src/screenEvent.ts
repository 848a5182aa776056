/**
 * What comes from a sandbox is not trusted: an event that only the host may tell becomes a note, and a process of the sandbox is
 * never taken for one of the host's. Each keeps its number, so that the copy has no holes. What the data of a type must be,
 * `accept` checks as for any backend.
 */
import { type BackendEvent, note } from "@holdfast/core"
import type { EventBatch } from "@holdfast/core/cloud"

type Told = EventBatch["events"][number]

/** Groups that are the host's: its sessions, who takes part, the sandbox itself and the way to it. */
const ownGroups: ReadonlySet<string> = new Set(["session", "participant", "sandbox", "link"])

/** Types that the runtime and the adapter write. */
const ownTypes: ReadonlySet<string> = new Set([
  "prompt.queued",
  "prompt.edited",
  "prompt.withdrawn",
  "prompt.dispatched",
  "prompt.returned",
  "backend.opening",
  "backend.opened",
  "backend.resumed",
  "backend.configuring",
  "backend.suspending",
  "backend.closing",
  "turn.interrupting",
  "context.compacting",
  "history.reverting",
  "history.restoring",
  "item.stopping",
  "process.signalled",
  "terminal.typed",
  "terminal.snapshot",
  "terminal.resized"
])

/** The event as the host's log may have it. `sandbox` names the sandbox, as the machine of its processes. */
export const screenEvent = (told: Told, origin: number, sandbox: string): BackendEvent => {
  const { type } = told
  if (type === "terminal.output") {
    if (told.bytes instanceof Uint8Array) return { type, bytes: told.bytes, origin }
    return { ...note("warning", "the sandbox told output without bytes"), origin }
  }
  const data: unknown = told.data
  if (typeof data !== "object" || data === null) {
    return { ...note("warning", `the sandbox told ${type} without data`), origin }
  }
  if (ownTypes.has(type) || ownGroups.has(type.slice(0, type.indexOf(".")))) {
    return { ...note("warning", `the sandbox told ${type}, which is the host's to tell`, data), origin }
  }
  if (type === "process.spawned") {
    // Numbers of processes mean nothing outside, and a marker would let the host end what carries it.
    const { marker: _, ...process } = data as Record<string, unknown>
    return { type, data: { ...process, host: sandbox }, origin } as BackendEvent
  }
  return { type, data, origin } as BackendEvent
}
