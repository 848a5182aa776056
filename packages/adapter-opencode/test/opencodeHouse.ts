/** What a test of the real Opencode needs: a scripted model, a home that knows no other, and a project under git. */
import {
  makeScriptedModel,
  type ModelScript,
  type OpencodeHomeOptions,
  type ScriptedModel,
  writeOpencodeHome
} from "@holdfast/testkit"
import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { OpencodeBackendOptions } from "../src/index.ts"

/** The house. */
export interface OpencodeHouse {
  readonly folder: string
  /** A git repository with one commit, in which there is `notes.txt`. */
  readonly project: string
  readonly model: ScriptedModel
  /** With these a backend runs in this house, and touches nothing of the user's. */
  readonly options: OpencodeBackendOptions & { readonly env: { readonly values: Readonly<Record<string, string>> } }
}

/** Makes a project. */
export const makeProject = (path: string): string => {
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, "notes.txt"), "one\ntwo\nthree\n")
  const git = (...args: ReadonlyArray<string>) =>
    execFileSync("git", ["-C", path, "-c", "user.name=Test", "-c", "user.email=test@example.com", ...args], {
      stdio: "ignore"
    })
  git("init", "--quiet")
  git("add", ".")
  git("commit", "--quiet", "--message", "Begin")
  return realpathSync(path)
}

/** Builds the house; the scope's end takes it down. */
export const openOpencodeHouse = (
  script: ModelScript,
  home: Partial<OpencodeHomeOptions> & { readonly below?: string } = {}
): Effect.Effect<OpencodeHouse, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { below = tmpdir(), ...more } = home
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => realpathSync(mkdtempSync(join(below, "holdfast-opencode-test-")))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    )
    const model = yield* makeScriptedModel({ script })
    const { environment } = writeOpencodeHome({ folder: join(folder, "home"), url: model.url, ...more })
    return { folder, project: makeProject(join(folder, "project")), model, options: { env: { values: environment } } }
  })
