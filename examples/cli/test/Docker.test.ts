/** The command, and the example server, with sandboxes that are containers of a real engine. */
import { type ContainerEngine, makeContainerEngine } from "@holdfast/testkit"
import { connect } from "@holdfast/client"
import { Effect, Exit, Scope } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { Home } from "./support/Home.ts"

const scope = Scope.makeUnsafe()
let engine: ContainerEngine
let home: Home
beforeAll(async () => {
  engine = await Effect.runPromise(Scope.provide(makeContainerEngine, scope))
  home = await Home.make({ DOCKER_HOST: `unix://${engine.socketPath}` })
})
afterAll(async () => {
  await home?.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

interface Sandbox {
  readonly sandboxId: string
  readonly provider: string
  readonly condition: string
  readonly sessionId: string
  readonly owned: boolean
}
const sandboxes = async () => (await home.json<{ readonly sandboxes: ReadonlyArray<Sandbox> }>("sandboxes")).sandboxes

/** A sh that is not root, and says where it is. */
const where = 'echo "in $PWD as $(id -un)"'

/** Each starts containers several times, one after the other. */
const timeout = 120_000

describe("With a container engine", { timeout }, () => {
  it("builds the image from this machine's programs, of which doctor then says that sandboxes can be made", async () => {
    const without = await home.run("run", "--cloud", "docker", "--", "true")
    expect(without).toMatchObject({ code: 4, out: "" })
    expect(without.err).toContain("there can be no docker sandbox")
    expect(await home.json("sandboxes", "build", "--local")).toEqual({ image: "holdfast/sandbox" })
    expect((await home.run("doctor")).out).toContain("docker sandboxes: ")
  })

  it("runs a program in a container, which is gone with its session", async () => {
    const ran = await home.run("run", "--cloud", "docker", "--", "sh", "-c", `${where}; exit 4`)
    expect(ran.err).toContain("holdfast: starting a docker sandbox")
    expect(ran).toMatchObject({ code: 4, out: "in /workspace as holdfast\r\n" })
    expect(await sandboxes()).toEqual([])
    expect(await Effect.runPromise(engine.containers)).toEqual([])
  })

  it("lists a container that goes on, keeps it from being stopped under its session, and ends both", async () => {
    const { code, out } = await home.run("run", "--cloud", "docker", "--detach", "--", "sh", "-c", "exec sleep 1000")
    expect(code).toBe(0)
    const sessionId = out.trim()
    const log = home.start(["log", sessionId, "--follow", "--json"])
    await log.printed('"type":"process.spawned"')
    log.child.kill("SIGINT")
    await log.ended
    const [sandbox, ...more] = await sandboxes()
    expect(sandbox).toMatchObject({ provider: "docker", condition: "running", owned: true })
    expect(sandbox!.sessionId.startsWith(sessionId)).toBe(true)
    expect(more).toEqual([])
    expect((await home.run("sandboxes")).out).toMatch(/\n\w{12,} +docker +running +\w+ +\w+ +sh -c/)
    const refused = await home.run("sandboxes", "stop", sandbox!.sandboxId)
    expect(refused).toMatchObject({ code: 3, out: "" })
    expect((await home.run("kill", sessionId)).code).toBe(0)
    expect(await sandboxes()).toEqual([])
  })

  it("serves containers from the example server, by a socket in a folder that only its user can enter", async () => {
    const data = mkdtempSync(join(tmpdir(), "holdfast-containers-"))
    const server = spawn(
      process.execPath,
      ["--conditions=@holdfast/source", "examples/server/src/main.ts", "--sandboxes", "docker"],
      {
        cwd: resolve(import.meta.dirname, "../../.."),
        env: { ...home.env, HOLDFAST_DATA: data, HOLDFAST_PORT: "0" },
        stdio: ["ignore", "pipe", "inherit"]
      }
    )
    const ended = new Promise((done) => server.once("close", done))
    onTestFinished(() => void server.kill("SIGKILL"))
    try {
      const link = /(http:\/\/127\.0\.0\.1:\d+)\/#start=([\w-]+)/
      let found: RegExpExecArray | null = null
      for await (const line of createInterface({ input: server.stdout })) {
        found = link.exec(line)
        if (found !== null) break
      }
      const [, url, token] = found!
      expect(statSync(join(data, "bridges")).mode & 0o777).toBe(0o700)
      expect(statSync(join(data, "bridges", "open")).mode & 0o777).toBe(0o755)
      expect(statSync(join(data, "bridges", "open", "socket")).mode & 0o777).toBe(0o666)
      const entered = await fetch(`${url}/api/v1/auth/start`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: url! },
        body: JSON.stringify({ token })
      })
      const headers = { cookie: entered.headers.get("set-cookie")!.split(";")[0]!, origin: url! }
      class Socket extends WebSocket {
        constructor(to: string, protocols?: string | Array<string>) {
          super(to, protocols, { headers })
        }
      }
      const client = connect({
        url: url!,
        WebSocket: Socket as never,
        fetch: (input, init) =>
          fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } })
      })
      try {
        const inner = { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", where] } }
        const session = await client.create({ backend: "cloud", spec: { provider: "docker", inner } })
        const said: Array<Uint8Array> = []
        following: for await (const page of session.events(0)) {
          for (const event of "events" in page ? page.events : []) {
            if (event.type === "terminal.output") said.push(event.bytes!)
            if (event.type === "backend.closed" || event.type === "backend.failed") break following
          }
        }
        expect(Buffer.concat(said).toString()).toBe("in /workspace as holdfast\r\n")
      } finally {
        await client.close()
      }
      expect(await Effect.runPromise(engine.containers)).toEqual([])
    } finally {
      server.kill("SIGINT")
      await ended
      rmSync(data, { recursive: true, force: true })
    }
  })
})
