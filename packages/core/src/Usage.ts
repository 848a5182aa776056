import type { Usage } from "./Content.ts"

const keys = ["inputTokens", "outputTokens", "reasoningTokens", "cachedInputTokens", "costUsd"] as const

/** Adds two usages; a field that neither has stays absent. */
export const addUsage = (a: Usage, b: Usage): Usage => {
  const sum: { -readonly [K in keyof Usage]: Usage[K] } = {}
  for (const key of keys) {
    if (a[key] !== undefined || b[key] !== undefined) sum[key] = (a[key] ?? 0) + (b[key] ?? 0)
  }
  return sum
}
