/** The order of the list: what is alive first, what has ended below, what was put away last. */
import type { SessionSummary } from "@holdfast/core"

/** A part of the list. */
export type GroupName = "active" | "inactive" | "archived"

/** A part with its sessions, in order. */
export interface SessionGroup {
  readonly name: GroupName
  readonly sessions: ReadonlyArray<SessionSummary>
}

const groupOf = ({ archived, status }: SessionSummary): GroupName =>
  archived ? "archived" : status === "working" || status === "needs_you" || status === "idle" ? "active" : "inactive"

const matches = (session: SessionSummary, words: ReadonlyArray<string>): boolean => {
  const text = `${session.title} ${session.workspace ?? ""} ${session.backend} ${session.sessionId}`.toLowerCase()
  return words.every((word) => text.includes(word))
}

/**
 * Groups the sessions that have all words of the search. Active ones stand by their beginning, so that rows do not jump
 * while several work; the others by when they last changed. Newest first; empty groups are left out.
 */
export const groupSessions = (sessions: ReadonlyArray<SessionSummary>, search: string): ReadonlyArray<SessionGroup> => {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "")
  const groups: { readonly [G in GroupName]: Array<SessionSummary> } = { active: [], inactive: [], archived: [] }
  for (const session of sessions) if (matches(session, words)) groups[groupOf(session)].push(session)
  groups.active.sort((a, b) => b.createdAt - a.createdAt)
  groups.inactive.sort((a, b) => b.updatedAt - a.updatedAt)
  groups.archived.sort((a, b) => b.updatedAt - a.updatedAt)
  return (["active", "inactive", "archived"] as const)
    .map((name) => ({ name, sessions: groups[name] }))
    .filter(({ sessions }) => sessions.length > 0)
}
