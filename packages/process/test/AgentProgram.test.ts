import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { agentsFolder, type AgentRelease, AgentUnavailable, findAgent } from "../src/index.ts"

const release: AgentRelease = {
  name: "holdfast-test-agent",
  package: "@test/agent",
  version: "1.10.0",
  oldest: "1.9.0",
  untested: "1.11.0",
  native: ["@test/agent-best/bin/agent", "@test/agent-plain/bin/agent"]
}

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-agents-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** Writes a program that behaves as a script says. */
const program = (path: string, script: string): string => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

const says = (version: string) => `[ "$*" = --version ] && echo 'the agent ${version}'`

/** An environment in which the shell's programs are found, and nothing else. */
const env = (...folders: ReadonlyArray<string>) => ({ PATH: [...folders, "/usr/bin", "/bin"].join(delimiter) })

describe("finding an agent", () => {
  it.effect("takes the path that is given, then the PATH, then the folder of agents", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const given = program(join(folder, "given/anything"), says("1.9.0"))
      const onPath = program(join(folder, "bin", release.name), says("1.9.1"))
      const installed = program(join(folder, "node_modules", release.native[1]!), says("1.9.2"))
      const search = { folder, env: env(join(folder, "bin")) }
      assert.deepInclude(yield* findAgent(release, { ...search, path: given }), { path: given, version: "1.9.0" })
      assert.deepInclude(yield* findAgent(release, search), { path: onPath, version: "1.9.1" })
      assert.deepInclude(yield* findAgent(release, { folder, env: env() }), { path: installed, version: "1.9.2" })
      const best = program(join(folder, "node_modules", release.native[0]!), says("1.9.3"))
      assert.deepInclude(yield* findAgent(release, { folder, env: env() }), { path: best, version: "1.9.3" })
      assert.deepInclude(yield* findAgent(release, { env: { ...env(), HOLDFAST_AGENTS: folder } }), { path: best })
    }).pipe(Effect.scoped)
  )

  it.effect("takes the native program behind npm's launcher", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const modules = join(folder, "lib/node_modules")
      const launcher = program(join(modules, "@test/agent/bin/agent.js"), "echo launcher; exit 1")
      mkdirSync(join(folder, "bin"))
      symlinkSync(launcher, join(folder, "bin", release.name))
      const search = { folder: "/nonesuch", env: env(join(folder, "bin")) }
      const beside = program(join(modules, release.native[0]!), says("1.10.0"))
      assert.deepInclude(yield* findAgent(release, search), { path: beside })
      const below = program(join(modules, "@test/agent/node_modules", release.native[0]!), says("1.10.1"))
      assert.deepInclude(yield* findAgent(release, search), { path: below, version: "1.10.1" })
    }).pipe(Effect.scoped)
  )

  it.effect("believes the package of a native program, and runs nothing; without one it asks the program", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const ran = join(folder, "ran")
      const modules = join(folder, "node_modules")
      const native = program(join(modules, release.native[0]!), `touch ${ran}; echo 1.10.7`)
      const state = (text: string) => writeFileSync(join(modules, "@test/agent-best/package.json"), text)
      const search = { folder, env: env() }
      state(JSON.stringify({ name: "@test/agent", version: "1.10.5-linux-x64" }))
      assert.deepInclude(yield* findAgent(release, search), { path: native, version: "1.10.5" })
      state(JSON.stringify({ version: "1.8.0" }))
      assert.strictEqual((yield* Effect.flip(findAgent(release, search))).reason, "too old")
      assert.isFalse(existsSync(ran))
      for (const broken of ["{", "{}", JSON.stringify({ version: 3 })]) {
        state(broken)
        assert.deepInclude(yield* findAgent(release, search), { version: "1.10.7" })
      }
    }).pipe(Effect.scoped)
  )

  it.effect("compares versions by their numbers: too old is refused, newer than tested is said so", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const find = (version: string) =>
        findAgent(release, { path: program(join(folder, "agent"), says(version)), env: env() })
      assert.isFalse((yield* find("1.10.99")).isUntested)
      assert.isTrue((yield* find("1.11.0")).isUntested)
      assert.isTrue((yield* find("2.0.0")).isUntested)
      const error = yield* Effect.flip(find("1.8.12"))
      assert.strictEqual(error.reason, "too old")
      assert.match(error.message, /is 1\.8\.12, and 1\.9\.0 or newer is needed.*npm install .*@test\/agent@1\.10\.0/)
    }).pipe(Effect.scoped)
  )

  it.effect("says how to install what is missing, where it looked, and what cannot be used", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const missing = yield* Effect.flip(findAgent(release, { folder, env: env() }))
      assert.instanceOf(missing, AgentUnavailable)
      assert.strictEqual(missing.reason, "missing")
      assert.include(missing.message, `npm install --prefix ${folder} @test/agent@1.10.0`)
      const noPath = yield* Effect.flip(findAgent(release, { path: join(folder, "nonesuch"), env: env() }))
      assert.strictEqual(noPath.reason, "missing")
      assert.include(noPath.detail, join(folder, "nonesuch"))
      for (const script of ["echo no version", "exit 7", "kill -KILL $$", "head -c 1000000 /dev/zero"]) {
        const path = program(join(folder, "broken"), script)
        const unusable = yield* Effect.flip(findAgent(release, { path, env: env() }))
        assert.strictEqual(unusable.reason, "unusable", script)
        assert.include(unusable.detail, path)
      }
      const spaced = yield* Effect.flip(findAgent(release, { folder: "/a b/it's", env: env() }))
      assert.include(spaced.install, `--prefix '/a b/it'\\''s' `)
    }).pipe(Effect.scoped)
  )

  it.live("gives up on a program that never tells its version, when it is interrupted", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const path = program(join(folder, "silent"), "exec sleep 1000")
      const found = yield* Effect.timeoutOption(findAgent(release, { path, env: env() }), 200)
      assert.strictEqual(found._tag, "None")
    }).pipe(Effect.scoped)
  )
})

describe("the folder of agents", () => {
  it("is the one that is named, or below the user's data directory", () => {
    assert.strictEqual(agentsFolder({ HOLDFAST_AGENTS: "/a" }), "/a")
    assert.strictEqual(agentsFolder({ XDG_DATA_HOME: "/data", HOME: "/home/me" }), "/data/holdfast/agents")
    assert.strictEqual(agentsFolder({ HOME: "/home/me" }), "/home/me/.local/share/holdfast/agents")
  })
})
