/** Opening the file, and saying in the log's terms what is wrong with it. */
import { accessSync, constants, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { LogUnavailable } from "@holdfast/core"
import { Clock, Effect } from "effect"
import { inspect, schemaVersion } from "./Migrations.ts"
import { failureOf, sqliteBusy, unavailable } from "./SqliteErrors.ts"

/** Milliseconds between two tries while another program holds the file. */
const retryMs = 20

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "ENOENT"
  }
}

/** Types what SQLite threw. That a file cannot be opened for want of a permission is told apart here. */
export const fileError = (path: string, operation: string, cause: unknown): LogUnavailable => {
  if (cause instanceof LogUnavailable) return cause
  const failure = failureOf(cause)
  const code = (failure.errcode ?? 0) & 0xff
  if (code === 14 && !(isWritable(path) && isWritable(dirname(path)))) {
    return unavailable(operation, path, { ...failure, errcode: 8 }, cause)
  }
  return unavailable(operation, path, failure, cause)
}

/** Runs something on the file; while another program holds it locked, again and again up to the timeout. */
export const whileBusy = Effect.fnUntraced(function* <A>(path: string, timeoutMs: number, run: () => A) {
  const deadline = (yield* Clock.currentTimeMillis) + timeoutMs
  for (;;) {
    const tried = yield* Effect.result(Effect.try({ try: run, catch: (cause) => cause }))
    if (tried._tag === "Success") return tried.success
    const cause = tried.failure
    const isBusy = ((failureOf(cause).errcode ?? 0) & 0xff) === sqliteBusy
    if (!isBusy || (yield* Clock.currentTimeMillis) >= deadline) return yield* fileError(path, "open", cause)
    yield* Effect.sleep(retryMs)
  }
})

/** Opens a connection for the scope. */
export const openFile = (path: string, readOnly: boolean) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        if (!readOnly) mkdirSync(dirname(path), { recursive: true })
        return new DatabaseSync(path, { readOnly })
      },
      catch: (cause) => {
        const code = (cause as NodeJS.ErrnoException).code
        if (code !== "EACCES" && code !== "EROFS" && code !== "EPERM") return fileError(path, "open", cause)
        return unavailable("open", path, { message: code, errcode: 8 }, cause)
      }
    }),
    (db) => Effect.sync(() => db.close())
  )

/** Makes sure that a file is a log, or may become one, of a version that is known. Returns the version, 0 for a new file. */
export const checkFile = (path: string, db: DatabaseSync): number => {
  const file = inspect(db)
  if (file.kind === "empty") return 0
  const refuse = (reason: LogUnavailable["reason"], detail: string) =>
    new LogUnavailable({ operation: "open", reason, detail: `${path}: ${detail}` })
  if (file.kind === "foreign") throw refuse("damaged", "it is a database of another program: give another path")
  if (file.version > schemaVersion) {
    throw refuse(
      "newer-schema",
      `it was written by a newer version (${file.version}, this one knows ${schemaVersion}): update this program`
    )
  }
  return file.version
}
