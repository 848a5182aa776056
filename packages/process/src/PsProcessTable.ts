/**
 * Processes as `ps` lists them, for macOS. Start times have a resolution of one second, and `ps -E` shows the environment
 * of one's own processes only, and not of those that the system protects.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { ProcessTableUnavailable } from "./ProcessIdentity.ts"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"

const execute = promisify(execFile)

/** Milliseconds that a listing may take (some 20 ms are usual), and bytes that it may print (64 MiB, environments included). */
const timeout = 5_000
const maxBuffer = 64 * 1024 * 1024

const columns = "pid=,ppid=,stat=,lstart="

/** Runs a tool in the C locale, so that dates and states read alike everywhere. Gives what it printed, and which process it was. */
const run = async (command: string, args: ReadonlyArray<string>) => {
  try {
    const env = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" }
    const running = execute(command, args, { env, timeout, maxBuffer, encoding: "latin1" })
    return { pid: running.child.pid, stdout: (await running).stdout }
  } catch (cause) {
    throw new ProcessTableUnavailable({ reason: `${command} ${args.join(" ")} failed`, cause })
  }
}

/** Reads one line of `ps -o pid=,ppid=,stat=,lstart=`. */
export const parsePsLine = (line: string): ProcessEntry | undefined => {
  const [, pid, parent, stat, startTime] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*\S)\s*$/.exec(line) ?? []
  if (pid === undefined || parent === undefined || stat === undefined || startTime === undefined) return undefined
  return { pid: Number(pid), parent: Number(parent), session: undefined, startTime, ended: stat.startsWith("Z") }
}

/** Reads the lines of `ps -o pid=,command=` with environments: all pids, and those that show the variable as a whole word. */
export const parseMarked = (text: string, variable: string) => {
  const listed = new Set<number>()
  const marked = new Set<number>()
  for (const line of text.split("\n")) {
    const pid = Number.parseInt(line, 10)
    if (Number.isNaN(pid)) continue
    listed.add(pid)
    if (line.trimEnd().split(" ").includes(variable)) marked.add(pid)
  }
  return { listed, marked }
}

let host: string | undefined

/** Processes from `ps`. */
export const psProcessTable: ProcessTable = {
  host: async () =>
    (host ??= `${process.platform}:${(await run("sysctl", ["-n", "kern.bootsessionuuid"])).stdout.trim()}`),
  read: async (pid) => {
    // Asked for one pid that is gone, `ps` fails as it does when it cannot run: the whole list tells these apart.
    return (await psProcessTable.readAll()).entries.get(pid)
  },
  readAll: async () => {
    const entries = new Map<number, ProcessEntry>()
    const { pid, stdout } = await run("ps", ["-axo", columns])
    for (const line of stdout.split("\n")) {
      const entry = parsePsLine(line)
      // Who looks is over when others read what it saw.
      if (entry !== undefined && entry.pid !== pid) entries.set(entry.pid, entry)
    }
    return { entries, isTorn: false }
  },
  marked: async (entries, variable) => {
    const { listed, marked } = parseMarked((await run("ps", ["-axEwwo", "pid=,command="])).stdout, variable)
    const pids = [...entries].map((entry) => entry.pid)
    return {
      marked: new Set(pids.filter((pid) => marked.has(pid))),
      unread: new Set(pids.filter((pid) => !listed.has(pid)))
    }
  }
}
