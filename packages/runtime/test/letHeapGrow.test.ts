import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A host whose terminal prints 100 MB twice, which is followed; prints how often the whole heap was collected the second time. */
const program = `
import { ptyBackend } from "@holdfast/adapter-pty"
import { createHoldfast, letHeapGrow } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { constants, PerformanceObserver } from "node:perf_hooks"
if (process.argv[1] === "grow") letHeapGrow()
let collections = 0
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++
}).observe({ entryTypes: ["gc"] })
const store = SqliteEventLog.layer({ path: process.argv[2] })
const holdfast = await createHoldfast({ store, backends: [ptyBackend()] })
const args = ["-c", "head -c 100000000 /dev/zero | tr '\\\\0' x"]
for (let round = 0; round < 2; round++) {
  collections = 0
  const { sessionId } = await holdfast.create({ backend: "pty", spec: { profile: "command", command: "sh", args } })
  following: for await (const page of holdfast.follow(sessionId, 0)) {
    if (!("events" in page)) continue
    for (const { type } of page.events) if (type === "backend.closed") break following
  }
}
await holdfast.close()
console.log(collections)
`

const collections = (how: "grow" | "plain"): number => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-heap-"))
  try {
    return Number(
      execFileSync(
        process.execPath,
        ["--conditions=@holdfast/source", "--input-type=module", "--eval", program, how, join(folder, "log.db")],
        { cwd: import.meta.dirname, encoding: "utf8", timeout: 60_000 }
      )
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("letHeapGrow", () => {
  it("has the whole heap collected at most half as often in a flood", () => {
    const [plain, grown] = [collections("plain"), collections("grow")]
    // Mostly some 17 and 4; fewer where the young generation happened to stay small.
    assert.isAtMost(grown, Math.max(plain / 2, 8))
  })
})
