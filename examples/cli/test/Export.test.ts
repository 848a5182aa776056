import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { decodeRecord } from "@holdfast/core"
import { Result } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Home } from "./support/Home.ts"
import { Terminal } from "./support/Terminal.ts"

let home: Home
let id: string
beforeAll(async () => {
  home = await Home.make()
  id = await home.recorded("sh", "-c", "printf 'one\\n\\033[31mtwo é\\033[0m\\n'; sleep 0.2; seq 1 40")
})
afterAll(() => home.close())

const shown = `one\r\n\u001b[31mtwo é\u001b[0m\r\n${Array.from({ length: 40 }, (_, n) => `${n + 1}\r\n`).join("")}`

describe("export", () => {
  it("writes an asciicast that asciinema plays", async () => {
    const file = join(home.directory, "demo.cast")
    const report = await home.json<{ bytes: number }>("export", id, "--format", "cast", "-o", file)
    expect(report).toMatchObject({ sessionId: id, format: "cast", file, bytes: statSync(file).size })
    const [header, ...events] = readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(header).toMatchObject({ version: 2, width: 80, height: 24, env: { TERM: "xterm-256color" } })
    const times = events.map(([at]) => at as number)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(0.15)
    expect(
      events
        .filter(([, code]) => code === "o")
        .map(([, , text]) => text)
        .join("")
    ).toBe(shown)
    const asciinema = spawnSync("asciinema", ["--version"])
    if (asciinema.error !== undefined) return
    const player = new Terminal(["asciinema", "play", "--speed", "10", file], { env: home.env, cwd: home.directory })
    expect(await player.exited).toBe(0)
    expect(player.output).toContain(shown)
  })

  it("writes every event as a line of JSON", async () => {
    const { code, out } = await home.run("export", id, "--format", "jsonl")
    expect(code).toBe(0)
    const records = out
      .trimEnd()
      .split("\n")
      .map((line) => Result.getOrThrow(decodeRecord(JSON.parse(line))))
    expect(records.map((one) => one.seq)).toEqual(records.map((_, index) => index + 1))
    expect((await home.run("log", id, "--json")).out).toBe(out)
  })

  it("writes what was shown as text, with what has scrolled away", async () => {
    const { out } = await home.run("export", id, "--format", "text")
    expect(out.trimEnd().split("\n")).toEqual(["one", "two é", ...Array.from({ length: 40 }, (_, n) => `${n + 1}`)])
  })

  it("leaves nothing half written, and says what it could not write", async () => {
    const file = join(home.directory, "no", "such", "directory", "x.cast")
    const { code, err } = await home.run("export", id, "--format", "cast", "-o", file)
    expect(code).toBe(3)
    expect(err).toContain(`${file} cannot be written`)
    expect(readdirSync(home.directory).filter((name) => name.endsWith(".partial"))).toEqual([])
    expect(await home.run("export", id, "--format", "cast", "--json")).toMatchObject({ code: 1, out: "" })
    expect(await home.run("export", id)).toMatchObject({ code: 1, out: "" })
  })
})
