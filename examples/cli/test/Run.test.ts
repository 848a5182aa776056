import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { command, Home } from "./support/Home.ts"
import { Terminal } from "./support/Terminal.ts"

let home: Home
beforeAll(async () => {
  home = await Home.make()
})
afterAll(() => home.close())

interface Listed {
  readonly sessions: ReadonlyArray<{
    readonly sessionId: string
    readonly title: string
    readonly lifecycle: string
    readonly exitCode: number | null
  }>
}

/** Every byte that there is, with characters that are cut, the last one too. */
const everyByte = Buffer.concat([
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  Buffer.from("é日\xc3", "latin1")
])

describe("run", () => {
  it("shows the program in this terminal, records it, and ends with its exit code", async () => {
    const terminal = home.terminal([
      "run",
      "--title",
      "greeting",
      "--",
      "sh",
      "-c",
      "echo hello from $((6 * 7)); exit 3"
    ])
    await terminal.shows("hello from 42")
    expect(await terminal.exited).toBe(3)
    const { sessions } = await home.json<Listed>("ls", "--search", "greeting")
    expect(sessions).toMatchObject([{ title: "greeting", lifecycle: "closed", exitCode: 3 }])
    const { out } = await home.run("log", sessions[0]!.sessionId)
    expect(out).toContain(`terminal.output     15 B "hello from 42"`)
    expect(out).toContain("exited with code 3")
  })

  it("gives the exit code of a signal as shells do", async () => {
    expect((await home.run("run", "--", "sh", "-c", "kill -TERM $$")).code).toBe(143)
  })

  it("passes on every byte that the program writes, and none of its own", async () => {
    const file = join(home.directory, "bytes")
    writeFileSync(file, everyByte)
    const { code, err, stdout } = await home.run("run", "--", "sh", "-c", `stty -opost; cat ${file}`)
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(stdout.equals(everyByte)).toBe(true)
  })

  it("passes on every key, those of signals and of leaving too where that is asked for", async () => {
    const program = `stty raw -echo; echo ready; head -c ${everyByte.length} | sha256sum`
    const terminal = home.terminal(["run", "--detach-key", "none", "--", "sh", "-c", program])
    await terminal.shows("ready")
    terminal.type(everyByte)
    await terminal.shows(createHash("sha256").update(everyByte).digest("hex"))
    expect(await terminal.exited).toBe(0)
  })

  it("takes what is typed before the program has started", async () => {
    const { code, out } = await home.start(["run", "--", "sh", "-c", "read line; echo got $line"], "early\n").ended
    expect(code).toBe(0)
    expect(out).toContain("got early")
  })

  it("tells the program of each new size of the window", async () => {
    const program = "trap 'stty size' WINCH; stty size; while :; do read line && exit 0; done"
    const terminal = home.terminal(["run", "--", "sh", "-c", program], { cols: 90, rows: 20 })
    await terminal.shows("20 90")
    terminal.resize(70, 15)
    await terminal.shows("15 70")
    terminal.type("\r")
    expect(await terminal.exited).toBe(0)
  })

  it("leaves Ctrl-C to the program", async () => {
    const program = "trap 'exit 9' INT; echo ready; while :; do sleep 1 & wait; done"
    const terminal = home.terminal(["run", "--", "sh", "-c", program])
    await terminal.shows("ready")
    terminal.type("\u0003")
    expect(await terminal.exited).toBe(9)
    const pipeline = home.start(["run", "--", "sh", "-c", program])
    await pipeline.printed("ready")
    pipeline.child.kill("SIGINT")
    expect((await pipeline.ended).code).toBe(9)
  })

  it("leaves a session running with Ctrl-\\, and attach goes back to its screen and ends with its exit code", async () => {
    const program =
      "printf 'first \\033[31mscreen\\033[0m\\n'; while read line; do [ $line = end ] && exit 5; echo got $line; done"
    const first = home.terminal(["run", "--title", "left", "--", "sh", "-c", program])
    await first.shows("screen")
    first.type("\u001c")
    await first.shows("keeps running; to go back: holdfast attach ")
    expect(await first.exited).toBe(0)

    const { sessions } = await home.json<Listed>("ls", "--search", "left")
    expect(sessions[0]!.lifecycle).toBe("open")
    const second = home.terminal(["attach", sessions[0]!.sessionId])
    await second.shows("first ")
    await second.shows("screen")
    second.type("more\r")
    await second.shows("got more")
    second.type("end\r")
    expect(await second.exited).toBe(5)
    expect(second.output).toMatch(/\u001b\[(0;)?31m/)

    const again = await home.run("attach", sessions[0]!.sessionId)
    expect(again.code).toBe(3)
    expect(again.err).toContain("has ended (exited with code 5): holdfast screen")
  })

  it("shows a session read-only to others, whose keys do not reach it", async () => {
    const id = await home.detached("sh", "-c", "echo visible; read line; echo typed $line")
    const viewer = home.terminal(["attach", "--read-only", id])
    await viewer.shows("visible")
    viewer.type("secret\r")
    const typist = home.terminal(["attach", id])
    await typist.shows("visible")
    typist.type("open\r")
    await Promise.all([viewer.shows("typed open"), typist.shows("typed open")])
    expect(await Promise.all([viewer.exited, typist.exited])).toEqual([0, 0])
    expect(viewer.output).not.toContain("secret")
  })

  it("puts the terminal back as it was, when it is left and when it is ended from outside", async () => {
    const program = "printf '\\033[?1049h\\033[?25l\\033[?1000h'; echo ready; read line"
    const [node, ...args] = command
    for (const leave of ["key", "signal"] as const) {
      const script = `trap : TERM; ${[node, ...args].join(" ")} run -- sh -c "${program}"; stty -a; echo all-shown`
      const shell = new Terminal(["sh", "-c", script], { env: home.env, cwd: home.directory })
      await shell.shows("ready")
      if (leave === "key") shell.type("\u001c")
      else {
        const pid = execFileSync("ps", ["-o", "pid=", "--ppid", String(shell.pid)])
          .toString()
          .trim()
        process.kill(Number(pid), "SIGTERM")
      }
      await shell.shows("\u001b[?25h")
      await shell.shows("\u001b[?1000l")
      await shell.shows("\u001b[?1049l")
      await shell.shows("all-shown")
      for (const on of ["icanon", "echo", "isig", "opost", "icrnl"])
        expect(shell.output).toMatch(new RegExp(`\\s${on}\\s`))
      await shell.exited
    }
  })

  it("passes the usual variables on, those that are asked for, and no others", async () => {
    const ran = await home.run(
      "run",
      "--env",
      "TZ",
      "--env",
      "COLOUR=blue",
      "--",
      "sh",
      "-c",
      "echo $TZ $COLOUR [$HOLDFAST_STORE]"
    )
    expect(ran.out).toBe("UTC blue []\r\n")
    const { sessions } = await home.json<Listed>("ls", "--limit", "1")
    const log = await home.run("log", sessions[0]!.sessionId, "--json")
    expect(log.out).toContain(`"COLOUR"`)
    expect(log.out.split("\n")[0]).not.toContain("blue")
    const unset = await home.run("run", "--env", "NOT_SET_ANYWHERE", "--", "true")
    expect(unset).toMatchObject({ code: 1, out: "" })
    expect(unset.err).toContain("set it with --env NOT_SET_ANYWHERE=value")
  })

  it("says what is wrong with a program or a directory, and starts nothing", async () => {
    const before = (await home.json<Listed>("ls", "--all")).sessions.length
    const missing = await home.run("run", "--", "no-such-program")
    expect(missing).toMatchObject({ code: 127, out: "" })
    expect(missing.err).toContain("no-such-program is in none of its directories")
    const nowhere = await home.run("run", "--cwd", "/no/such/directory", "--", "true")
    expect(nowhere).toMatchObject({ code: 1, out: "" })
    const nothing = await home.run("run")
    expect(nothing).toMatchObject({ code: 1, out: "" })
    expect((await home.json<Listed>("ls", "--all")).sessions.length).toBe(before)
  })
})
