/** What anybody on this machine can see of its processes. */
import { readdirSync, readFileSync } from "node:fs"

/** A file of a process; empty where the process is gone or somebody else's. */
export const procFile = (pid: string, name: "cmdline" | "environ"): string => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return ""
    throw error
  }
}

/** The processes that run now. */
export const processIds = (): ReadonlyArray<string> => readdirSync("/proc").filter((name) => /^\d+$/.test(name))

/** Arguments and environments of the processes that run now, without those of `known`. */
export const visibleTexts = (known: ReadonlySet<string> = new Set()): ReadonlyArray<string> =>
  processIds()
    .filter((pid) => !known.has(pid))
    .flatMap((pid) => [procFile(pid, "cmdline"), procFile(pid, "environ")])
