/** The table of `holdfast sandboxes`: one row a sandbox. */
import { idWidth } from "../output/SessionTable.ts"
import type { Style } from "../output/Style.ts"
import { age, fit, pad } from "../output/Text.ts"
import type { FoundSandbox } from "./FoundSandboxes.ts"

/** Fewest characters of a sandbox's id that are shown: as many as container engines show. */
const shortestId = 12

/** How a table is drawn. */
export interface SandboxTableOptions {
  readonly style: Style
  readonly columns: number
  readonly now: number
  /** Shortens a session's id. */
  readonly shortId: (sessionId: string) => string
}

const conditionText = ({ condition, session }: FoundSandbox, style: Style, width: number): string => {
  if (session === null) return style("yellow", pad(`${condition}, nobody's`, width))
  return style(condition === "running" ? "green" : "dim", pad(condition, width))
}

/** The lines of the table, its head first. */
export const sandboxTable = (
  sandboxes: ReadonlyArray<FoundSandbox>,
  { columns, now, shortId, style }: SandboxTableOptions
): ReadonlyArray<string> => {
  const widest = (texts: ReadonlyArray<string>, least: number) => Math.max(least, ...texts.map((text) => text.length))
  const idColumns = Math.max(shortestId, idWidth(sandboxes.map((one) => one.sandboxId)))
  const providerColumns = widest(
    sandboxes.map((one) => one.provider),
    8
  )
  const sessionColumns = widest(
    sandboxes.map((one) => shortId(one.sessionId)),
    7
  )
  const conditionColumns = 17
  const gaps = 2 * 5
  const titleColumns = Math.max(
    12,
    columns - idColumns - providerColumns - sessionColumns - conditionColumns - 5 - gaps
  )
  const row = (id: string, provider: string, condition: string, session: string, since: string, title: string) =>
    [
      pad(id, idColumns),
      pad(provider, providerColumns),
      condition,
      pad(session, sessionColumns),
      since.padStart(5),
      title
    ].join("  ")
  return [
    style("bold", row("SANDBOX", "PROVIDER", pad("CONDITION", conditionColumns), "SESSION", "AGE", "TITLE")),
    ...sandboxes.map((one) =>
      row(
        one.sandboxId.slice(0, idColumns),
        one.provider,
        conditionText(one, style, conditionColumns),
        shortId(one.sessionId),
        age(now - one.createdAt),
        fit(one.session?.title ?? "", titleColumns)
      ).trimEnd()
    )
  ]
}
