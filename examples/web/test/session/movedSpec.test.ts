import { noCapabilities } from "@holdfast/core"
import { describe, expect, it } from "vitest"
import { isRestarted, movedTo, movePlaces } from "../../src/session/movedSpec.ts"

const here = { sandbox: null, capabilities: { ...noCapabilities, prompts: true } }
const codex = { ...here, backend: "codex", spec: { cwd: "/home/anna/app", model: "m1", env: { A: "b" } } }
const inDocker = {
  ...here,
  backend: "cloud",
  spec: {
    provider: "docker",
    inner: { backend: "codex", spec: { model: "m1" } },
    workspace: { repository: "https://git.example.org/a.git" }
  }
}
const offered = (...names: ReadonlyArray<string>) =>
  names.map((name) => ({
    name,
    capabilities: noCapabilities,
    ...(name === "cloud" ? { places: ["docker", "process"] } : {})
  }))

describe("where a session can go", () => {
  it("is each kind of sandbox and another folder, for one of this machine", () => {
    expect(movePlaces(codex, offered("codex", "cloud"))).toEqual([
      { place: "docker", isOwn: false },
      { place: "process", isOwn: false },
      { place: "here", isOwn: true }
    ])
  })

  it("is another kind of sandbox and this machine, for one in a sandbox", () => {
    expect(movePlaces(inDocker, offered("codex", "cloud"))).toEqual([
      { place: "process", isOwn: false },
      { place: "here", isOwn: false }
    ])
  })

  it("is nowhere that its program is not", () => {
    expect(movePlaces(inDocker, offered("opencode"))).toEqual([])
    expect(movePlaces({ ...codex, backend: "something" }, offered("codex", "cloud"))).toEqual([])
  })
})

describe("what is asked for", () => {
  it("takes along what the program is, and nothing of the place where it was", () => {
    expect(movedTo(codex, "docker", "")).toEqual({
      backend: "cloud",
      spec: { provider: "docker", inner: { backend: "codex", spec: { model: "m1" } } }
    })
    expect(movedTo(inDocker, "here", " /home/anna/app ")).toEqual({
      backend: "codex",
      spec: { model: "m1", cwd: "/home/anna/app" }
    })
  })

  it("starts what runs in a terminal anew, also one that was never open", () => {
    const shell = { ...here, backend: "pty", spec: { profile: "shell", cwd: "/" }, capabilities: null }
    expect(isRestarted(shell)).toBe(true)
    expect(movedTo(shell, "process", "")).toMatchObject({ restart: true })
    expect(isRestarted(codex)).toBe(false)
    expect(isRestarted({ ...inDocker, capabilities: null })).toBe(false)
  })
})
