/** A folder of one server, which only this user can read: for configuration, in which there may be keys. */
import { identify, isAlive, type ProcessIdentity } from "@holdfast/process"
import { Effect, Schema, type Scope } from "effect"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const prefix = "holdfast-opencode-"

/** Names the process that a folder belongs to. */
const ownerFile = "owner.json"

const Owner = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, startTime: Schema.String, host: Schema.String }))

/** The user's own place for what lives as long as a login: nobody sweeps it meanwhile, as the temporary folder may be. */
const parent = () => {
  const ofLogin = process.env["XDG_RUNTIME_DIR"]
  return ofLogin !== undefined && existsSync(ofLogin) ? ofLogin : tmpdir()
}

/** Removes what hosts have left that died with it. Folders of other machines, boots and users are not ours to judge. */
const sweep = (self: ProcessIdentity) =>
  Effect.gen(function* () {
    const names = yield* Effect.try(() => readdirSync(parent()).filter((name) => name.startsWith(prefix)))
    yield* Effect.forEach(names, (name) => Effect.ignore(removeIfOrphaned(join(parent(), name), self)))
  })

const removeIfOrphaned = (folder: string, self: ProcessIdentity) =>
  Effect.gen(function* () {
    const text = yield* Effect.try(() => readFileSync(join(folder, ownerFile), "utf8"))
    const owner = yield* Schema.decodeEffect(Owner)(text)
    if (owner.host !== self.host || (yield* isAlive(owner))) return
    yield* Effect.try(() => rmSync(folder, { recursive: true, force: true }))
  })

/** Makes the folder with these files; the scope's end removes it. */
export const makePrivateFolder = (
  files: Readonly<Record<string, string>>
): Effect.Effect<string, PrivateFolderFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const self = yield* Effect.orElseSucceed(identify(process.pid), () => undefined)
    if (self !== undefined) yield* Effect.ignore(sweep(self))
    return yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const folder = mkdtempSync(join(parent(), prefix))
          for (const [name, text] of Object.entries({ ...files, [ownerFile]: JSON.stringify(self ?? {}) })) {
            writeFileSync(join(folder, name), text, { mode: 0o600 })
          }
          return folder
        },
        catch: (cause) => new PrivateFolderFailed({ parent: parent(), cause })
      }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
  })

/** The folder could not be made. */
export class PrivateFolderFailed extends Schema.TaggedError<PrivateFolderFailed>(
  "@holdfast/adapter-opencode/PrivateFolderFailed"
)("PrivateFolderFailed", { parent: Schema.String, cause: Schema.Defect() }) {
  override get message() {
    return `no private folder could be made in ${this.parent}`
  }
}
