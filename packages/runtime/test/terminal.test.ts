import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ptyBackend } from "@holdfast/adapter-pty"
import { createHoldfast, type PlainHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { describe, expect, it } from "vitest"
import { isClosed, isOpen } from "./fixtures.ts"

const inRuntime = async (use: (holdfast: PlainHoldfast) => Promise<void>) => {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-terminal-"))
  const holdfast = await createHoldfast({
    store: SqliteEventLog.layer({ path: join(directory, "log.db") }),
    backends: [ptyBackend()],
    snapshots: { quietMs: 10 }
  })
  try {
    await use(holdfast)
  } finally {
    await holdfast.close()
    await rm(directory, { recursive: true, force: true })
  }
}

const run = async (holdfast: PlainHoldfast, script: string) => {
  const spec = { profile: "command", command: "bash", args: ["-c", script] }
  return (await holdfast.create({ backend: "pty", spec })).sessionId
}

describe("a real program in a real terminal", { timeout: 60_000 }, () => {
  it("is recorded byte for byte, however fast it writes and ends", () =>
    inRuntime(async (holdfast) => {
      const lines = 60_000
      const sessionId = await run(holdfast, `seq 1 ${lines}`)
      await holdfast.until(sessionId, isClosed)
      const chunks: Array<Uint8Array> = []
      for await (const page of holdfast.follow(sessionId, 0)) {
        if (page.answer === "caught-up") break
        if (page.answer === "gap") throw new Error(page.detail)
        for (const event of page.events) if (event.type === "terminal.output") chunks.push(event.bytes!)
      }
      const expected = Array.from({ length: lines }, (_, index) => `${index + 1}\r\n`).join("")
      expect(Buffer.concat(chunks).equals(Buffer.from(expected))).toBe(true)
    }))

  it("ends with its own exit code, also when it lets go of its terminal before", () =>
    inRuntime(async (holdfast) => {
      const sessionId = await run(holdfast, "exec <&- >&- 2>&-; sleep 0.1; exit 7")
      const { end } = await holdfast.until(sessionId, isClosed)
      expect(end).toMatchObject({ exitCode: 7, signal: null })
    }))

  it("shows its screen as it was at any event, and from a stored snapshot once there is much of it", () =>
    inRuntime(async (holdfast) => {
      const sessionId = await run(holdfast, `printf 'first\\n'; read x; seq 1 300000; printf 'last\\n'; read x`)
      await holdfast.until(sessionId, isOpen)
      let first = 0
      for await (const page of holdfast.follow(sessionId, 0)) {
        if (!("events" in page)) continue
        first = page.events.findLast((event) => event.type === "terminal.output")?.seq ?? 0
        if (first > 0) break
      }
      await holdfast.command(sessionId, { type: "terminal.write", data: { bytes: new TextEncoder().encode("\r") } })
      const snapped = await holdfast.until(sessionId, ({ terminal }) => (terminal?.snapshot?.offset ?? 0) > 1e6)
      expect((await holdfast.screen(sessionId, first)).lines[0]).toBe("first")
      const screen = await holdfast.screen(sessionId)
      expect(screen.lines.filter((line) => line !== "").at(-1)).toBe("last")
      expect(screen.offset).toBe(snapped.terminal!.offset)
    }))

  it("goes on for whoever attaches with exactly the next byte", () =>
    inRuntime(async (holdfast) => {
      const sessionId = await run(holdfast, `printf 'before'; read x; printf 'after'; read x`)
      await holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= 6)
      const { output, screen } = await holdfast.attach(sessionId)
      expect(screen.lines[0]).toBe("before")
      await holdfast.command(sessionId, { type: "terminal.write", data: { bytes: new TextEncoder().encode("\r") } })
      let text = ""
      for await (const item of output) {
        if (item.kind === "output") text += new TextDecoder().decode(item.bytes)
        if (text.includes("after")) break
      }
      expect(text).toBe("\r\nafter")
    }))
})
