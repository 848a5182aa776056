import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { connect } from "@holdfast/client"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { WebSocket } from "ws"

const repository = resolve(import.meta.dirname, "../../..")

let folder: string
let child: ChildProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-start-"))
})
afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child?.once("close", resolve))
    signal(child, "SIGKILL")
    await ended
  }
  child = undefined
  rmSync(folder, { recursive: true, force: true })
})

/** As a terminal does: all that was started gets it, npm and its shell as well. */
const signal = ({ pid }: ChildProcess, name: NodeJS.Signals) => process.kill(-pid!, name)

/** What a started server prints. */
interface Started {
  readonly child: ChildProcess
  /** The first match in what is printed, from where the last one ended. */
  readonly printed: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly ended: Promise<number | null>
  readonly errors: () => string
}

/** Starts a server in a process group of its own. */
const start = (command: string, ...args: ReadonlyArray<string>): Started => {
  const env = { ...process.env, HOLDFAST_DATA: folder, HOLDFAST_PORT: "0", HOLDFAST_BRIDGE_LIFETIME_MS: "60000" }
  const started = spawn(command, args, { cwd: repository, env, stdio: "pipe", detached: true })
  child = started
  let output = ""
  let errors = ""
  let look = () => {}
  started.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString()
    look()
  })
  started.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => started.once("close", resolve))
  const printed = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      look = () => {
        const found = pattern.exec(output)
        if (found === null) return
        output = output.slice(found.index + found[0].length)
        look = () => {}
        resolve(found)
      }
      look()
      void ended.then(() => reject(new Error(`it ended before ${pattern} was printed: ${output}${errors}`)))
    })
  return { child: started, printed, ended, errors: () => errors }
}

const link = /(http:\/\/127\.0\.0\.1:\d+)\/#start=([\w-]+)\n/

/** Exchanges a link's token for a cookie, as the page does. */
const enter = async (url: string, token: string) => {
  const answer = await fetch(`${url}/api/v1/auth/start`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify({ token })
  })
  return { status: answer.status, cookie: answer.headers.get("set-cookie")?.split(";")[0] ?? "" }
}

/** A client with a page's cookie. */
const clientOf = (url: string, cookie: string) => {
  const headers = { cookie, origin: url }
  class Socket extends WebSocket {
    constructor(to: string, protocols?: string | Array<string>) {
      super(to, protocols, { headers })
    }
  }
  return connect({
    url,
    fetch: (input, init) =>
      fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } }),
    WebSocket: Socket as never
  })
}

describe("npm start", () => {
  it("serves the page, and lets whoever has its link open a session over HTTP and the socket", async () => {
    const { child, ended, printed } = start("npm", "start")
    const [, url, token] = await printed(link)
    const page = await fetch(`${url}/`)
    expect(await page.text()).toContain('<div id="root">')
    expect((await fetch(`${url}/api/v1/me`)).status).toBe(401)

    const { cookie, status } = await enter(url!, token!)
    expect(status).toBeLessThan(300)
    expect((await enter(url!, token!)).status).toBe(401)
    const client = clientOf(url!, cookie)
    try {
      const session = await client.create({
        backend: "pty",
        spec: { profile: "command", command: "sh", args: ["-c", "echo served; read line; echo got $line"], cwd: folder }
      })
      const seen = await new Promise<string>((resolve) => {
        const terminal = session.terminal()
        let text = ""
        const take = (bytes: Uint8Array) => {
          const before = text
          text += new TextDecoder().decode(bytes)
          if (text.includes("served") && !before.includes("served")) terminal.write("it\r")
        }
        terminal.onReset(({ ansi }) => take(ansi))
        terminal.onData(take)
        terminal.onExit(() => resolve(text))
      })
      expect(seen).toContain("got it")
    } finally {
      await client.close()
    }
    signal(child, "SIGINT")
    await ended
  })

  it("runs sessions in sandboxes too, and leaves none of them when they have ended", async () => {
    const { child, ended, printed } = start("npm", "start", "--", "--sandboxes", "process")
    const [, url, token] = await printed(link)
    const { cookie } = await enter(url!, token!)
    const client = clientOf(url!, cookie)
    try {
      expect((await client.backends()).find(({ name }) => name === "cloud")?.places).toEqual(["process"])
      const inner = { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", "echo from there"] } }
      const session = await client.create({ backend: "cloud", spec: { inner } })
      const events = []
      following: for await (const page of session.events(0)) {
        for (const event of "events" in page ? page.events : []) {
          events.push(event)
          if (event.type === "backend.closed" || event.type === "backend.failed") break following
        }
      }
      expect(events.map(({ type }) => type).filter((type) => type.startsWith("sandbox."))).toEqual([
        "sandbox.pending",
        "sandbox.warming",
        "sandbox.syncing",
        "sandbox.ready",
        "sandbox.stopped"
      ])
      const output = events.flatMap(({ bytes, type }) => (type === "terminal.output" && bytes ? [bytes] : []))
      expect(Buffer.concat(output).toString()).toBe("from there\r\n")
    } finally {
      await client.close()
    }
    expect(readdirSync(join(folder, "sandboxes", "sandboxes"))).toEqual([])
    signal(child, "SIGINT")
    await ended
  })

  it("prints another link for Enter and for SIGUSR2, and ends with 0 by Ctrl-C", async () => {
    const { child, ended, errors, printed } = start(
      process.execPath,
      "--conditions=@holdfast/source",
      "examples/server/src/main.ts"
    )
    const [, url, first] = await printed(link)
    child.stdin?.write("\n")
    const [, , second] = await printed(link)
    child.kill("SIGUSR2")
    const [, , third] = await printed(link)
    expect(new Set([first, second, third]).size).toBe(3)
    for (const token of [first, second, third]) expect((await enter(url!, token!)).status).toBeLessThan(300)
    signal(child, "SIGINT")
    await printed(/Stopping/)
    expect(await ended).toBe(0)
    expect(errors()).toBe("")
  })

  it("lists its options with their variables", async () => {
    const { ended, printed } = start("npm", "start", "--", "--help")
    await printed(/--port/)
    await printed(/HOLDFAST_PORT/)
    expect(await ended).toBe(0)
  })

  it("says what is wrong with its options, and ends with 1", async () => {
    const { ended, errors } = start(
      process.execPath,
      "--conditions=@holdfast/source",
      "examples/server/src/main.ts",
      "--port",
      "70000"
    )
    expect(await ended).toBe(1)
    expect(errors()).toMatch(/^holdfast: .*port/)
  })
})
