/** Revocations in a file: one JSON line each, appended and synced before a revocation counts as made. */
import { Clock, Effect, Schema, type Scope, Semaphore } from "effect"
import { constants } from "node:fs"
import { type FileHandle, mkdir, open, rename } from "node:fs/promises"
import { dirname } from "node:path"
import {
  maxRevocations,
  RevocationFailed,
  type RevocationStore,
  RevokedTokens,
  revocationsFull
} from "./RevocationStore.ts"

/** The file of revocations cannot be used; the server must not start, or revoked tokens would be good again. */
export class RevocationsUnreadable extends Schema.TaggedError<RevocationsUnreadable>(
  "@holdfast/server/RevocationsUnreadable"
)("RevocationsUnreadable", { path: Schema.String, detail: Schema.String }) {
  override get message() {
    return `The revoked tokens in ${this.path} cannot be read: ${this.detail}`
  }
}

const Line = Schema.fromJsonString(Schema.Struct({ tokenId: Schema.String, until: Schema.Finite }))
const decodeLine = Schema.decodeUnknownOption(Line)

/** Longest file that is read: as many revocations as are remembered, twice, in lines of 700 bytes. */
const maxBytes = 2 * maxRevocations * 700

const openFlags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0)

/**
 * Opens the file, which is made for its owner alone where it is not there yet, and drops what has expired. A last line
 * that a crash has cut off is dropped: its revocation was never acknowledged. Any other line that cannot be read is an
 * error.
 */
export const fileRevocations = (path: string): Effect.Effect<RevocationStore, RevocationsUnreadable, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const unreadable = (detail: string) => new RevocationsUnreadable({ path, detail })
    const attempt = <A>(run: () => Promise<A>) =>
      Effect.tryPromise({
        try: run,
        catch: (error) => unreadable(error instanceof Error ? error.message : String(error))
      })

    let file: FileHandle = yield* attempt(async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      return open(path, openFlags, 0o600)
    })
    yield* Effect.addFinalizer(() => Effect.promise(() => file.close()))
    let length = (yield* attempt(() => file.stat())).size
    if (length > maxBytes) return yield* unreadable(`it is larger than ${maxBytes} bytes`)
    const text = yield* attempt(() => file.readFile("utf8"))

    const revoked = new RevokedTokens()
    const lines = text.split("\n")
    // What follows the last line end: nothing, or what a crash has left of a line.
    const cut = lines.pop() !== ""
    let written = 0
    for (const line of lines) {
      const entry = decodeLine(line)
      if (entry._tag === "None") return yield* unreadable(`line ${written + 1} is not a revocation`)
      revoked.add(entry.value.tokenId, entry.value.until)
      written++
    }

    /** Writes what still counts into a new file, which then takes the old one's place. */
    const compact = async () => {
      const body = [...revoked.entries()].map(lineOf).join("")
      const next = await open(`${path}.new`, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600)
      try {
        await next.writeFile(body)
        await next.sync()
      } finally {
        await next.close()
      }
      await rename(`${path}.new`, path)
      await syncFolder(dirname(path))
      const before = file
      file = await open(path, openFlags, 0o600)
      await before.close()
      length = Buffer.byteLength(body)
      written = revoked.size
    }

    revoked.prune(clock.currentTimeMillisUnsafe())
    if (cut || revoked.size < written) yield* attempt(compact)

    const one = Semaphore.makeUnsafe(1)
    const store = async (tokenId: string, until: number) => {
      if (written >= 2 * maxRevocations) await compact()
      const line = lineOf([tokenId, until])
      try {
        await file.appendFile(line)
        await file.datasync()
      } catch (error) {
        // Half a line would be taken for damage at the next start.
        await file.truncate(length)
        throw error
      }
      length += Buffer.byteLength(line)
      written++
    }

    return {
      has: (tokenId) => revoked.has(tokenId),
      revoke: (tokenId, until) =>
        Effect.suspend(() => {
          if (!revoked.hasRoom(clock.currentTimeMillisUnsafe())) return Effect.fail(revocationsFull())
          return Effect.tryPromise({
            try: () => store(tokenId, until),
            catch: (cause) => new RevocationFailed({ detail: "its file could not be written", cause })
          }).pipe(Effect.andThen(Effect.sync(() => revoked.add(tokenId, until))))
        }).pipe(one.withPermits(1), Effect.uninterruptible)
    }
  })

const lineOf = ([tokenId, until]: readonly [string, number]): string => `${JSON.stringify({ tokenId, until })}\n`

/** So that a rename outlasts a crash. Systems that cannot sync a folder do so by themselves. */
const syncFolder = async (path: string): Promise<void> => {
  let folder: FileHandle | undefined
  try {
    folder = await open(path, "r")
    await folder.sync()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== "EISDIR" && code !== "EPERM" && code !== "EINVAL" && code !== "EACCES") throw error
  } finally {
    await folder?.close()
  }
}
