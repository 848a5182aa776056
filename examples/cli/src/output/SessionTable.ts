/** The table of `holdfast ls`: one row a session, as wide as the terminal. */
import type { SessionSummary } from "@holdfast/core"
import type { Look, Style } from "./Style.ts"
import { age, fit, pad, size } from "./Text.ts"

/** Fewest characters of an id that are shown: the minute of its making. */
const shortestId = 8

const looks: { readonly [S in SessionSummary["status"]]: readonly [icon: string, look: Look] } = {
  working: ["●", "cyan"],
  needs_you: ["◆", "yellow"],
  idle: ["○", "green"],
  done: ["✓", "dim"],
  failed: ["✗", "red"],
  offline: ["◌", "dim"]
}

/** `● working`, in its colour. */
export const statusText = (status: SessionSummary["status"], style: Style, width = 0): string => {
  const [icon, look] = looks[status]
  return style(look, pad(`${icon} ${status === "needs_you" ? "needs you" : status}`, width))
}

/** What is said of a session's sandbox in place of its status, where that tells more; undefined where it does not. */
const sandboxStatus = ({
  lifecycle,
  sandbox,
  status
}: SessionSummary): readonly [text: string, look: Look] | undefined => {
  if (sandbox === null || status === "needs_you" || lifecycle === "closed" || lifecycle === "failed") return undefined
  if (lifecycle === "suspended") return ["☾ asleep", "dim"]
  switch (sandbox) {
    case "pending":
    case "warming":
      return ["◐ starting", "cyan"]
    case "syncing":
      return ["◐ preparing", "cyan"]
    case "stale":
      return ["? silent", "yellow"]
    default:
      return undefined
  }
}

/** The status of a row: its sandbox's where people wait for that. */
const rowStatus = (one: SessionSummary, style: Style, width: number): string => {
  const told = sandboxStatus(one)
  return told === undefined ? statusText(one.status, style, width) : style(told[1], pad(told[0], width))
}

/** How many characters of each id tell all of these apart; at least {@link shortestId}. */
export const idWidth = (ids: ReadonlyArray<string>): number => {
  const sorted = ids.toSorted()
  let width = shortestId
  for (let index = 1; index < sorted.length; index++) {
    const [before, after] = [sorted[index - 1]!, sorted[index]!]
    while (width < after.length && before.slice(0, width) === after.slice(0, width)) width++
  }
  return width
}

/** How a table is drawn. */
export interface TableOptions {
  readonly style: Style
  readonly columns: number
  readonly now: number
}

/** The lines of the table, its head first. */
export const sessionTable = (
  sessions: ReadonlyArray<SessionSummary>,
  { columns, now, style }: TableOptions
): ReadonlyArray<string> => {
  const idColumns = idWidth(sessions.map((one) => one.sessionId))
  const statusColumns = 11
  const backendColumns = Math.max(7, ...sessions.map((one) => one.backend.length))
  const ageColumns = 5
  const sizeColumns = 7
  const gaps = 2 * 5
  const titleColumns = Math.max(
    12,
    columns - idColumns - statusColumns - backendColumns - ageColumns - sizeColumns - gaps
  )
  const row = (id: string, status: string, title: string, backend: string, since: string, weight: string) =>
    [
      pad(id, idColumns),
      status,
      pad(title, titleColumns),
      pad(backend, backendColumns),
      since.padStart(ageColumns),
      weight.padStart(sizeColumns)
    ].join("  ")
  return [
    style("bold", row("ID", pad("STATUS", statusColumns), "TITLE", "BACKEND", "AGE", "SIZE")),
    ...sessions.map((one) =>
      row(
        one.sessionId.slice(0, idColumns),
        rowStatus(one, style, statusColumns),
        fit(`${one.title}${one.archived ? " (archived)" : ""}`, titleColumns),
        one.backend,
        age(now - one.createdAt),
        size(one.outputBytes)
      )
    )
  ]
}
