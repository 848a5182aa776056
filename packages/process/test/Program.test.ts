import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findProgram, makeEnvironment } from "../src/index.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-process-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

describe("finding a program", () => {
  it.effect("takes a path from the directory, a name from the PATH, and tells what is wrong with neither", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const program = join(folder, "tool")
      writeFileSync(program, "")
      assert.deepInclude(findProgram("./missing", folder, {}), {
        expected: `a program that exists, and ${folder}/missing does not`
      })
      assert.deepStrictEqual(findProgram("./tool", folder, {}), {
        expected: `a program that may be executed, and ${program} may not (EACCES)`
      })
      assert.match(JSON.stringify(findProgram("tool", "/", { PATH: folder })), /may be executed/)
      chmodSync(program, 0o755)
      assert.deepStrictEqual(findProgram("./tool", folder, {}), { path: program })
      assert.deepStrictEqual(findProgram("tool", "/", { PATH: `/nonesuch:${folder}` }), { path: program })
      assert.deepStrictEqual(findProgram("tool", folder, { PATH: "." }), { path: program })
      assert.match(JSON.stringify(findProgram("tool", folder, { PATH: "/nonesuch" })), /none of its directories/)
    }).pipe(Effect.scoped)
  )
})

describe("the environment", () => {
  it("has names that were passed on, beginnings too, then values, and nothing else", () => {
    const host = { PATH: "/bin", LC_ALL: "C", LC_TIME: "C", LCX: "x", TERM: "screen", SECRET: "s" }
    assert.deepStrictEqual(
      makeEnvironment({ host, pass: ["PATH", "LC_*", "ABSENT"], values: { TERM: "vt100", A: "b" } }),
      {
        PATH: "/bin",
        LC_ALL: "C",
        LC_TIME: "C",
        TERM: "vt100",
        A: "b"
      }
    )
  })
})
