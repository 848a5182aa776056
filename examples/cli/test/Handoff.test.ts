import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { Home } from "./support/Home.ts"

let home: Home
beforeAll(async () => {
  home = await Home.make()
})
afterAll(() => home.close())

it("handoff brings a session's workspace to another folder and goes on with its log there, or leaves it where it was", async () => {
  const [here, there] = [join(home.directory, "here"), join(home.directory, "there")]
  mkdirSync(here)
  writeFileSync(join(here, "notes.txt"), "not committed anywhere\n")
  const program = ["sh", "-c", "echo runs in $PWD; exec cat"]
  const { out } = await home.run("run", "--detach", "--cwd", here, "--", ...program)
  const sessionId = out.trim()

  const terminal = await home.run("handoff", sessionId, "--to", "local", "--cwd", there)
  expect(terminal).toMatchObject({ code: 3, out: "" })
  expect(terminal.err).toContain("restart")
  const wrong = await home.run("handoff", sessionId, "--to", "process", "--cwd", there)
  expect(wrong).toMatchObject({ code: 1, out: "" })

  const flags = ["--to", "local", "--cwd", there, "--restart"]
  expect(await home.json("handoff", sessionId, ...flags)).toMatchObject({ sessionId, to: "local", cwd: there })
  expect(readFileSync(join(there, "notes.txt"), "utf8")).toBe("not committed anywhere\n")
  const log = home.start(["log", sessionId, "--follow"])
  await log.printed(`runs in ${here}`)
  await log.printed("session.moved")
  await log.printed(`runs in ${there}`)
  log.child.kill("SIGINT")
  await log.ended
  expect((await home.run("kill", sessionId)).code).toBe(0)
})

it("handoff goes into a sandbox and back, says how far it is, and is called off by Ctrl-C as long as it has not happened", async () => {
  const here = join(home.directory, "to-sandbox")
  mkdirSync(here)
  writeFileSync(join(here, "notes.txt"), "not committed anywhere\n")
  const program = ["sh", "-c", "echo runs in $PWD; cat notes.txt; exec cat"]
  const sessionId = (await home.run("run", "--detach", "--cwd", here, "--", ...program)).out.trim()
  const sandboxes = async () => (await home.json<{ readonly sandboxes: ReadonlyArray<object> }>("sandboxes")).sandboxes
  const toProcess = ["handoff", sessionId, "--to", "process", "--restart"]

  const called = home.start(toProcess)
  await new Promise<void>((resolve) => {
    called.child.stderr!.on("data", (chunk: Buffer) => {
      if (chunk.includes("packing the session")) resolve()
    })
  })
  called.child.kill("SIGINT")
  const ended = await called.ended
  expect(ended).toMatchObject({ code: 130, out: "" })
  expect(ended.err).toMatch(/calling it off[^]*called off; session \S+ stays where it was\n$/)
  expect(await sandboxes()).toEqual([])

  const moved = await home.run(...toProcess)
  expect(moved).toMatchObject({ code: 0 })
  expect(moved.out).toMatch(/^Session \S+ goes on in a process sandbox\n$/)
  expect(moved.err).toMatch(/its workspace is packed[^]*its sandbox is being made/)
  expect(await sandboxes()).toHaveLength(1)
  const back = await home.json("handoff", sessionId, "--to", "local", "--restart")
  expect(back).toMatchObject({ sessionId, to: "local", cwd: here })
  const log = home.start(["log", sessionId, "--follow"])
  await log.printed("runs in /")
  log.child.kill("SIGINT")
  const { out } = await log.ended
  expect(out.match(/session\.moved/g)).toHaveLength(2)
  expect((await home.run("kill", sessionId)).code).toBe(0)
  expect(await sandboxes()).toEqual([])
}, 120_000)

it("handoff says in its help where a session can go, and ends with the code of what is wrong", async () => {
  const help = await home.run("handoff", "--help")
  expect(help.code).toBe(0)
  for (const word of ["--to", "local", "process", "docker", "--cwd", "--image", "--restart"]) {
    expect(help.out).toContain(word)
  }
  expect(await home.run("handoff", "00000000", "--to", "process")).toMatchObject({ code: 2, out: "" })
  expect(await home.run("handoff", "00000000", "--to", "nowhere")).toMatchObject({ code: 1 })
  expect(await home.run("handoff", "00000000", "--to", "process", "--image", "one")).toMatchObject({ code: 1, out: "" })
})
