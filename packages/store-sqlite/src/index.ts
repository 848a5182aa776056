/** The log on embedded SQLite: `SqliteEventLog.layer({ path })`, and `SqliteEventLog.layerReader` for other processes. */
export * as SqliteEventLog from "./SqliteEventLog.ts"
export type { Holder, Lease } from "./Lease.ts"
export type { SqliteOptions, SqliteReaderOptions } from "./SqliteOptions.ts"
