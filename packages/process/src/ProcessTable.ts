/** What is asked of an operating system about its processes, and which implementation answers on this one. */
import { linuxProcessTable } from "./LinuxProcessTable.ts"
import { psProcessTable } from "./PsProcessTable.ts"
import { windowsProcessTable } from "./WindowsProcessTable.ts"

/** One process at the moment of looking. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  /** Pid of the leader of its session, where the platform says so. */
  readonly session: number | undefined
  /** See {@link ProcessIdentity.startTime}. */
  readonly startTime: string
  /** A zombie: it runs no more and waits only to be reaped. */
  readonly ended: boolean
}

/** All processes, as far as they could be read: a table is no snapshot, for processes come and go while it is read. */
export interface ProcessListing {
  readonly entries: ReadonlyMap<number, ProcessEntry>
  /** Whether one was listed and gone before it could be read. What it started in between may be missing too. */
  readonly isTorn: boolean
}

/** Which processes carry a variable. */
export interface MarkedProcesses {
  readonly marked: ReadonlySet<number>
  /** Those that ended before their environment could be read, or that showed none. */
  readonly unread: ReadonlySet<number>
}

/** Reads processes. Failures are {@link ProcessTableUnavailable}; a process that is gone is no failure. */
export interface ProcessTable {
  /** See {@link ProcessIdentity.host}. */
  readonly host: () => Promise<string>
  readonly read: (pid: number) => Promise<ProcessEntry | undefined>
  /** All processes by pid. */
  readonly readAll: () => Promise<ProcessListing>
  /**
   * Which of these carry the variable `NAME=value` in the environment that they were started with. Those that started before
   * `since` need not be looked at.
   */
  readonly marked: (
    entries: Iterable<ProcessEntry>,
    variable: string,
    since: string | undefined
  ) => Promise<MarkedProcesses>
}

/** The table of the platform that this runs on: /proc on Linux, PowerShell on Windows, `ps` elsewhere. */
export const processTable: ProcessTable =
  process.platform === "linux" ? linuxProcessTable : process.platform === "win32" ? windowsProcessTable : psProcessTable
