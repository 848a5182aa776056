import { makeSessionId } from "@holdfast/core"
import { assert, describe, it } from "vitest"
import { takeSettings } from "../src/BridgeSettings.ts"

const good = {
  HOLDFAST_BRIDGE_URL: "http://127.0.0.1:4747/base/",
  HOLDFAST_BRIDGE_TOKEN: "hfs_secret",
  HOLDFAST_BRIDGE_SESSION: makeSessionId(),
  HOLDFAST_BRIDGE_GENERATION: "3",
  HOLDFAST_BRIDGE_DATA: "/data",
  HOLDFAST_WORKSPACE: "/work"
}

describe("the settings of a bridge", () => {
  it("are read, and what is the bridge's own is taken out of the environment", () => {
    const env: Record<string, string> = { ...good, PATH: "/bin" }
    assert.deepInclude(takeSettings(env), {
      way: { dial: { kind: "url", url: "http://127.0.0.1:4747/base" } },
      token: "hfs_secret",
      generation: 3,
      data: "/data",
      workspace: "/work",
      lifetimeMs: 86_400_000,
      logBytes: 268_435_456
    })
    assert.deepStrictEqual(env, { PATH: "/bin", HOLDFAST_WORKSPACE: "/work" })
  })

  it("keep no token in the environment where they cannot be used, either", () => {
    const env: Record<string, string> = { ...good, HOLDFAST_BRIDGE_DIAL_KEY: "key", HOLDFAST_BRIDGE_SESSION: "none" }
    assert.deepStrictEqual(takeSettings(env), { variable: "HOLDFAST_BRIDGE_SESSION", expected: "the id of a session" })
    assert.notInclude(JSON.stringify(env), "hfs_secret")
    assert.notProperty(env, "HOLDFAST_BRIDGE_DIAL_KEY")
  })

  it("name the variable that is wrong", () => {
    const wrong: ReadonlyArray<readonly [string, string]> = [
      ["HOLDFAST_BRIDGE_URL", ""],
      ["HOLDFAST_BRIDGE_URL", "ws://somewhere"],
      ["HOLDFAST_BRIDGE_URL", "http://user:password@somewhere"],
      ["HOLDFAST_BRIDGE_URL", "http://somewhere?query"],
      ["HOLDFAST_BRIDGE_URL", `unix:/${"long".repeat(40)}`],
      ["HOLDFAST_BRIDGE_TOKEN", ""],
      ["HOLDFAST_BRIDGE_TOKEN", "two words"],
      ["HOLDFAST_BRIDGE_TOKEN", "line\nend"],
      ["HOLDFAST_BRIDGE_SESSION", "42"],
      ["HOLDFAST_BRIDGE_GENERATION", "-1"],
      ["HOLDFAST_BRIDGE_GENERATION", "1.5"],
      ["HOLDFAST_BRIDGE_GENERATION", "one"],
      ["HOLDFAST_BRIDGE_DATA", "relative"],
      ["HOLDFAST_WORKSPACE", "relative"],
      ["HOLDFAST_BRIDGE_LIFETIME_MS", "10"],
      ["HOLDFAST_BRIDGE_LOG_BYTES", "1"],
      ["HOLDFAST_BRIDGE_LISTEN", "localhost"],
      ["HOLDFAST_BRIDGE_LISTEN", "localhost:99999"]
    ]
    for (const [variable, value] of wrong) {
      const taken = takeSettings({ ...good, HOLDFAST_BRIDGE_DIAL_KEY: "key", [variable]: value })
      assert.deepInclude(taken, { variable }, `${variable}=${value}`)
    }
  })

  it("know how to be dialled, which needs a key", () => {
    const listening = (at: string) =>
      takeSettings({ ...good, HOLDFAST_BRIDGE_LISTEN: at, HOLDFAST_BRIDGE_DIAL_KEY: "key" })
    assert.deepInclude(listening("[::1]:0"), { way: { listen: { kind: "tcp", host: "::1", port: 0 }, dialKey: "key" } })
    assert.deepInclude(listening("unix:/run/b"), { way: { listen: { kind: "unix", path: "/run/b" }, dialKey: "key" } })
    assert.deepInclude(takeSettings({ ...good, HOLDFAST_BRIDGE_LISTEN: "0.0.0.0:4750" }), {
      variable: "HOLDFAST_BRIDGE_DIAL_KEY"
    })
  })
})
