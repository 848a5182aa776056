import { execFileSync } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { ptyBackend } from "@holdfast/adapter-pty"
import { makeSessionId } from "@holdfast/core"
import { isAlive, processMarker, tree } from "@holdfast/process"
import { makeHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, Exit, Scope } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { ownerPlace } from "../src/store/StorePath.ts"
import { Home } from "./support/Home.ts"

let home: Home
beforeEach(async () => {
  home = await Home.make()
})
afterEach(() => home.close())

interface Session {
  readonly sessionId: string
  readonly lifecycle: string
  readonly reason: string | null
}
const list = async () => (await home.json<{ readonly sessions: ReadonlyArray<Session> }>("ls")).sessions

const gone = async (pid: number) => {
  while (existsSync(`/proc/${pid}`) && !isZombie(pid)) await new Promise((resolve) => setImmediate(resolve))
}
const isZombie = (pid: number) =>
  execFileSync("sh", ["-c", `ps -o stat= -p ${pid} || true`])
    .toString()
    .startsWith("Z")

describe("the background owner", () => {
  it("is one, however many start it at once, and only its user can reach it", async () => {
    const ids = await Promise.all([1, 2, 3].map(() => home.detached("sh", "-c", "read line")))
    const sessions = await list()
    expect(sessions.map((one) => one.sessionId).toSorted()).toEqual(ids.toSorted())
    expect(new Set(sessions.map((one) => one.lifecycle))).toEqual(new Set(["open"]))
    expect((await home.owner())!.generation).toBe(1)
    const { directory, socket } = ownerPlace(home.store)
    expect([directory, socket, home.store].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600, 0o600])
  })

  it("ends by itself when no session lives and nobody is connected", async () => {
    await home.recorded("true")
    const { pid } = (await home.owner())!
    await gone(pid)
    expect((await home.owner())!.released).toBe(true)
    expect(existsSync(ownerPlace(home.store).socket)).toBe(false)
  })

  it("may be killed: whoever is attached is told, nothing stays live, orphans are ended, and run works again", async () => {
    const terminal = home.terminal(["run", "--", "sh", "-c", "(trap '' HUP; exec sleep 600) & echo ready; read line"])
    await terminal.shows("ready")
    const [session] = await list()
    const marker = processMarker(session!.sessionId, 1)
    expect((await Effect.runPromise(tree({ marker }))).length).toBeGreaterThan(0)

    process.kill((await home.owner())!.pid, "SIGKILL")
    await terminal.shows("the background process that owned")
    expect(await terminal.exited).toBe(4)
    // The dead owner's socket is still there; the log says what nobody could change.
    expect(existsSync(ownerPlace(home.store).socket)).toBe(true)
    expect((await list())[0]).toMatchObject({ lifecycle: "open" })
    const doctor = await home.run("doctor")
    expect(doctor.out).toContain("1 session lost its owner; processes ")

    const after = await home.run("run", "--", "echo", "again")
    expect(after).toMatchObject({ code: 0, out: "again\r\n" })
    expect((await list()).find((one) => one.sessionId === session!.sessionId)).toMatchObject({
      lifecycle: "closed",
      reason: "the runtime ended"
    })
    expect(await Effect.runPromise(tree({ marker }))).toEqual([])
  })

  it("closes its sessions when it is told to end, and whoever is attached hears how they ended", async () => {
    const terminal = home.terminal(["run", "--", "sh", "-c", "echo ready; read line"])
    await terminal.shows("ready")
    const owner = (await home.owner())!
    process.kill(owner.pid, "SIGTERM")
    await terminal.shows("has ended: ")
    expect(await terminal.exited).toBeGreaterThan(128)
    await gone(owner.pid)
    expect(await Effect.runPromise(isAlive(owner))).toBe(false)
    expect((await list())[0]).toMatchObject({ lifecycle: "closed" })
  })
})

describe("a log that another program owns", () => {
  it("can be listed, read, followed, looked at and replayed, and says who owns it where that is not enough", async () => {
    const scope = Scope.makeUnsafe()
    const sessionId = makeSessionId()
    await Effect.runPromise(
      Effect.gen(function* () {
        const log = yield* SqliteEventLog.open({ path: home.store })
        const holdfast = yield* makeHoldfast(log, { backends: [ptyBackend()] })
        const spec = { profile: "command", command: "sh", args: ["-c", "echo from elsewhere; read line"] }
        yield* holdfast.create({ backend: "pty", spec, sessionId, title: "theirs" })
        yield* holdfast.until(sessionId, (state) => (state.terminal?.offset ?? 0) > 0)
      }).pipe(Scope.provide(scope))
    )
    try {
      expect((await list())[0]).toMatchObject({ sessionId, lifecycle: "open" })
      expect((await home.run("log", sessionId)).out).toContain(`"from elsewhere"`)
      expect((await home.run("screen", sessionId)).out).toBe("from elsewhere\n")
      expect((await home.run("replay", sessionId)).out).toBe("from elsewhere\r\n")
      const follower = home.start(["log", sessionId, "--follow"])
      await follower.printed("from elsewhere")
      const viewer = home.terminal(["attach", "--read-only", sessionId])
      await viewer.shows("from elsewhere")
      viewer.type("\u001c")
      expect(await viewer.exited).toBe(0)

      const refused = await home.run("kill", sessionId)
      expect(refused).toMatchObject({ code: 4, out: "" })
      expect(refused.err).toContain(`process ${process.pid} owns it`)
      expect((await home.run("doctor")).out).toContain(`process ${process.pid} owns the log and does not listen`)
      follower.child.kill("SIGINT")
      expect((await follower.ended).code).toBe(130)
    } finally {
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  })
})
