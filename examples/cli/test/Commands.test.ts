import { decodeRecord } from "@holdfast/core"
import { Result } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Home } from "./support/Home.ts"

/** Two screens, colours, and an end with a failure. */
const program = "stty -echo; printf 'one\\n\\033[31mtwo\\033[0m\\n'; sleep 0.3; printf '\\033[H\\033[2Jthree'; exit 3"

let home: Home
let id: string
beforeAll(async () => {
  home = await Home.make()
  id = await home.recorded("sh", "-c", program)
})
afterAll(() => home.close())

/** Ids, times, pids and paths, which differ from run to run. */
const normalise = (text: string) =>
  text
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{1,4}){0,4}(-?[0-9a-f]{0,12})?(?=\s)/g, "<id>")
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, "<time>")
    .replaceAll(/pid \d+/g, "pid <pid>")
    .replaceAll(home.directory, "<dir>")
    .replaceAll(/ +now| +\d+s/g, " <age>")

describe("ls", () => {
  it("is a table for people", async () => {
    const { code, err, out } = await home.run("ls")
    expect({ code, err }).toEqual({ code: 0, err: "" })
    const [head, row] = out.split("\n")
    expect(head).toMatch(/^ID +STATUS +TITLE +BACKEND +AGE +SIZE$/)
    expect(row).toMatch(/^[0-9a-f-]{8,} +✗ failed +sh -c stty -echo; .*… +pty +(now|\d+s) +\d+ B$/)
  })

  it("is the summaries for programs, chosen as asked", async () => {
    const all = await home.json<{ sessions: Array<{ sessionId: string }>; next: unknown }>("ls")
    expect(all.next).toBeNull()
    expect(all.sessions[0]).toMatchObject({
      sessionId: id,
      backend: "pty",
      status: "failed",
      lifecycle: "closed",
      exitCode: 3,
      signal: null,
      archived: false
    })
    expect(await home.json("ls", "--status", "working", "--status", "done")).toEqual({ sessions: [], next: null })
    expect(await home.json("ls", "--search", "no such text")).toEqual({ sessions: [], next: null })
  })

  it("follows what changes until Ctrl-C", async () => {
    const follower = home.start(["ls", "--follow", "--json"])
    await follower.printed(`{"kind":"caught-up"}`)
    const other = await home.recorded("true")
    await follower.printed(other)
    follower.child.kill("SIGINT")
    const { code, err, out } = await follower.ended
    expect({ code, err }).toEqual({ code: 130, err: "" })
    for (const line of out.trimEnd().split("\n")) expect(["changed", "caught-up"]).toContain(JSON.parse(line).kind)
  })

  it("draws a live table in a terminal", async () => {
    const terminal = home.terminal(["ls", "--follow"])
    await terminal.shows("STATUS")
    await terminal.shows("✗ failed")
    terminal.type("\u0003")
    expect(await terminal.exited).toBe(130)
  })
})

describe("log", () => {
  it("is a line an event for people", async () => {
    const { code, err, out } = await home.run("log", id)
    expect({ code, err }).toEqual({ code: 0, err: "" })
    const lines = normalise(out).trimEnd().split("\n")
    expect(
      lines.filter((line) => !line.includes("terminal.output")).map((line) => line.replace(/^ +\d+/, "n"))
    ).toEqual([
      `n  <time>  session.created     pty ${JSON.stringify(
        `sh -c ${program}`.replaceAll(/ +/g, " ").slice(0, 71)
      ).slice(0, -1)}…" <dir>  (host)`,
      "n  <time>  backend.opening     attempt 1  (host)",
      "n  <time>  backend.opened      can: terminal, signals",
      "n  <time>  terminal.resized    80×24",
      `n  <time>  process.spawned     pid <pid> /usr/bin/sh -c ${program}`,
      "n  <time>  process.exited      pid <pid> exit code 3",
      "n  <time>  backend.closed      exited with code 3"
    ])
    expect(out).toMatch(/terminal\.output +\d+ B "one two"/)
    expect(out).not.toContain("\u001b")
  })

  it("is the events as they are for programs, from where and as many as asked", async () => {
    const { out } = await home.run("log", id, "--json", "--after", "3", "--limit", "2")
    const records = out
      .trimEnd()
      .split("\n")
      .map((line) => Result.getOrThrow(decodeRecord(JSON.parse(line))))
    expect(records.map((one) => one.seq)).toEqual([4, 5])
  })

  it("follows a session to its end", async () => {
    const running = await home.detached("sh", "-c", "echo begun; read line")
    const follower = home.start(["log", running, "--follow"])
    await follower.printed("begun")
    expect((await home.run("kill", running)).code).toBe(0)
    const { code, out } = await follower.ended
    expect(code).toBe(0)
    expect(out).toContain("backend.closing     holdfast kill grace 5 s  (host)")
    expect(out.trimEnd().split("\n").at(-1)).toContain("backend.closed")
  })

  it("refuses to go on where the log has never been", async () => {
    const { code, err } = await home.run("log", id, "--after", "99999")
    expect(code).toBe(1)
    expect(err).toContain("--after 99999: this log ends at seq")
  })
})

describe("screen", () => {
  it("is what the terminal shows, at the end or at any event", async () => {
    expect((await home.run("screen", id)).out).toBe("three\n")
    const { out } = await home.run("log", id, "--json")
    const first = out.split("\n").findIndex((line) => line.includes("terminal.output")) + 1
    expect((await home.run("screen", id, "--at", String(first))).out).toBe("one\ntwo\n")
    expect((await home.run("screen", id, "--at", String(first), "--ansi")).out).toMatch(/\u001b\[(0;)?31m/)
  })

  it("has cursor and modes for programs", async () => {
    const screen = await home.json<Record<string, unknown>>("screen", id)
    expect(screen).toMatchObject({ sessionId: id, cols: 80, rows: 24, missing: [] })
    expect(screen["modes"]).toMatchObject({ alternateScreen: false, cursor: { column: 5, row: 0, visible: true } })
  })

  it("says which events there are", async () => {
    const { code, err } = await home.run("screen", id, "--at", "5000")
    expect(code).toBe(2)
    expect(err).toContain("there is no such event: ask for one from 1 to")
  })
})

describe("replay", () => {
  it("plays what was shown, with its pauses, as fast as asked", async () => {
    const played = await home.run("replay", id, "--speed", "2")
    expect(played).toMatchObject({ code: 0, err: "" })
    expect(played.out).toBe("one\r\n\u001b[31mtwo\u001b[0m\r\n\u001b[H\u001b[2Jthree")
    expect((await home.run("replay", id, "--idle-limit", "0.01", "--from", "3")).out).toContain("three")
  })

  it("refuses numbers that make no sense", async () => {
    expect((await home.run("replay", id, "--speed", "0")).err).toContain("--speed takes a number above 0")
    expect((await home.run("replay", id, "--from", "5000")).err).toContain("the session's last event is")
  })

  it("stops when somebody has seen enough", async () => {
    const slow = home.terminal(["replay", id, "--speed", "0.001"])
    await slow.shows("two")
    slow.type("q")
    expect(await slow.exited).toBe(0)
  })
})

describe("kill", () => {
  it("ends a session, and what it started, and says how it ended", async () => {
    const running = await home.detached("sh", "-c", "sleep 600 & read line")
    expect(await home.json("kill", running)).toMatchObject({ sessionId: running, signal: "SIGHUP" })
    const again = await home.run("kill", running)
    expect(again).toMatchObject({ code: 3, out: "" })
    expect(again.err).toContain("has ended already")
  })
})

describe("rename, archive, gc and vacuum", () => {
  it("keep the list in order, and say what they did", async () => {
    const old = await home.recorded("echo", "old")
    expect(await home.json("rename", old, "renamed")).toMatchObject({ sessionId: old, title: "renamed" })
    expect(await home.json("archive", old)).toMatchObject({ sessionId: old, archived: true })
    expect((await home.run("archive", old)).code).toBe(3)
    expect(await home.json("ls", "--search", "renamed")).toMatchObject({ sessions: [] })
    expect(await home.json("ls", "--search", "renamed", "--all")).toMatchObject({ sessions: [{ title: "renamed" }] })

    expect(await home.json("gc", "--dry-run")).toMatchObject({ dryRun: true, sessions: 0 })
    expect(await home.json("gc", "--archived-older-than", "0s", "--dry-run")).toMatchObject({ sessionIds: [old] })
    expect(await home.json("gc", "--archived-older-than", "0s")).toMatchObject({ dryRun: false, sessions: 1 })
    expect((await home.run("log", old)).code).toBe(2)
    expect(await home.json("vacuum")).toMatchObject({ bytesAfter: expect.any(Number) })
  })
})

describe("stats and doctor", () => {
  it("say what the log holds and whether all is well", async () => {
    const stats = await home.json<{ sessions: number; top: Array<unknown> }>("stats", "--top", "1")
    expect(stats.sessions).toBeGreaterThan(0)
    expect(stats.top).toHaveLength(1)
    const doctor = await home.json<{ ok: boolean; checks: Array<{ check: string; status: string }> }>("doctor")
    expect(doctor.ok).toBe(true)
    expect(doctor.checks.map((one) => one.check)).toEqual([
      "node",
      "terminal",
      "disk",
      "permissions",
      "git",
      "bridge",
      "process",
      "docker",
      "log",
      "owner",
      "orphans"
    ])
  })
})

describe("ids", () => {
  it("may be cut as long as they are one session's", async () => {
    expect((await home.run("screen", id.slice(0, 16))).out).toBe("three\n")
    const ambiguous = await home.run("screen", id.slice(0, 4))
    expect(ambiguous).toMatchObject({ code: 2, out: "" })
    expect(ambiguous.err).toContain("is the beginning of several sessions")
    expect(ambiguous.err).toContain(`  ${id}  failed  sh -c stty`)
  })

  it("that are no session's say where to look", async () => {
    for (const unknown of ["ffffffff", "not-an-id"]) {
      const { code, err, out } = await home.run("log", unknown)
      expect({ code, out }).toEqual({ code: 2, out: "" })
      expect(err).toContain("holdfast ls")
    }
  })
})
