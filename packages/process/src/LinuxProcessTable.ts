/** Processes as Linux shows them in /proc (proc_pid_stat(5), proc_pid_environ(5)). */
import { readFileSync, readdirSync, readlinkSync } from "node:fs"
import { setImmediate, setTimeout as delay } from "node:timers/promises"
import { ProcessTableUnavailable } from "./ProcessIdentity.ts"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"

/**
 * Processes that are read between two turns of the event loop: 64 at 10 to 30 µs each keep the loop's lag under 2 ms. The
 * reads are synchronous because /proc answers from memory; a hop to a thread costs several times as much.
 */
const slice = 64

/**
 * While a process is being replaced by a program it has no environment for a moment, and would go unseen. What shows none is
 * read again, up to five times two milliseconds later: the gap is a fraction of one unless the machine is overloaded.
 */
const blankRetries = 5
const blankWait = 2

/** Parent of the kernel's own threads, which have no environment ever. */
const kernelParent = 2

/** What reading tells when a process is gone or belongs to somebody else. */
const isAbsent = (error: unknown) => {
  const code = (error as NodeJS.ErrnoException).code
  return code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM"
}

/** Node reads text as UTF-8 in one native call, twice as fast as bytes; what is looked for is ASCII. */
const readProc = (pid: number, file: string): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch (cause) {
    if (isAbsent(cause)) return undefined
    throw new ProcessTableUnavailable({ reason: `/proc/${pid}/${file} cannot be read`, cause })
  }
}

/** Reads one line of /proc/pid/stat. The name in parentheses may itself hold spaces, parentheses and line ends. */
export const parseStat = (line: string): ProcessEntry | undefined => {
  const pid = Number.parseInt(line, 10)
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ")
  // After pid (1) and name (2): state (3), parent (4), process group (5), session (6) … start time (22).
  const [state, parent, , session] = fields
  const startTime = fields[19]
  if (state === undefined || parent === undefined || session === undefined || startTime === undefined) return undefined
  const ended = state === "Z" || state === "X"
  return { pid, parent: Number(parent), session: Number(session), startTime, ended }
}

const readEntry = (pid: number): ProcessEntry | undefined => {
  const stat = readProc(pid, "stat")
  return stat === undefined ? undefined : parseStat(stat)
}

/** Whether a process carries the variable; undefined where it shows no environment at all. */
const isMarked = (pid: number, variable: string): boolean | undefined => {
  const environ = readProc(pid, "environ")
  if (environ === "") return undefined
  if (environ === undefined || !environ.includes(variable)) return false
  return environ.split("\0").includes(variable)
}

let host: string | undefined

const readHost = (): string => {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()
    // Containers of one machine share its boot and count their pids apart.
    return `linux:${boot}:${readlinkSync("/proc/self/ns/pid")}`
  } catch (cause) {
    throw new ProcessTableUnavailable({ reason: "/proc does not tell the boot or the pid namespace", cause })
  }
}

/** Processes from /proc. */
export const linuxProcessTable: ProcessTable = {
  host: async () => (host ??= readHost()),
  read: async (pid) => readEntry(pid),
  readAll: async () => {
    const entries = new Map<number, ProcessEntry>()
    let names: ReadonlyArray<string>
    try {
      names = readdirSync("/proc")
    } catch (cause) {
      throw new ProcessTableUnavailable({ reason: "/proc cannot be listed", cause })
    }
    let count = 0
    for (const name of names) {
      const pid = Number(name)
      if (!Number.isInteger(pid)) continue
      const entry = readEntry(pid)
      if (entry !== undefined) entries.set(pid, entry)
      if (++count % slice === 0) await setImmediate()
    }
    return entries
  },
  marked: async (entries, variable, since) => {
    const found = new Set<number>()
    const start = since === undefined ? 0 : Number(since)
    let candidates: ReadonlyArray<number> = [...entries]
      .filter((entry) => entry.parent !== kernelParent && Number(entry.startTime) >= start)
      .map((entry) => entry.pid)
    for (let attempt = 0; attempt <= blankRetries && candidates.length > 0; attempt++) {
      if (attempt > 0) await delay(blankWait)
      const blank: Array<number> = []
      for (const [index, pid] of candidates.entries()) {
        const marked = isMarked(pid, variable)
        if (marked === undefined) blank.push(pid)
        else if (marked) found.add(pid)
        if (index % slice === slice - 1) await setImmediate()
      }
      candidates = blank
    }
    return found
  }
}
