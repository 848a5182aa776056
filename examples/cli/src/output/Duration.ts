/** Durations as people write them in flags: `45s`, `90m`, `12h`, `30d`. */
import { usage } from "../ExitCode.ts"
import * as Effect from "effect/Effect"
import type { Refused } from "../ExitCode.ts"

const lengths: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads a duration in milliseconds. */
export const parseDuration = (flag: string, text: string): Effect.Effect<number, Refused> => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  const length = match === null ? undefined : lengths[match[2]!]
  return length === undefined
    ? Effect.fail(
        usage(`${flag} takes a number with its unit, such as 45s, 90m, 12h or 30d, and not ${JSON.stringify(text)}`)
      )
    : Effect.succeed(Number(match![1]) * length)
}
