import { execFile } from "node:child_process"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { command, Home } from "./support/Home.ts"

let home: Home
beforeAll(async () => {
  home = await Home.make()
})
afterAll(() => home.close())

const shell = (script: string) =>
  promisify(execFile)("bash", ["-c", script], {
    env: { ...home.env, HOLDFAST: command.join(" ") },
    cwd: home.directory
  })

describe("the command line", () => {
  it("shows its help, and a version, on stdout", async () => {
    const [help, version] = await Promise.all([home.run("--help"), home.run("--version")])
    expect(help).toMatchObject({ code: 0, err: "" })
    for (const name of ["run", "ls", "attach", "log", "screen", "replay", "export", "kill", "gc", "doctor"]) {
      expect(help.out).toMatch(new RegExp(`^  ${name}\\b`, "m"))
    }
    expect(help.out).not.toContain("\u001b")
    expect(version).toMatchObject({ code: 0, out: "holdfast 0.0.0\n" })
  })

  it("keeps stdout free of mistakes, and says where help is", async () => {
    for (const args of [["lss"], ["ls", "--colour"], ["log"], ["ls", "--status", "asleep"], ["ls", "--limit", "0"]]) {
      const { code, err, out } = await home.run(...args)
      expect({ args, code, out }).toEqual({ args, code: 1, out: "" })
      expect(err).toMatch(/See holdfast.* --help/)
    }
  })

  it("has something to say before there is anything", async () => {
    const empty = await home.run("ls")
    expect(empty).toMatchObject({ code: 0, out: "" })
    expect(empty.err).toContain("holdfast run -- <command>")
    expect(await home.json("ls")).toEqual({ sessions: [], next: null })
    expect(await home.json("stats")).toMatchObject({ sessions: 0, events: 0, top: [] })
    expect((await home.run("log", "0199")).code).toBe(2)
  })

  it("says what is wrong with a log that is none", async () => {
    const file = join(home.directory, "not-a-log.db")
    writeFileSync(file, "this is no database, and long enough to be told from one".repeat(20))
    const { code, err, out } = await home.run("ls", "--store", file)
    expect({ code, out }).toEqual({ code: 4, out: "" })
    expect(err).toContain(file)
  })

  it("is quiet when its reader goes away", async () => {
    const id = await home.recorded("seq", "1", "5000")
    const { stderr, stdout } = await shell(`$HOLDFAST log ${id} --json | head -1; echo "\${PIPESTATUS[0]}"`)
    expect(stderr).toBe("")
    expect(stdout.trim().split("\n").at(-1)).toBe("0")
    expect((await shell(`$HOLDFAST --help | head -1`)).stderr).toBe("")
  })

  it("colours for people only", async () => {
    const terminal = home.terminal(["ls"])
    await terminal.shows("\u001b[1mID")
    await terminal.exited
    const plain = home.terminal(["ls"], { env: { ...home.env, NO_COLOR: "1" } })
    await plain.shows("done")
    await plain.exited
    expect(plain.output).not.toContain("\u001b[1m")
  })

  it("completes itself in bash, zsh and fish", async () => {
    for (const name of ["bash", "zsh", "fish"]) {
      const { code, out } = await home.run("completions", name)
      expect(code).toBe(0)
      expect(out).toContain("archived-older-than")
    }
  })

  it("starts from the workspace's launcher", async () => {
    const launcher = fileURLToPath(new URL("../bin/holdfast.js", import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [launcher, "--version"], { env: home.env })
    expect(stdout).toBe("holdfast 0.0.0\n")
  })
})

describe("the tour", () => {
  it("keeps what it promises, and leaves nothing behind", async () => {
    // Just too long for a socket below it: then its owner's place is another one, which goes as well.
    const temporary = join(home.directory, "temporary").padEnd(56, "-")
    mkdirSync(temporary)
    const { stderr, stdout } = await shell(`TMPDIR=${temporary} $HOLDFAST start < /dev/null`)
    expect(stderr).toBe("")
    expect(stdout).toContain('✓ nothing stays "working"')
    expect(stdout).toContain("✓ all three assembled the same log, byte by byte")
    expect(stdout).toMatch(/compiled module \d+/)
    expect(readdirSync(temporary)).toEqual([])
  })
})
