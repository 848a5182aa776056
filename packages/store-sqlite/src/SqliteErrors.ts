/** What SQLite says, in the log's terms: a reason that programs act on, and a sentence that tells people what to do. */
import { type LogFailure, LogUnavailable } from "@holdfast/core"

/** An error of SQLite as it crosses threads. */
export interface SqliteFailure {
  readonly message: string
  /** SQLite's extended result code, where it has one. */
  readonly errcode?: number | undefined
}

/** Takes an exception apart. */
export const failureOf = (cause: unknown): SqliteFailure => {
  const { errcode, message } = cause as { readonly errcode?: unknown; readonly message?: unknown }
  return { message: String(message ?? cause), ...(typeof errcode === "number" ? { errcode } : {}) }
}

/** Primary result codes (sqlite.org/rescode.html). */
export const sqliteBusy = 5
const reasons: { readonly [code: number]: readonly [LogFailure, string] } = {
  5: ["locked", "another program holds it locked: end that program or its transaction, then try again"],
  6: ["locked", "another program holds it locked: end that program or its transaction, then try again"],
  8: ["read-only", "it cannot be written: check the permissions of the file and of its directory"],
  10: ["io", "the disk or file system failed: check its health, then try again"],
  11: ["damaged", "the file is damaged: restore it from a backup, or save what is readable with sqlite3 .recover"],
  13: ["disk-full", "there is no room: free some, or raise maxBytes, then try again; what was acknowledged is stored"],
  14: ["io", "the file cannot be opened: check that its directory exists and can be entered"],
  26: ["damaged", "the file is not a database: give another path, or restore the file from a backup"]
}

/** Makes the typed error. */
export const unavailable = (
  operation: string,
  path: string,
  failure: SqliteFailure,
  cause: unknown = failure
): LogUnavailable => {
  const [reason, advice] = reasons[(failure.errcode ?? 0) & 0xff] ?? ["io", "this is unexpected: please report it"]
  return new LogUnavailable({ operation, reason, detail: `${path}: ${advice} (SQLite: ${failure.message})`, cause })
}
