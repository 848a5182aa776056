/** The server's own secret, in a file that only its owner can read. */
import { Effect, Redacted, Schema } from "effect"
import { randomBytes, randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { link, mkdir, open, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/** The secret's file must not, or cannot, be used. */
export class SecretUnusable extends Schema.TaggedError<SecretUnusable>("@holdfast/server/SecretUnusable")(
  "SecretUnusable",
  { path: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `The server's secret in ${this.path} cannot be used: ${this.detail}`
  }
}

/** Bytes of a secret: as many as HMAC-SHA-256 makes use of. */
const secretBytes = 32

/**
 * The secret of a file: made of 32 random bytes at the first start, readable by its owner alone (mode 0600). A file that
 * others can read, that is somebody else's, or that is a link, is refused.
 */
export const secretFile = (path: string): Effect.Effect<Redacted.Redacted<Uint8Array>, SecretUnusable> =>
  Effect.tryPromise({
    try: async () => {
      const found = await read(path)
      if (found !== undefined) return Redacted.make(found)
      await create(path)
      const made = await read(path)
      if (made === undefined) throw new Error("it has vanished just after it was made")
      return Redacted.make(made)
    },
    catch: (error) => new SecretUnusable({ path, detail: error instanceof Error ? error.message : String(error) })
  })

const read = async (path: string): Promise<Uint8Array | undefined> => {
  let file
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "ENOENT") return undefined
    throw code === "ELOOP" ? new Error("it is a link: put the file itself there") : error
  }
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw new Error("it is not a file")
    if (process.platform !== "win32") {
      if ((facts.mode & 0o077) !== 0)
        throw new Error("others can read or change it: `chmod 600` it, or delete it to get a new one")
      if (facts.uid !== process.getuid?.()) throw new Error("it belongs to another user")
    }
    const secret = Buffer.from((await file.readFile("utf8")).trim(), "base64url")
    if (secret.byteLength < secretBytes)
      throw new Error(`it has less than ${secretBytes} bytes: delete it to get a new one`)
    return new Uint8Array(secret)
  } finally {
    await file.close()
  }
}

/** Whole or not at all, and never over one that another process has made meanwhile. */
const create = async (path: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, "wx", 0o600)
  try {
    await file.writeFile(`${randomBytes(secretBytes).toString("base64url")}\n`)
    await file.sync()
    await file.close()
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    await unlink(draft)
  }
}
