import type { Lifecycle } from "@holdfast/core"
import { describe, expect, it } from "vitest"
import { isWorthSaying, sandboxWords } from "../../src/session/sandboxWords.ts"

const words = (condition: string | null, lifecycle: Lifecycle, restored = false) =>
  sandboxWords(condition, lifecycle, restored).words

describe("what is said of a sandbox", () => {
  it("says how far a start is, and that it goes on from a snapshot", () => {
    expect([
      words(null, "created"),
      words(null, "opening"),
      words("pending", "opening"),
      words("warming", "opening"),
      words("syncing", "opening"),
      words("ready", "open"),
      words(null, "open")
    ]).toEqual([
      "not started",
      "waiting to start",
      "waiting to start",
      "starting",
      "preparing the workspace",
      "ready",
      "ready"
    ])
    expect(
      (["pending", "warming", "syncing", "running"] as const).map((condition) => words(condition, "opening", true))
    ).toEqual(["waking", "waking", "waking", "ready, restored"])
  })

  it("tells falling asleep from sleeping, and both from a snapshot that is taken while it works", () => {
    expect(words("snapshotted", "suspending")).toBe("falling asleep")
    expect(words("snapshotted", "suspended")).toBe("asleep")
    expect(words("snapshotted", "open")).toBe("ready")
  })

  it("never leaves a start standing behind a session that failed or has ended", () => {
    for (const condition of ["pending", "warming", "syncing", "failed"]) {
      expect(sandboxWords(condition, "failed")).toEqual({ look: "failed", words: "failed" })
    }
    expect(words("syncing", "closed")).toBe("stopped")
    expect(words("failed", "closed")).toBe("failed")
    expect(words("ready", "failed")).toBe("stopped")
  })

  it("stands in a list only where it is not what one expects", () => {
    expect(isWorthSaying("ready", "open")).toBe(false)
    expect(isWorthSaying("ready", "closed")).toBe(false)
    expect(isWorthSaying("stale", "open")).toBe(true)
    expect(isWorthSaying("syncing", "opening")).toBe(true)
  })
})
