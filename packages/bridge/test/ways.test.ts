/** The ways between a bridge and its control plane: TCP, a unix socket, and being dialled. */
import { bridgePath, bridgeSubprotocol } from "@holdfast/core/cloud"
import { connect } from "node:net"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { execFileSync, spawnSync } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { WebSocket } from "ws"
import { bridgeFile } from "./support/bridgeFile.ts"
import { bridgeIt } from "./support/bridgeTest.ts"
import { opening } from "./support/opening.ts"

/** Dials a bridge; the socket and what the bridge showed, or the status with which it refused. */
const dial = (
  at: { readonly port: number } | { readonly path: string },
  key: string | undefined,
  protocols: ReadonlyArray<string> = [bridgeSubprotocol],
  path = bridgePath
) =>
  new Promise<{ socket: WebSocket; token: string | undefined } | number>((resolve, reject) => {
    const socket = new WebSocket(`ws://localhost${path}`, [...protocols], {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      createConnection: () => ("port" in at ? connect(at.port, "127.0.0.1") : connect(at.path))
    })
    let token: string | undefined
    socket.once("upgrade", (response) => {
      token = response.headers["holdfast-sandbox-token"] as string | undefined
    })
    socket.once("open", () => {
      // The greeting may come in the same packet as the upgrade: it waits until somebody listens.
      socket.pause()
      resolve({ socket, token })
    })
    socket.once("unexpected-response", (_request, { statusCode }) => {
      resolve(statusCode!)
      socket.terminate()
    })
    socket.on("error", reject)
  })

const listeningPort = (said: string) => Number(/listening at 127\.0\.0\.1:(\d+)/.exec(said)?.[1])

describe("a bridge", () => {
  bridgeIt("dials a unix socket", async ({ control, house }) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-bridge-socket-"))
    try {
      const plane = await control({ socket: `unix:${join(folder, "control plane:1.sock")}` })
      const made = await house({ HOLDFAST_BRIDGE_URL: plane.url })
      made.start()
      await plane.waitUntil("it greets", () => plane.hellos.length === 1)
      assert.deepInclude(await plane.command(opening(1)), { type: "performed" })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  bridgeIt(
    "is dialled by who has the key, shows its token to nobody else, and works for the newest",
    async ({ control, house }) => {
      const plane = await control()
      const made = await house({ HOLDFAST_BRIDGE_LISTEN: "127.0.0.1:0", HOLDFAST_BRIDGE_DIAL_KEY: "the-key" })
      const bridge = made.start()
      await bridge.says("listening at")
      const at = { port: listeningPort(bridge.said()) }
      assert.strictEqual(await dial(at, undefined), 401)
      assert.strictEqual(await dial(at, "another-key"), 401)
      assert.strictEqual(await dial(at, "hfs_token"), 401)
      assert.strictEqual(await dial(at, "the-key", [bridgeSubprotocol], "/elsewhere"), 404)
      assert.strictEqual(await dial(at, "the-key", ["holdfast.bridge.v2"]), 426)

      const first = await dial(at, "the-key")
      assert(typeof first === "object")
      assert.strictEqual(first.token, "hfs_token")
      plane.accept(first.socket)
      await plane.waitUntil("it greets", () => plane.hellos.length === 1)
      assert.deepInclude(await plane.command(opening(1)), { type: "performed" })

      const second = await dial(at, "the-key")
      assert(typeof second === "object")
      plane.accept(second.socket)
      await plane.waitUntil("it greets again", () => plane.hellos.length === 2)
      await plane.waitUntil("the first is let go", () => plane.closes.length === 1)
      assert.strictEqual(plane.closes[0]!.code, 4409)
      assert.deepInclude(plane.hellos[1], { open: 1, commands: 1 })
      await plane.type("echo st''ill\r")
      await plane.waitUntil("it works", () => plane.output().includes("still"))

      second.socket.close(4410, "the session is over")
      assert.deepStrictEqual(await bridge.exited, { code: 0, signal: null })
      assert.notInclude(bridge.said(), "the-key")
    }
  )

  bridgeIt("listens on a unix socket, also where a dead bridge has left its own", async ({ control, house }) => {
    const plane = await control()
    const made = await house({ HOLDFAST_BRIDGE_DIAL_KEY: "the-key" })
    const path = join(made.folder, "bridge.sock")
    for (const round of [1, 2]) {
      const bridge = made.start({ HOLDFAST_BRIDGE_LISTEN: `unix:${path}` })
      await bridge.says("listening at")
      const dialled = await dial({ path }, "the-key")
      assert(typeof dialled === "object")
      plane.accept(dialled.socket)
      await plane.waitUntil("it greets", () => plane.hellos.length === round)
      bridge.kill("SIGKILL")
      await bridge.exited
    }
  })

  bridgeIt("says where it cannot listen", async ({ house }) => {
    const made = await house({ HOLDFAST_BRIDGE_LISTEN: "unix:/does/not/exist/socket", HOLDFAST_BRIDGE_DIAL_KEY: "k" })
    const bridge = made.start()
    assert.deepStrictEqual(await bridge.exited, { code: 69, signal: null })
    assert.include(bridge.said(), "cannot listen")
  })
})

describe("the built program", () => {
  it("is one file, which tells its version and its settings", async () => {
    const program = await bridgeFile()
    const run = (...args: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env: {} })
    assert.match(run("--version").stdout, /^\d+\.\d+\.\d+\n$/)
    assert.include(run("--help").stdout, "HOLDFAST_BRIDGE_URL")
    assert.deepInclude(run("--something"), { status: 64 })
    assert.deepStrictEqual(readdirSync(join(program, "..")), ["holdfast-bridge.mjs"])
    assert.include(execFileSync("head", ["-c", "20", program], { encoding: "utf8" }), "#!/usr/bin/env node")
  })
})
