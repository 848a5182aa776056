import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { readManifest, repository } from "../workspaces.ts"

interface Lockfile {
  readonly packages: Readonly<
    Record<
      string,
      { readonly resolved?: string; readonly link?: boolean; readonly bin?: Readonly<Record<string, string>> }
    >
  >
}

const lockfile: Lockfile = JSON.parse(readFileSync(join(repository, "package-lock.json"), "utf8"))
const installed = Object.keys(lockfile.packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13))

describe("the toolchain", () => {
  it("runs on the Node version that the root pins", () => {
    assert.strictEqual(process.version, `v${readManifest(repository).devDependencies?.["node"]}`)
    assert.match(process.version, /^v24\./)
  })

  it("reads packages as source, here and in what tests start", () => {
    assert.include(process.execArgv, "--conditions=@holdfast/source")
  })

  it("installs no coding agent", () => {
    const agents = [
      /^@openai\/codex/,
      /^opencode(-|$)/,
      /^@anthropic-ai\/claude-(code|agent-sdk)/,
      /^@google\/gemini-cli/,
      /^@github\/copilot/,
      /^@sourcegraph\/amp/
    ]
    const commands = Object.values(lockfile.packages).flatMap(({ bin }) => Object.keys(bin ?? {}))
    assert.deepStrictEqual(
      installed.filter((name) => agents.some((agent) => agent.test(name))),
      []
    )
    assert.deepStrictEqual(
      commands.filter((command) => ["codex", "opencode", "claude", "gemini", "copilot", "amp"].includes(command)),
      []
    )
  })

  it("installs one effect", () => {
    assert.deepStrictEqual(
      installed.filter((name) => name === "effect" || name === "@effect/platform" || name === "@effect/schema"),
      ["effect"]
    )
  })

  it("records no download address in the lock file", () => {
    const addresses = Object.entries(lockfile.packages).filter(
      ([, { link, resolved }]) => resolved !== undefined && link !== true
    )
    assert.deepStrictEqual(addresses, [])
  })
})
