/** Token counts of a thread as what each report adds. */
import type { DataOf } from "@holdfast/core"
import type { ParamsOf, TokenUsageBreakdown } from "./CodexWire.ts"

const fields = ["inputTokens", "cachedInputTokens", "outputTokens", "reasoningOutputTokens"] as const
type Counts = { readonly [F in (typeof fields)[number]]: number }

const countsOf = (usage: TokenUsageBreakdown): Counts => ({
  inputTokens: usage.inputTokens ?? 0,
  cachedInputTokens: usage.cachedInputTokens ?? 0,
  outputTokens: usage.outputTokens ?? 0,
  reasoningOutputTokens: usage.reasoningOutputTokens ?? 0
})

/** Follows the totals of one thread. */
export interface CodexUsage {
  /**
   * What a report adds; undefined where it repeats what was said. `raw` has the totals of the thread
   * and of the last request, which is about what is in the context, and the size of the context window.
   */
  readonly report: (
    params: ParamsOf<"thread/tokenUsage/updated">
  ) => Pick<DataOf<"usage.reported">, "usage" | "raw"> | undefined
}

/**
 * Starts to count. The server tells totals of the thread, with what the last request took: the totals are differenced,
 * since one report may come twice (after a steer) and `last` may be an estimate (after a compaction). Where there is
 * nothing to compare with (the first report of a fork has its parent's totals) or the totals fell (turns were taken
 * back), `last` counts.
 */
export const makeCodexUsage = (): CodexUsage => {
  let total: Counts | undefined
  return {
    report: ({ tokenUsage }) => {
      const now = countsOf(tokenUsage.total)
      const before = total
      total = now
      const fell = before !== undefined && fields.some((field) => now[field] < before[field])
      const added =
        before === undefined || fell
          ? countsOf(tokenUsage.last)
          : (Object.fromEntries(fields.map((field) => [field, now[field] - before[field]])) as Counts)
      if (fields.every((field) => added[field] === 0)) return undefined
      return {
        usage: {
          inputTokens: added.inputTokens,
          cachedInputTokens: added.cachedInputTokens,
          outputTokens: added.outputTokens,
          reasoningTokens: added.reasoningOutputTokens
        },
        raw: {
          totalTokens: tokenUsage.total.totalTokens ?? null,
          lastTokens: tokenUsage.last.totalTokens ?? null,
          modelContextWindow: tokenUsage.modelContextWindow ?? null
        }
      }
    }
  }
}
