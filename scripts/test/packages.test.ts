import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { readManifest, readPackages, readWorkspaces, repository } from "../workspaces.ts"

const read = (...path: ReadonlyArray<string>) => readFileSync(join(repository, ...path), "utf8")

const packages = readPackages(repository)

describe.each(packages)("the package in $folder", ({ folder, manifest }) => {
  it("is named after its folder and says what it is", () => {
    assert.strictEqual(manifest.name, folder.replace(/^packages\//, "@holdfast/"))
    assert.isAbove(String(manifest["description"] ?? "").length, 20)
    assert.deepStrictEqual(manifest["repository"], {
      type: "git",
      url: "git+https://github.com/holdfast-dev/holdfast.git",
      directory: folder
    })
  })

  it("is ESM without side effects, and exports types beside code", () => {
    assert.strictEqual(manifest["type"], "module")
    assert.strictEqual(manifest["sideEffects"], false)
    const { "./package.json": own, ...entries } = manifest["exports"] as Record<string, unknown>
    assert.strictEqual(own, "./package.json")
    assert.property(entries, ".")
    for (const [path, conditions] of Object.entries(entries)) {
      const { "@holdfast/source": source, default: code, types, ...others } = conditions as Record<string, string>
      assert.deepStrictEqual(others, {}, path)
      assert.deepStrictEqual(Object.keys(conditions as object), ["@holdfast/source", "types", "default"], path)
      const stem = /^\.\/src\/(.+)\.ts$/.exec(source ?? "")?.[1]
      assert.strictEqual(types, `./dist/${stem}.d.ts`)
      assert.strictEqual(code, `./dist/${stem}.js`)
    }
  })

  it("runs on the supported Node versions", () => {
    assert.deepStrictEqual(manifest["engines"], { node: ">=22.19" })
  })

  it("ships its code, its sources and the licence, with provenance", () => {
    assert.deepStrictEqual(manifest["files"], ["dist", "src"])
    assert.strictEqual(manifest["license"], "MIT")
    assert.deepStrictEqual(manifest["publishConfig"], { access: "public", provenance: true })
    assert.strictEqual(read(folder, "LICENSE"), read("LICENSE"))
  })

  it("takes effect from its host", () => {
    assert.match(manifest.peerDependencies?.["effect"] ?? "", /^[~^]4\.1\./)
    assert.notProperty(manifest.dependencies ?? {}, "effect")
  })
})

describe("the packages", () => {
  it("are those of the design", () => {
    const names = packages.map(({ manifest }) => manifest.name)
    for (const name of ["core", "runtime", "store-sqlite", "adapter-pty", "testkit"]) {
      assert.include(names, `@holdfast/${name}`)
    }
  })

  it("all carry one version, and name each other at exactly that", () => {
    assert.strictEqual(new Set(packages.map(({ manifest }) => manifest.version)).size, 1)
    const workspaces = readWorkspaces(repository)
    // Examples and benchmarks use each other too: by another version npm would look for them in the registry.
    const versions = new Map(workspaces.map(({ manifest }) => [manifest.name, manifest.version]))
    for (const { manifest } of workspaces) {
      for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
        if (name.startsWith("@holdfast/")) assert.strictEqual(range, versions.get(name), `${manifest.name} → ${name}`)
      }
    }
  })

  it("are beside examples and benchmarks, which are never published", () => {
    for (const { folder, manifest } of readWorkspaces(repository)) {
      assert.match(manifest.name, /^@holdfast\//)
      assert.strictEqual(manifest["type"], "module")
      assert.strictEqual(manifest.private === true, !folder.startsWith("packages/"), folder)
    }
    assert.isTrue(readManifest(repository).private)
  })
})
