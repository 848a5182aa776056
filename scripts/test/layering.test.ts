import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { checkLayering } from "../layering.ts"

type Files = Readonly<Record<string, string>>

const everyDependency = {
  "@holdfast/core": "0.0.0",
  "@holdfast/runtime": "0.0.0",
  "@holdfast/store-sqlite": "0.0.0",
  "@holdfast/adapter-pty": "0.0.0",
  "@holdfast/testkit": "0.0.0",
  effect: "^4.1.0"
}

const folders = [
  "packages/core",
  "packages/runtime",
  "packages/store-sqlite",
  "packages/adapter-pty",
  "packages/adapter-codex",
  "packages/testkit",
  "packages/client",
  "packages/terminal-face",
  "packages/server",
  "packages/novelty",
  "examples/cli",
  "benchmarks"
]

describe("the layering check", () => {
  const trees: Array<string> = []
  afterEach(() => {
    for (const tree of trees.splice(0)) rmSync(tree, { recursive: true })
  })

  /** What the check says about a tree whose packages name every dependency, unless the files say otherwise. */
  const check = (files: Files): ReadonlyArray<string> => {
    const root = mkdtempSync(join(tmpdir(), "holdfast-layering-"))
    trees.push(root)
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    write("package.json", JSON.stringify({ workspaces: ["packages/*", "examples/*", "benchmarks"] }))
    for (const folder of folders) {
      const name = `@holdfast/${folder.slice(folder.indexOf("/") + 1)}`
      write(`${folder}/package.json`, JSON.stringify({ name, version: "0.0.0", dependencies: everyDependency }))
    }
    for (const [path, text] of Object.entries(files)) write(path, text)
    return checkLayering(root).map(({ file, line, message }) => `${file}:${line} ${message}`)
  }

  const refuses = (path: string, text: string, expected: RegExp) => {
    const violations = check({ [path]: text })
    assert.lengthOf(violations, 1, `${path}: ${text}`)
    assert.match(violations[0] ?? "", expected)
  }

  const accepts = (path: string, text: string) =>
    assert.deepStrictEqual(check({ [path]: text }), [], `${path}: ${text}`)

  it("accepts every arrow of the design", () => {
    accepts("packages/core/src/A.ts", `import { Effect } from "effect"\nimport { b } from "./B.ts"`)
    accepts("packages/runtime/src/A.ts", `import { Event } from "@holdfast/core"\nimport { join } from "node:path"`)
    accepts("packages/store-sqlite/src/A.ts", `import { Event } from "@holdfast/core"`)
    accepts("packages/adapter-pty/src/A.ts", `import { Backend } from "@holdfast/core"`)
    accepts("packages/testkit/src/A.ts", `import { Backend } from "@holdfast/core"`)
    accepts("packages/client/src/A.ts", `import { Event } from "@holdfast/core"`)
    accepts("packages/terminal-face/src/A.ts", `import { EventRecord } from "@holdfast/core"`)
    accepts("packages/server/src/A.ts", `import "@holdfast/core"\nimport "@holdfast/runtime"`)
    accepts("examples/cli/src/A.ts", `import "@holdfast/runtime"\nimport "@holdfast/adapter-pty"`)
    accepts("benchmarks/append.ts", `import "@holdfast/store-sqlite"`)
  })

  it("refuses a Node module in what runs in browsers, named either way", () => {
    refuses("packages/core/src/A.ts", `import { readFileSync } from "node:fs"`, /core runs in browsers/)
    refuses("packages/core/src/A.ts", `import fs from "fs"`, /core runs in browsers/)
    refuses("packages/core/src/A.ts", `const fs = process.getBuiltinModule("node:fs")`, /core runs in browsers/)
    refuses("packages/terminal-face/src/A.ts", `import "node:process"`, /terminal-face runs in browsers/)
    accepts("packages/core/test/A.test.ts", `import { readFileSync } from "node:fs"`)
  })

  it("refuses anything of ours in core", () => {
    refuses("packages/core/src/A.ts", `import "@holdfast/runtime"`, /may import nothing of ours/)
  })

  it("refuses a store or an adapter in the runtime", () => {
    refuses(
      "packages/runtime/src/A.ts",
      `import "@holdfast/store-sqlite"`,
      /may import @holdfast\/core, @holdfast\/process$/
    )
    refuses(
      "packages/runtime/src/A.ts",
      `import "@holdfast/adapter-pty"`,
      /may import @holdfast\/core, @holdfast\/process$/
    )
  })

  it("refuses the runtime below it, and imports sideways between adapters", () => {
    for (const folder of ["store-sqlite", "adapter-pty", "testkit"]) {
      refuses(
        `packages/${folder}/src/A.ts`,
        `import "@holdfast/runtime"`,
        /may import @holdfast\/core, @holdfast\/process$/
      )
    }
    for (const folder of ["client", "terminal-face"]) {
      refuses(`packages/${folder}/src/A.ts`, `import "@holdfast/runtime"`, /may import @holdfast\/core$/)
    }
    refuses(
      "packages/adapter-codex/src/A.ts",
      `import "@holdfast/adapter-pty"`,
      /may import @holdfast\/core, @holdfast\/process$/
    )
  })

  it("refuses a store in the server", () => {
    refuses(
      "packages/server/src/A.ts",
      `import "@holdfast/store-sqlite"`,
      /@holdfast\/core, @holdfast\/process, @holdfast\/runtime$/
    )
  })

  it("refuses any of ours in a package that has no arrows", () => {
    refuses("packages/novelty/src/A.ts", `import "@holdfast/core"`, /has no arrows yet/)
  })

  it("lets tests import the testkit, and the tests of runtime and testkit all of the house", () => {
    accepts("packages/core/test/A.test.ts", `import "@holdfast/testkit"\nimport "@holdfast/core"`)
    accepts("packages/store-sqlite/test/A.test.ts", `import "@holdfast/testkit"\nimport "@holdfast/store-sqlite"`)
    accepts("packages/runtime/test/A.test.ts", `import "@holdfast/store-sqlite"\nimport "@holdfast/adapter-pty"`)
    accepts("packages/testkit/test/A.test.ts", `import "@holdfast/store-sqlite"\nimport "@holdfast/runtime"`)
    refuses("packages/store-sqlite/test/A.test.ts", `import "@holdfast/runtime"`, /the tests of packages\/store-sqlite/)
    refuses(
      "packages/runtime/src/A.ts",
      `import "@holdfast/testkit"`,
      /may import @holdfast\/core, @holdfast\/process$/
    )
  })

  it("lets tests that compose the house use other packages' test houses and the bridge's bundler", () => {
    accepts("packages/runtime/test/A.test.ts", `import "../../adapter-codex/test/House.ts"`)
    accepts("packages/runtime/test/deep/A.test.ts", `import "../../../bridge/build.ts"`)
    refuses("packages/runtime/test/A.test.ts", `import "../../adapter-codex/src/House.ts"`, /leaves its own package/)
    refuses("packages/runtime/src/A.ts", `import "../../bridge/build.ts"`, /leaves its own package/)
    refuses("packages/core/test/A.test.ts", `import "../../bridge/build.ts"`, /leaves its own package/)
  })

  it("refuses a relative import that leaves its package, also for types, re-exports, workers and tests", () => {
    const away = /leaves its own package/
    refuses("packages/runtime/src/A.ts", `import { a } from "../../core/src/A.ts"`, away)
    refuses("packages/runtime/src/A.ts", `import type { A } from "../../core/src/A.ts"`, away)
    refuses("packages/runtime/src/A.ts", `export * from "../../core/src/A.ts"`, away)
    refuses("packages/runtime/src/A.ts", `export { a } from "../../core/src/A.ts"`, away)
    refuses("packages/runtime/src/A.ts", `type A = import("../../core/src/A.ts").A`, away)
    refuses("packages/runtime/src/A.ts", `const a = await import("../../core/src/A.ts")`, away)
    refuses("packages/runtime/src/A.ts", `new Worker(new URL("../../core/src/A.ts", import.meta.url))`, away)
    refuses("packages/runtime/test/deep/A.test.ts", `import "../../../core/src/A.ts"`, away)
    refuses("examples/cli/src/A.ts", `import "../../../packages/core/src/A.ts"`, away)
    accepts("packages/runtime/test/A.test.ts", `import "../src/A.ts"`)
  })

  it("refuses tests and a package's own root in its sources", () => {
    refuses("packages/runtime/src/A.ts", `import "../test/A.ts"`, /sources do not use tests/)
    refuses("packages/runtime/src/A.ts", `import "@holdfast/runtime"`, /its own root/)
  })

  it("refuses a computed import in a package", () => {
    refuses(
      "packages/runtime/src/A.ts",
      `const name = "@holdfast/" + "testkit"\nawait import(name)`,
      /:2 imports a computed/
    )
  })

  it("refuses an import that the package does not name as a dependency", () => {
    const manifest = (fields: object) => JSON.stringify({ name: "@holdfast/runtime", version: "0.0.0", ...fields })
    const source = { "packages/runtime/src/A.ts": `import "effect/http"\nimport "@holdfast/core"\nimport "@x/y/z"` }
    assert.deepStrictEqual(
      check({ ...source, "packages/runtime/package.json": manifest({ devDependencies: everyDependency }) }),
      ["effect", "@holdfast/core", "@x/y"].map(
        (name, at) =>
          `packages/runtime/src/A.ts:${at + 1} imports ${name}, which packages/runtime/package.json does not name as a dependency or peer dependency`
      )
    )
    const dependencies = { "@holdfast/core": "0.0.0", "@x/y": "1.0.0" }
    const named = manifest({ dependencies, peerDependencies: { effect: "^4.1.0" } })
    assert.deepStrictEqual(check({ ...source, "packages/runtime/package.json": named }), [])
  })

  it("reads code, and neither comments nor strings nor what was built or installed", () => {
    accepts("packages/core/src/A.ts", `/** import "@holdfast/runtime" */\nconst text = 'import "node:fs"'`)
    accepts("packages/core/node_modules/a/src/A.ts", `import "node:fs"`)
    accepts("packages/core/dist/A.d.ts", `import "node:fs"`)
  })

  it("says which file cannot be parsed", () => {
    assert.throws(() => check({ "packages/core/src/A.ts": "import {" }), /packages\/core\/src\/A\.ts cannot be parsed/)
  })
})
