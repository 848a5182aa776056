/**
 * How every benchmark here measures: ours and its baseline take turns in one process, each round gives a ratio, and the
 * median of the rounds is the figure. Absolute rates of a machine drift by tens of percent; the ratios hold.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** One line of a result. */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** Medians over the rounds. */
  readonly ours: number
  readonly baseline?: number
  /** Median of the rounds' own ratios, ours to baseline. */
  readonly ratio?: number
  /** The goal in words, and whether it is met; undefined where there is none. */
  readonly goal?: string
  readonly met?: boolean
}

/** The middle one, or the mean of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value below which a part of all values lies: 0.5 is the median, 0.99 the 99th percentile. */
export const quantile = (values: ReadonlyArray<number>, part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN

/** Runs the variants in turn, round after round, the first round uncounted, and gives each one's values. */
export const interleave = async <K extends string>(
  rounds: number,
  variants: { readonly [P in K]: () => number | Promise<number> }
): Promise<{ readonly [P in K]: ReadonlyArray<number> }> => {
  const names = Object.keys(variants) as Array<K>
  const values = Object.fromEntries(names.map((name) => [name, []])) as unknown as { [P in K]: Array<number> }
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      collect()
      const value = await variants[name]()
      if (round >= 0) values[name].push(value)
    }
  }
  return values
}

/** A goal for the ratio of ours to the baseline. */
export interface RatioGoal {
  readonly atLeast?: number
  readonly atMost?: number
}

/** Makes the line of a comparison. */
export const compare = (
  name: string,
  unit: string,
  ours: ReadonlyArray<number>,
  baseline: ReadonlyArray<number>,
  goal: RatioGoal = {}
): Figure => {
  const ratio = median(ours.map((value, round) => value / baseline[round]!))
  const { atLeast, atMost } = goal
  return {
    name,
    unit,
    ours: median(ours),
    baseline: median(baseline),
    ratio,
    ...(atLeast === undefined ? {} : { goal: `≥ ${atLeast} ×`, met: ratio >= atLeast }),
    ...(atMost === undefined ? {} : { goal: `≤ ${atMost} ×`, met: ratio <= atMost })
  }
}

/** Makes the line of a figure that has an absolute goal. */
export const atMost = (name: string, unit: string, value: number, limit?: number): Figure => ({
  name,
  unit,
  ours: value,
  ...(limit === undefined ? {} : { goal: `≤ ${limit} ${unit}`, met: value <= limit })
})

/** Runs the garbage collector where node was started with `--expose-gc`. */
export const collect = () => {
  globalThis.gc?.()
}

/** Resident memory in MB, after a collection. */
export const residentMb = (): number => {
  collect()
  return process.memoryUsage.rss() / 1e6
}

/** Milliseconds that something takes. */
export const timed = async (run: () => unknown): Promise<number> => {
  const started = performance.now()
  await run()
  return performance.now() - started
}

/** Gives a directory that is gone afterwards. */
export const inDirectory = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"))
  try {
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Measures in a process of its own, whose program is a file beside this one: it sends one message, which is given, and ends. What a
 * process did before is in its figures otherwise: code that was compiled for objects that are gone, and memory that is left.
 */
export const inProcess = async <A>(file: string, args: ReadonlyArray<string>): Promise<A> => {
  const child = fork(join(import.meta.dirname, file), [...args], { execArgv: [...process.execArgv, "--expose-gc"] })
  const ended = once(child, "exit")
  const [result] = (await Promise.race([
    once(child, "message"),
    ended.then(([code]) => Promise.reject(new Error(`${file} ended with ${code}`)))
  ])) as [A]
  await ended
  return result
}

/** Runs the parts that `HOLDFAST_BENCH_PARTS` names (`fanout,http`), or all of them. */
export const runParts = async <A>(
  parts: { readonly [name: string]: (given: A) => Promise<ReadonlyArray<Figure>> },
  given: A
): Promise<ReadonlyArray<Figure>> => {
  const named = process.env["HOLDFAST_BENCH_PARTS"]?.split(",") ?? Object.keys(parts)
  const figures: Array<Figure> = []
  for (const [name, run] of Object.entries(parts)) if (named.includes(name)) figures.push(...(await run(given)))
  return figures
}

const round = (value: number | undefined): string => {
  if (value === undefined) return ""
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US")
  return String(Number(value.toPrecision(3)))
}

/** The lines as a table for people, in Markdown. */
export const table = (figures: ReadonlyArray<Figure>): string => {
  const head = ["benchmark", "ours", "baseline", "ratio", "goal", ""]
  const rows = figures.map(({ baseline, goal, met, name, ours, ratio, unit }) => [
    name,
    `${round(ours)} ${unit}`,
    baseline === undefined ? "" : `${round(baseline)} ${unit}`,
    ratio === undefined ? "" : `${round(ratio)} ×`,
    goal ?? "",
    met === undefined ? "" : met ? "met" : "MISSED"
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n")
}
