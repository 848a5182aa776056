import { type EventLogService, noCapabilities } from "@holdfast/core"
import { Effect, Result } from "effect"
import { assert, describe, it } from "vitest"
import { screenAt } from "../../src/screen/SessionScreen.ts"
import { TerminalScreen } from "../../src/screen/TerminalScreen.ts"
import { snapshotEvent } from "../../src/screen/TerminalSnapshot.ts"
import { event, makeTerminalLog, type TerminalLog } from "./terminalLog.ts"

const at = ({ log, sessionId }: TerminalLog, seq?: number) => Effect.runPromise(screenAt(log, sessionId, seq))

const failure = async ({ log, sessionId }: TerminalLog, seq?: number) => {
  const result = await Effect.runPromise(Effect.result(screenAt(log, sessionId, seq)))
  if (Result.isSuccess(result)) throw new Error("the screen could be had")
  return result.failure
}

const opened = { capabilities: { ...noCapabilities, terminal: true } }

/** Stores the snapshot of the screen at `through`, as the snapshotter does some time later. */
const storeSnapshot = async (terminal: TerminalLog, through: number): Promise<number> => {
  const screen = await at(terminal, through)
  const bytes = new Uint8Array([...new TextEncoder().encode(screen.ansi), ...screen.pending])
  const body = snapshotEvent(through, screen.offset, screen, bytes)
  return terminal.append(event(body.type, body.data, body.bytes))
}

describe("the screen of a session", () => {
  it("is that of any event, also of one long past", async () => {
    const terminal = await makeTerminalLog()
    const one = await terminal.write("one")
    await terminal.write("\r\ntwo")
    const resized = await terminal.append(event("terminal.resized", { cols: 30, rows: 3 }))
    const last = await terminal.write("\x1b[?1049hfull\x1b]2;title\x07")
    assert.deepEqual((await at(terminal, one)).lines, ["one", "", "", ""])
    assert.deepEqual((await at(terminal, resized)).lines, ["one", "two", ""])
    const now = await at(terminal)
    assert.deepEqual([now.seq, now.offset, now.cols, now.rows, now.title], [last, terminal.offset(), 30, 3, "title"])
    assert.equal(now.lines[1], "   full")
    assert.isTrue(now.modes.alternateScreen)
    assert.deepEqual(now.missing, [])
  })

  it("is blank and of the usual size before the terminal was opened", async () => {
    const screen = await at(await makeTerminalLog(), 1)
    assert.deepEqual([screen.cols, screen.rows, screen.offset], [80, 24, 0])
    assert.isTrue(screen.lines.every((line) => line === ""))
  })

  it("goes on from the nearest snapshot, and reads nothing before it", async () => {
    const terminal = await makeTerminalLog()
    const reads: Array<number> = []
    const log: EventLogService = {
      ...terminal.log,
      read: (sessionId, after, options) => {
        reads.push(after)
        return terminal.log.read(sessionId, after, options)
      }
    }
    const first = await terminal.write("a", "b", "c")
    await storeSnapshot(terminal, first)
    const second = await terminal.write("d")
    const late = await terminal.write("e")
    await storeSnapshot(terminal, second)
    for (const [seq, shown, from] of [
      [late, "abcde", second],
      [second, "abcd", second],
      [first, "abc", first]
    ] as const) {
      reads.length = 0
      const screen = await at({ ...terminal, log }, seq)
      assert.equal(screen.lines[0], shown)
      assert.isTrue(reads.every((after) => after >= from))
    }
  })

  it("takes bytes that a snapshot has half of exactly once", async () => {
    const terminal = await makeTerminalLog()
    const through = await terminal.write("ab")
    using screen = new TerminalScreen(20, 4)
    await screen.write([new TextEncoder().encode("abc")])
    const body = snapshotEvent(through, 3, screen, screen.snapshot())
    await terminal.write("cd")
    await terminal.append(event(body.type, body.data, body.bytes))
    assert.equal((await at(terminal)).lines[0], "abcd")
  })

  it("is whole after compaction, and says from where on it can be had", async () => {
    const terminal = await makeTerminalLog()
    const early = await terminal.write("a")
    await terminal.write("b")
    const through = await terminal.write("\x1b[31mc")
    const by = await storeSnapshot(terminal, through)
    const after = await terminal.write("d")
    await Effect.runPromise(terminal.log.compact(terminal.sessionId, { kind: "terminal", through, by }))
    assert.equal((await at(terminal, through)).lines[0], "abc")
    assert.equal((await at(terminal, after)).lines[0], "abcd")
    const refused = await failure(terminal, early)
    assert.deepInclude(refused, {
      _tag: "ScreenUnavailable",
      reason: "compacted",
      at: early,
      earliest: through,
      head: after
    })
    assert.include(refused.message, `ask for one from ${through} to ${after}`)
  })

  it("refuses a seq that is not the session's", async () => {
    const terminal = await makeTerminalLog()
    for (const seq of [0, -1, 99, 1.5, Number.NaN]) {
      assert.deepInclude(await failure(terminal, seq), { reason: "out-of-range", earliest: 1, head: 3 })
    }
  })

  it("begins afresh with the next program, and keeps the size", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write("\x1b[?1049h\x1b[2;3r\x1b[?25lold")
    await terminal.append(event("backend.opened", opened, undefined, 2))
    await terminal.write("new")
    const again = await at(terminal)
    assert.deepEqual([again.lines[0], again.modes.alternateScreen, again.cols], ["new", false, 20])
    await terminal.append(
      event("backend.resumed", opened, undefined, 3),
      event("process.spawned", { pid: 1, startTime: "1", host: "h", command: "c" }, undefined, 3)
    )
    await terminal.write("third")
    assert.equal((await at(terminal)).lines[0], "third")
    await terminal.append(event("backend.resumed", opened, undefined, 4))
    await terminal.write(" goes on")
    assert.equal((await at(terminal)).lines[0], "third goes on")
  })

  it("leaves out what is damaged, and says so", async () => {
    const terminal = await makeTerminalLog()
    const bad = (await terminal.write("a")) + 1
    await terminal.write("b", "c")
    const damaged: EventLogService = {
      ...terminal.log,
      read: (sessionId, after, options) =>
        Effect.map(terminal.log.read(sessionId, after, options), (page) => {
          if (page.answer !== "exact" || after >= bad) return page
          const events = page.events.filter((record) => record.seq < bad)
          if (events.length > 0) return { ...page, events, cursor: bad - 1 }
          return { answer: "gap", reason: "corrupt", from: bad, to: bad, detail: "", cursor: bad, head: page.head }
        })
    }
    const screen = await at({ ...terminal, log: damaged })
    assert.equal(screen.lines[0], "ac")
    assert.deepEqual(screen.missing, [{ from: bad, to: bad, reason: "corrupt" }])
  })

  it("refuses a snapshot that only a newer version can show, where the output is gone", async () => {
    const terminal = await makeTerminalLog()
    const through = await terminal.write("abc")
    const data = { through, offset: 3, cols: 20, rows: 4, format: "other/2" }
    const by = await terminal.append(event("terminal.snapshot", data, new Uint8Array(1)))
    assert.equal((await at(terminal)).lines[0], "abc")
    await Effect.runPromise(terminal.log.compact(terminal.sessionId, { kind: "terminal", through, by }))
    assert.deepInclude(await failure(terminal), { reason: "newer-snapshot" })
  })
})
