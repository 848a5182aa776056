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
