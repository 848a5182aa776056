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
import type { CodexOptions } from "../src/index.ts"

/** The house. */
export interface CodexHouse {
  readonly folder: string
  /** An empty directory. */
  readonly cwd: string
  readonly model: ScriptedModel
  /** With these a backend runs in this house, and touches nothing of the user's. */
  readonly options: CodexOptions & { readonly home: string }
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
    return { folder, cwd, model, options: { home: environment["CODEX_HOME"]!, env: { values: environment } } }
  })
