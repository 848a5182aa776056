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

/** Parent of the kernel's own threads, which have no environment ever, and the flag that tells one (PF_KTHREAD). */
const kernelParent = 2
const kernelThread = 0x200000

/**
 * Undefined where the process is gone, null where it belongs to somebody else. Node reads text as UTF-8 in one native call,
 * twice as fast as bytes; what is looked for is ASCII.
 */
const readProc = (pid: number, file: string): string | undefined | null => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ESRCH") return undefined
    if (code === "EACCES" || code === "EPERM") return null
    throw new ProcessTableUnavailable({ reason: `/proc/${pid}/${file} cannot be read`, cause })
  }
}

/** What follows the name of /proc/pid/stat: the name, in parentheses, may itself hold spaces, parentheses and line ends. */
const fieldsOf = (line: string) => line.slice(line.lastIndexOf(")") + 2).split(" ")

/** Reads one line of /proc/pid/stat. */
export const parseStat = (line: string): ProcessEntry | undefined => {
  const pid = Number.parseInt(line, 10)
  const fields = fieldsOf(line)
  // After pid (1) and name (2): state (3), parent (4), process group (5), session (6) … start time (22).
  const [state, parent, , session] = fields
  const startTime = fields[19]
  if (state === undefined || parent === undefined || session === undefined || startTime === undefined) return undefined
  const ended = state === "Z" || state === "X"
  return { pid, parent: Number(parent), session: Number(session), startTime, ended }
}

const readEntry = (pid: number): ProcessEntry | undefined => {
  const stat = readProc(pid, "stat")
  return typeof stat === "string" ? parseStat(stat) : undefined
}

/** Whether a process carries the variable; "gone" where it runs no more, "blank" where it runs and shows no environment. */
const isMarked = (pid: number, variable: string): boolean | "gone" | "blank" => {
  const environ = readProc(pid, "environ")
  if (environ === undefined) return "gone"
  // A process that ends loses its environment before anything else.
  if (environ === "") {
    const stat = readProc(pid, "stat")
    if (typeof stat !== "string" || parseStat(stat)?.ended !== false) return "gone"
    // The flags are the seventh.
    return (Number(fieldsOf(stat)[6]) & kernelThread) === 0 ? "blank" : false
  }
  return environ !== null && environ.includes(variable) && environ.split("\0").includes(variable)
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
    let isTorn = false
    for (const name of names) {
      const pid = Number(name)
      if (!Number.isInteger(pid)) continue
      const entry = readEntry(pid)
      if (entry === undefined) isTorn = true
      else entries.set(pid, entry)
      if (++count % slice === 0) await setImmediate()
    }
    return { entries, isTorn }
  },
  marked: async (entries, variable, since) => {
    const marked = new Set<number>()
    const unread = new Set<number>()
    const start = since === undefined ? 0 : Number(since)
    let candidates: ReadonlyArray<number> = [...entries]
      .filter((entry) => entry.parent !== kernelParent && Number(entry.startTime) >= start)
      .map((entry) => entry.pid)
    for (let attempt = 0; attempt <= blankRetries && candidates.length > 0; attempt++) {
      if (attempt > 0) await delay(blankWait)
      const blank: Array<number> = []
      for (const [index, pid] of candidates.entries()) {
        const answer = isMarked(pid, variable)
        if (answer === "blank") blank.push(pid)
        else if (answer === "gone") unread.add(pid)
        else if (answer) marked.add(pid)
        if (index % slice === slice - 1) await setImmediate()
      }
      candidates = blank
    }
    for (const pid of candidates) unread.add(pid)
    return { marked, unread }
  }
}
