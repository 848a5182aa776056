/**
 * Processes as Windows Management Instrumentation lists them. Best effort and untested: Windows keeps no environment that
 * others may read, so what lost its parent is not found, and it knows no zombies.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { ProcessTableUnavailable } from "./ProcessIdentity.ts"
import type { ProcessEntry, ProcessTable } from "./ProcessTable.ts"

const execute = promisify(execFile)

/** Milliseconds for one query: PowerShell alone needs up to a few seconds to start. */
const timeout = 15_000
const maxBuffer = 64 * 1024 * 1024

const query = async (script: string): Promise<string> => {
  try {
    const options = { timeout, maxBuffer, windowsHide: true }
    return (await execute("powershell.exe", ["-NoProfile", "-NonInteractive", "-Command", script], options)).stdout
  } catch (cause) {
    throw new ProcessTableUnavailable({ reason: "PowerShell could not list the processes", cause })
  }
}

/**
 * Reads lines of `pid parent ticks`. Windows goes on naming a dead parent, whose pid may be somebody else's by now: a parent
 * that is younger than its child is none.
 */
export const parseWindowsList = (text: string): ReadonlyMap<number, ProcessEntry> => {
  const entries = new Map<number, ProcessEntry>()
  for (const line of text.split(/\r?\n/)) {
    const [pid, parent, startTime] = line.trim().split(" ")
    if (pid === undefined || parent === undefined || startTime === undefined) continue
    entries.set(Number(pid), { pid: Number(pid), parent: Number(parent), session: undefined, startTime, ended: false })
  }
  for (const entry of entries.values()) {
    const parent = entries.get(entry.parent)
    if (parent !== undefined && BigInt(parent.startTime) > BigInt(entry.startTime)) {
      entries.set(entry.pid, { ...entry, parent: 0 })
    }
  }
  return entries
}

let host: string | undefined

/** Processes from WMI. */
export const windowsProcessTable: ProcessTable = {
  host: async () =>
    (host ??= `win32:${(await query("(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.Ticks")).trim()}`),
  read: async (pid) => (await windowsProcessTable.readAll()).entries.get(pid),
  readAll: async () => {
    const list = await query(
      "Get-CimInstance Win32_Process | Where-Object CreationDate | " +
        'ForEach-Object { "$($_.ProcessId) $($_.ParentProcessId) $($_.CreationDate.Ticks)" }'
    )
    return { entries: parseWindowsList(list), isTorn: false }
  },
  marked: async () => ({ marked: new Set(), unread: new Set() })
}
