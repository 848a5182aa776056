/** The built bridge with a control plane: opening, typing, telling, ending. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { type BridgeHouse, builtBridge, openBridgeHouse } from "./support/BridgeProcess.ts"
import { type ControlPlane, openControlPlane } from "./support/ControlPlane.ts"
import { opening } from "./support/opening.ts"

describe("a bridge", () => {
  let house: BridgeHouse
  let control: ControlPlane
  beforeAll(async () => void (await builtBridge()))
  const begin = async (options: Parameters<typeof openControlPlane>[0] = {}, env: Record<string, string> = {}) => {
    control = await openControlPlane({ token: "hfs_token", ...options })
    house = await openBridgeHouse({ HOLDFAST_BRIDGE_URL: control.url, ...env })
    return house.start()
  }
  afterEach(async () => {
    await house.close()
    await control.close()
    assert.deepStrictEqual(control.problems, [])
  })
  afterAll(() => undefined)

  it("runs a terminal, takes keystrokes, and tells its bytes and its end", async () => {
    await begin()
    await control.waitUntil("it greets", () => control.hellos.length === 1)
    const opened = await control.command(opening(1))
    assert.strictEqual(opened.type, "performed")
    assert.deepStrictEqual(await control.type("echo a$((40 + 2))\rexit 3\r"), { type: "typed" })
    await control.waitUntil("it ends", () => control.events.at(-1)?.type === "backend.closed")
    assert.include(control.output().toString(), "a42")
    assert.deepInclude(control.events.at(-1), { data: { reason: "exited with code 3", exitCode: 3, signal: null } })
  })
})
