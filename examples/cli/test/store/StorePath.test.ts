import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makePlace, ownerPlace, placeProblem, storePath } from "../../src/store/StorePath.ts"

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "holdfast-path-"))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

describe("where the log is", () => {
  it("is what was asked for, then HOLDFAST_STORE, then below the user's state", () => {
    expect(storePath("/a/b.db", { HOLDFAST_STORE: "/c.db" })).toBe("/a/b.db")
    expect(storePath(undefined, { HOLDFAST_STORE: "/c.db", XDG_STATE_HOME: "/s" })).toBe("/c.db")
    expect(storePath(undefined, { HOLDFAST_STORE: "", XDG_STATE_HOME: "/s" })).toBe("/s/holdfast/holdfast.db")
    expect(storePath(undefined, {})).toBe(join(homedir(), ".local/state/holdfast/holdfast.db"))
  })
})

describe("where its owner listens", () => {
  it("is one place, by whatever name the log is called", () => {
    mkdirSync(join(home, "real"))
    symlinkSync(join(home, "real"), join(home, "link"))
    expect(ownerPlace(join(home, "link", "h.db"))).toEqual(ownerPlace(join(home, "real", "h.db")))
    writeFileSync(join(home, "real", "h.db"), "")
    symlinkSync(join(home, "real", "h.db"), join(home, "other.db"))
    expect(ownerPlace(join(home, "other.db"))).toEqual(ownerPlace(join(home, "real", "h.db")))
  })

  it("is short enough for every system, however long the log's path", () => {
    const long = join(home, "d".repeat(100), "e".repeat(100), "h.db")
    expect(Buffer.byteLength(ownerPlace(long).socket)).toBeLessThanOrEqual(103)
    expect(ownerPlace(long)).not.toEqual(ownerPlace(`${long}2`))
  })

  it("and the log are made for their user alone", () => {
    const store = join(home, "state", "holdfast", "h.db")
    const place = makePlace(store)
    const modes = [store, join(home, "state", "holdfast"), place.directory].map((path) => statSync(path).mode & 0o777)
    expect(modes).toEqual([0o600, 0o700, 0o700])
    expect(placeProblem(place)).toBeUndefined()
  })

  it("is refused where others could get at it", () => {
    const place = makePlace(join(home, "h.db"))
    chmodSync(place.directory, 0o755)
    expect(placeProblem(place)).toContain("chmod 700")
  })
})
