import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { agentsFolder, areInstalled, verify } from "../install-agents.ts"
import { readManifest, repository } from "../workspaces.ts"

const versions = readManifest(agentsFolder).dependencies ?? {}

const run = (folder: string) =>
  spawnSync(process.execPath, ["scripts/install-agents.ts", folder], { cwd: repository, encoding: "utf8" })

const programs: Readonly<Record<string, string>> = {
  codex: `@openai/codex-${process.platform}-${process.arch}/vendor/any-triple/bin/codex`,
  opencode: `opencode-${process.platform}-${process.arch}/bin/opencode`,
  opencodeBaseline: `opencode-${process.platform}-${process.arch}-baseline/bin/opencode`,
  rg: `@vscode/ripgrep-${process.platform}-${process.arch}/bin/rg`
}

describe("the installed agents", () => {
  it("are pinned, and found by every test through HOLDFAST_AGENTS", () => {
    assert.hasAllKeys(versions, ["@openai/codex", "@vscode/ripgrep", "opencode-ai"])
    for (const version of Object.values(versions)) assert.match(version, /^\d+\.\d+\.\d+$/)
    assert.strictEqual(process.env["HOLDFAST_AGENTS"], agentsFolder)
  })

  it("are not installed a second time", () => {
    assert.isTrue(areInstalled(agentsFolder), "run `npm run agents`")
    const { status, stderr, stdout } = run(agentsFolder)
    assert.deepStrictEqual([status, stdout, stderr], [0, "", ""])
  })

  it("can be installed on Linux and macOS, on both kinds of processor", () => {
    const { packages } = JSON.parse(readFileSync(join(agentsFolder, "package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly integrity?: string; readonly resolved?: string }>>
    }
    for (const platform of ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"]) {
      for (const name of ["@openai/codex", "opencode", "@vscode/ripgrep"]) {
        assert.property(packages, `node_modules/${name}-${platform}`)
      }
    }
    for (const { resolved } of Object.values(packages)) assert.isUndefined(resolved)
  })
})

describe.skipIf(process.platform === "win32")("the script that installs the agents", () => {
  const folders: Array<string> = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })

  /** A folder with the real lock file and the given shell scripts for programs. */
  const folderWith = (scripts: Readonly<Record<string, string>>) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-agents-test-"))
    folders.push(folder)
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(agentsFolder, file), join(folder, file))
    mkdirSync(join(folder, "node_modules"))
    for (const [name, script] of Object.entries(scripts)) {
      const path = join(folder, "node_modules", programs[name]!)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, `#!/bin/sh\n${script}\n`)
      chmodSync(path, 0o755)
    }
    return folder
  }

  const working = {
    codex: `echo codex-cli ${versions["@openai/codex"]}`,
    opencode: `echo ${versions["opencode-ai"]}`,
    rg: "echo ripgrep 15"
  }

  it("takes agents for installed once they have run, and until the lock file changes or one is gone", () => {
    const folder = folderWith(working)
    assert.isFalse(areInstalled(folder))
    assert.lengthOf(verify(folder), 3)
    assert.isTrue(areInstalled(folder))

    const lock = join(folder, "package-lock.json")
    const text = readFileSync(lock, "utf8")
    writeFileSync(lock, `${text}\n`)
    assert.isFalse(areInstalled(folder))
    writeFileSync(lock, text)
    assert.isTrue(areInstalled(folder))

    rmSync(join(folder, "node_modules", programs["codex"]!))
    assert.isFalse(areInstalled(folder))
  })

  it("takes the baseline build of Opencode where the processor cannot run the other", () => {
    const folder = folderWith({ ...working, opencode: "kill -ILL $$", opencodeBaseline: working.opencode })
    assert.include(verify(folder)[2], programs["opencodeBaseline"])
  })

  it("names every agent that is missing, does not run or has another version", () => {
    const folder = folderWith({ codex: "echo codex-cli 0.1.0", rg: "exit 3" })
    assert.throws(() => verify(folder), /codex says that it is codex-cli 0\.1\.0, and not 0\.169\.0/)
    assert.throws(() => verify(folder), /rg does not run: it ended with 3/)
    assert.throws(() => verify(folder), /opencode-ai: there is no build of it for/)
    assert.isFalse(areInstalled(folder))
  })

  it("fails with npm's reason when npm fails, and says how to go on", () => {
    const folder = folderWith(working)
    rmSync(join(folder, "package-lock.json"))
    const { status, stderr } = run(folder)
    assert.strictEqual(status, 1)
    assert.match(stderr, /can only install with an existing package-lock\.json/)
    assert.match(stderr, /could not be installed\.\nnpm ci .* ended with 1\n.*`npm run agents`/)
  })
})
