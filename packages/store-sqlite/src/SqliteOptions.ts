/** How a log's file is opened. */

/** Options of the owner. */
export interface SqliteOptions {
  /** The file; its directory is made where it is not there. Never on a network file system. */
  readonly path: string
  /**
   * `process` (the default): what is acknowledged survives the death of the process. `power`: it also survives the loss of
   * power, for a wait on the disk at each commit. Either way a commit is shared by all appends that arrive meanwhile.
   */
  readonly durability?: "process" | "power"
  /** Milliseconds to wait for a program that holds the file locked: 0 to 60,000, default 5,000. */
  readonly busyTimeoutMs?: number
  /** Most bytes of the file, without its write-ahead log; past it appends fail with `disk-full`. Unbounded by default. */
  readonly maxBytes?: number
  /** Bytes of recent events kept for the followers of one session; default 256 KiB. */
  readonly ringBytes?: number
  /**
   * Milliseconds for which compactions of items are gathered, to be done together: 0 to 10,000, default 100. Agents end several
   * items a second, and one by one each costs as much as all of them together.
   */
  readonly compactAfterMs?: number
  /** Where `SqliteWriter.js` is, for hosts whose bundler moves it: it is a file of its own, loaded in a worker thread. */
  readonly writerUrl?: URL | string
}

/** Options of a process that only reads. */
export interface SqliteReaderOptions extends Pick<SqliteOptions, "path" | "busyTimeoutMs" | "ringBytes"> {
  /**
   * Milliseconds between two looks at whether the owner has written, while somebody follows: 1 to 10,000, default 10. A look
   * costs about 2 µs.
   */
  readonly pollMs?: number
}
