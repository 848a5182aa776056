/**
 * Vitest's global setup: the suite must leave no process of its own behind.
 *
 * A process belongs to the suite when it carries the suite's mark in its environment, or was once seen below the suite's
 * process. The second way finds those that were started with an environment of their own, as terminals are.
 */
import { randomUUID } from "node:crypto"
import { existsSync, readFileSync, readdirSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"

/** A process by its id and its start time, which together are never reused. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  /** Clock ticks between boot and start. */
  readonly started: string
  readonly ended: boolean
}

/** The environment variable that marks the processes of one run of the suite. */
export const markName = "HOLDFAST_TEST_RUN"

/**
 * How often the suite's process tree is looked at, in milliseconds. One look costs up to five; a process that hides its mark
 * and loses its parent in less than this is not seen.
 */
const samplePeriod = 200

/** Milliseconds that the last processes may take to end once the tests have: a hang-up, a grace before force. */
const patience = 3_000

/** A file of `/proc`, or undefined when its process is gone or belongs to somebody else. */
const readProc = (pid: number, file: string): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1")
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return undefined
    throw error
  }
}

/** All processes of this machine by id. */
export const processes = (): ReadonlyMap<number, ProcessEntry> => {
  const entries = new Map<number, ProcessEntry>()
  for (const name of readdirSync("/proc")) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = readProc(pid, "stat")
    if (stat === undefined) continue
    // The name in parentheses may itself contain spaces and parentheses: the fields start after the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const [state, parent, started] = [fields[0], fields[1], fields[19]]
    if (state === undefined || parent === undefined || started === undefined) continue
    entries.set(pid, { pid, parent: Number(parent), started, ended: state === "Z" || state === "X" })
  }
  return entries
}

const commandLine = (pid: number) => readProc(pid, "cmdline")?.replaceAll("\0", " ").trim() ?? ""

const isMarked = (pid: number, mark: string) =>
  readProc(pid, "environ")?.split("\0").includes(`${markName}=${mark}`) ?? false

/** Vitest's own workers and their watchdog end with its pool, which closes after the global teardown. */
const isVitest = (line: string) => /[/\\]vitest[/\\]dist[/\\]workers[/\\]|^vitest-watchdog$/.test(line)

/** Follows the processes that start below `root` or carry `mark`. */
export const watch = (root: number, mark: string) => {
  const before = processes()
  const seen = new Map<number, string>()
  const isSame = (known: string | undefined, entry: ProcessEntry) => known === entry.started

  const sample = (): ReadonlyMap<number, ProcessEntry> => {
    const now = processes()
    let found = true
    while (found) {
      found = false
      for (const entry of now.values()) {
        if (isSame(seen.get(entry.pid), entry) || isSame(before.get(entry.pid)?.started, entry)) continue
        const parent = now.get(entry.parent)
        const below = entry.parent === root || (parent !== undefined && isSame(seen.get(parent.pid), parent))
        if (!below) continue
        seen.set(entry.pid, entry.started)
        found = true
      }
    }
    return now
  }

  /** The processes of the suite that still run, as `pid command line`. */
  const left = (): ReadonlyArray<string> => {
    const lines: Array<string> = []
    for (const entry of sample().values()) {
      if (entry.pid === root || entry.ended) continue
      if (!isSame(seen.get(entry.pid), entry) && !isMarked(entry.pid, mark)) continue
      const line = commandLine(entry.pid)
      if (entry.parent !== root || !isVitest(line)) lines.push(`${entry.pid} ${line}`)
    }
    return lines
  }

  return { sample, left }
}

export default function setup(): undefined | (() => Promise<void>) {
  if (!existsSync("/proc/self/environ")) {
    process.stderr.write("Left-over processes are not looked for: this system has no /proc.\n")
    return undefined
  }
  const mark = randomUUID()
  process.env[markName] = mark
  const suite = watch(process.pid, mark)
  const timer = setInterval(suite.sample, samplePeriod)
  return async () => {
    clearInterval(timer)
    const deadline = performance.now() + patience
    let left = suite.left()
    while (left.length > 0 && performance.now() < deadline) {
      await delay(50)
      left = suite.left()
    }
    if (left.length > 0)
      throw new Error(`The tests left ${left.length} of their processes running:\n${left.join("\n")}`)
  }
}
