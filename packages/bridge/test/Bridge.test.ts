/** The built bridge with a control plane: what is opened, told, refused and ended. */
import { promises } from "@holdfast/process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "vitest"
import { bridgeIt } from "./support/bridgeTest.ts"
import { opening } from "./support/opening.ts"

const left = (sessionId: string, generation: number) => promises.tree({ marker: `${sessionId}:${generation}` })

describe("a bridge", () => {
  bridgeIt("runs a terminal, takes keystrokes, and tells its bytes and its end", async ({ begin }) => {
    const { control } = await begin()
    const opened = await control.command(opening(1, {}, { size: { cols: 100, rows: 30 } }))
    assert.deepInclude(opened, { type: "performed" })
    assert.deepNestedInclude(opened, { "result.opened.size": { cols: 100, rows: 30 } })
    assert.deepStrictEqual(await control.type("echo a$((40 + 2)) $COLUMNS\rexit 3\r"), { type: "typed" })
    await control.waitUntil("it ends", () => control.events.at(-1)?.type === "backend.closed")
    assert.include(control.output().toString(), "a42 100")
    assert.deepInclude(control.events.at(-1), { data: { reason: "exited with code 3", exitCode: 3, signal: null } })
  })

  bridgeIt("runs a full-screen program to its end", async ({ begin }) => {
    const { control, house } = await begin()
    await control.command(opening(1, { profile: "command", command: "vim", args: ["-u", "NONE", "note"] }))
    await control.waitUntil("vim draws", () => control.output().includes("note"))
    await control.type("ihello from vim\x1b:wq\r")
    await control.waitUntil("it ends", () => control.events.at(-1)?.type === "backend.closed")
    assert.strictEqual(readFileSync(join(house.workspace, "note"), "utf8"), "hello from vim\n")
  })

  bridgeIt("resizes, signals and closes as it is asked", async ({ begin }) => {
    const { control } = await begin()
    await control.command(opening(1))
    await control.perform({ type: "resize", cols: 77, rows: 20 }, 5)
    await control.type("stty size\r")
    await control.waitUntil("the size is told", () => control.output().includes("20 77"))
    assert.deepInclude(await control.perform({ type: "signal", signal: "SIGNONE" }), {
      failure: { kind: "refused", reason: "SIGNONE is no signal of this system", retryable: false }
    })
    await control.perform({ type: "close", force: false, graceMs: 1_000 }, 9)
    await control.waitUntil("it ends", () => control.events.at(-1)?.type === "backend.closed")
    control.connection()!.terminate()
    await control.waitUntil("it greets again", () => control.hellos.length === 2)
    assert.deepInclude(control.hellos[1], { open: null, taken: [5, 9], last: control.mirrored() })
  })

  bridgeIt("names the bad field of a spec, and the backends where there is none of the name", async ({ begin }) => {
    const { control } = await begin()
    assert.deepNestedInclude(await control.command(opening(1, { cwd: "/does/not/exist" })), {
      "failure.kind": "invalid",
      "failure.field": "cwd"
    })
    assert.deepNestedInclude(await control.command(opening(2, {}, { backend: "other" })), {
      "failure.kind": "invalid",
      "failure.field": "backend",
      "failure.reason": "one of pty, codex, opencode"
    })
    assert.deepInclude(await control.perform({ type: "resize", cols: 80, rows: 24 }), {
      failure: { kind: "lost", reason: "no inner backend is open", retryable: true }
    })
    assert.deepInclude(await control.command(opening(3)), { type: "performed" })
  })

  bridgeIt("shows nothing of its own settings to what it runs", async ({ begin }) => {
    const { control } = await begin()
    const pass = ["HOLDFAST_BRIDGE_TOKEN", "HOLDFAST_BRIDGE_SESSION"]
    await control.command(opening(1, { env: { pass, values: {} } }))
    await control.type('echo "token=[$HOLDFAST_BRIDGE_TOKEN] session=[$HOLDFAST_BRIDGE_SESSION]" end\r')
    await control.waitUntil("it is told", () => /session=\[[0-9a-f-]*\] end/.test(control.output().toString()))
    assert.include(control.output().toString(), "token=[] session=[] end")
  })

  bridgeIt("ends one generation for the next, and tells nothing of it any more", async ({ begin }) => {
    const { control, house } = await begin()
    await control.command(opening(1))
    await control.type("trap '' HUP TERM; (trap '' HUP TERM; sleep 1000) & while :; do echo noise; done\r")
    await control.waitUntil("it makes noise", () => control.output().includes("noise\r\nnoise"))
    assert.deepInclude(await control.command(opening(2)), { type: "performed" })
    assert.deepStrictEqual(await left(house.sessionId, 1), [])
    await control.type("echo sec''ond\r")
    await control.waitUntil("the second speaks", () => control.output().includes("second"))
    const from = control.events.findIndex(({ generation }) => generation === 2)
    assert.isTrue(control.events.slice(from).every(({ generation }) => generation === 2))

    assert.deepInclude(await control.command({ do: "end", generation: 1 }), { type: "performed" })
    assert.isNotEmpty(await left(house.sessionId, 2))
    assert.deepInclude(await control.command({ do: "end", generation: 2 }), { type: "performed" })
    assert.deepStrictEqual(await left(house.sessionId, 2), [])
    assert.notInclude(
      control.events.map(({ type }) => type),
      "backend.closed"
    )
  })

  bridgeIt("is told that the session is gone, before or after it was let in, and leaves nothing", async ({ begin }) => {
    for (const how of ["status", "code"] as const) {
      let refused: number | undefined
      const { bridge, control, house } = await begin({ refuse: () => refused })
      await control.command(opening(1))
      refused = 410
      if (how === "status") control.connection()!.terminate()
      else control.connection()!.close(4410, "the session is over")
      assert.deepStrictEqual(await bridge.exited, { code: 0, signal: null })
      assert.deepStrictEqual(await left(house.sessionId, 1), [])
      assert.strictEqual(control.openedCount(), 1)
    }
  })

  bridgeIt("dials on where it is not let in for now, and where nobody listens", async ({ control, house }) => {
    const answers = [401, 503, 500]
    const plane = await control({ refuse: () => answers.shift() })
    const made = await house({ HOLDFAST_BRIDGE_URL: plane.url })
    const bridge = made.start()
    await plane.waitUntil("it is let in", () => plane.hellos.length === 1)
    assert.deepStrictEqual(plane.refusals, [401, 503, 500])
    assert.include(bridge.said(), "HTTP 401")
    assert.notInclude(bridge.said(), "hfs_token")
  })

  bridgeIt("gives up once it was alone for its lifetime", async ({ control, house }) => {
    const plane = await control({ refuse: () => 503 })
    const made = await house({ HOLDFAST_BRIDGE_URL: plane.url, HOLDFAST_BRIDGE_LIFETIME_MS: "1000" })
    assert.deepStrictEqual(await made.start().exited, { code: 4, signal: null })
  })

  bridgeIt("stops for good where another version is spoken, and over a quota", async ({ begin, control, house }) => {
    const newer = await control({ protocol: 2 })
    const made = await house({ HOLDFAST_BRIDGE_URL: newer.url })
    const bridge = made.start()
    assert.deepStrictEqual(await bridge.exited, { code: 3, signal: null })
    assert.strictEqual(newer.closes[0]?.code, 4426)

    const second = await begin()
    second.control.connection()!.close(4429, "too much")
    assert.deepStrictEqual(await second.bridge.exited, { code: 3, signal: null })
    assert.include(second.bridge.said(), "too much")
  })

  bridgeIt("closes on what is not the protocol's, and greets again", async ({ begin }) => {
    const { control } = await begin()
    const wrong: ReadonlyArray<string | Uint8Array> = [
      "no json",
      JSON.stringify({ type: "command", id: 0, command: { do: "thaw" } }),
      JSON.stringify({ type: "ack", through: 1_000_000 }),
      new Uint8Array([99, 1, 2, 3]),
      new Uint8Array([16, 1])
    ]
    for (const [index, frame] of wrong.entries()) {
      control.connection()!.send(frame)
      await control.waitUntil("it closes", () => control.closes.length === index + 1)
      assert.strictEqual(control.closes[index]!.code, 4400)
      await control.waitUntil("it greets again", () => control.hellos.length === index + 2)
    }
    assert.deepInclude(await control.command(opening(1)), { type: "performed" })
  })

  bridgeIt("notices a control plane that has fallen silent", async ({ begin }) => {
    const { control } = await begin({ heartbeatMs: 100 })
    control.connection()!.pause()
    await control.waitUntil("it greets again", () => control.hellos.length === 2)
    await control.waitUntil("it beats", () => control.messages.filter(({ type }) => type === "heartbeat").length > 2)
    const beat = control.messages.findLast(({ type }) => type === "heartbeat")
    assert.nestedProperty(beat, "disk.free")
  })

  bridgeIt("shuts down politely when it is told to", async ({ begin }) => {
    const { bridge, control, house } = await begin()
    await control.command(
      opening(1, {
        profile: "command",
        command: "sh",
        args: ["-c", "trap 'echo bye; exit 7' HUP; echo up; while :; do sleep 0.05; done"]
      })
    )
    await control.waitUntil("it is up", () => control.output().includes("up"))
    assert.deepInclude(await control.command({ do: "shutdown", graceMs: 5_000 }), { type: "performed" })
    assert.deepStrictEqual(await bridge.exited, { code: 0, signal: null })
    assert.include(control.output().toString(), "bye")
    assert.deepNestedInclude(control.events.at(-1), { type: "backend.closed", "data.exitCode": 7 })
    assert.deepStrictEqual(await left(house.sessionId, 1), [])
  })

  bridgeIt("asked by the system to end, tells a loss that can be opened again", async ({ begin }) => {
    const { bridge, control, house } = await begin()
    await control.command(opening(1))
    bridge.kill("SIGTERM")
    assert.deepStrictEqual(await bridge.exited, { code: 0, signal: null })
    assert.deepInclude(control.events.at(-1), {
      type: "backend.lost",
      data: { reason: "the sandbox is being stopped", retryable: true }
    })
    assert.deepStrictEqual(await left(house.sessionId, 1), [])
  })

  bridgeIt("gives only one bridge the folder of a log", async ({ begin }) => {
    const { house } = await begin()
    const second = house.start()
    assert.deepStrictEqual(await second.exited, { code: 73, signal: null })
    assert.include(second.said(), "in use by another bridge")
  })

  bridgeIt("says which setting is wrong", async ({ house }) => {
    const made = await house({ HOLDFAST_BRIDGE_URL: "ftp://somewhere" })
    const bridge = made.start()
    assert.deepStrictEqual(await bridge.exited, { code: 64, signal: null })
    assert.match(bridge.said(), /HOLDFAST_BRIDGE_URL is not valid: expected an http/)
    assert.isFalse(existsSync(made.data))
  })
})
