/** What a test of the real Codex needs: a scripted model, a home that knows no other, and a directory to work in. */
import {
  type CodexHomeOptions,
  makeScriptedModel,
  type ModelScript,
  type ScriptedModel,
  writeCodexHome
} from "@holdfast/testkit"
import { Effect, type Scope } from "effect"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type CodexOptions, codexRelease } from "../src/index.ts"

/** The program that the tests are about, whatever else is on the PATH of who runs them. */
export const installedCodex = join(process.env["HOLDFAST_AGENTS"]!, "node_modules", codexRelease.native[0]!)

/** The house. */
export interface CodexHouse {
  readonly folder: string
  /** An empty directory. */
  readonly cwd: string
  readonly model: ScriptedModel
  /** With these a backend runs in this house, and touches nothing of the user's. */
  readonly options: CodexOptions & { readonly home: string; readonly path: string }
}

/** Builds the house; the scope's end takes it down. */
export const openCodexHouse = (
  script: ModelScript = [],
  home: Partial<CodexHomeOptions> & { readonly below?: string; readonly rules?: string } = {}
): Effect.Effect<CodexHouse, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { below = tmpdir(), rules, ...more } = home
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => realpathSync(mkdtempSync(join(below, "holdfast-codex-test-")))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    )
    const cwd = join(folder, "project")
    mkdirSync(cwd)
    const model = yield* makeScriptedModel({ script })
    const { environment } = writeCodexHome({ folder: join(folder, "home"), url: model.url, ...more })
    if (rules !== undefined) {
      mkdirSync(join(folder, "home", "rules"))
      writeFileSync(join(folder, "home", "rules", "default.rules"), rules)
    }
    const options = { path: installedCodex, home: environment["CODEX_HOME"]!, env: { values: environment } }
    return { folder, cwd, model, options }
  })
