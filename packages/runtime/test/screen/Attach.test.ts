import { Effect, Fiber, Stream } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { attach, type AttachItem, startAfresh } from "../../src/screen/Attach.ts"
import { screenAt, type SessionScreen } from "../../src/screen/SessionScreen.ts"
import { stateDifferences } from "../../src/screen/ScreenState.ts"
import { TerminalScreen } from "../../src/screen/TerminalScreen.ts"
import { snapshotEvent } from "../../src/screen/TerminalSnapshot.ts"
import { soup } from "./soup.ts"
import { event, makeTerminalLog, type TerminalLog } from "./terminalLog.ts"

const text = new TextEncoder()

/** What a viewer does: shows the screen, then every item. */
class Viewer {
  screen: TerminalScreen
  seq: number
  readonly items: Array<AttachItem> = []

  constructor(size: { readonly cols: number; readonly rows: number; readonly seq: number }) {
    this.screen = new TerminalScreen(size.cols, size.rows)
    this.seq = size.seq
  }

  static async of(screen: SessionScreen): Promise<Viewer> {
    const viewer = new Viewer(screen)
    await viewer.screen.write([text.encode(screen.ansi)])
    return viewer
  }

  async take(item: AttachItem): Promise<void> {
    this.items.push(item)
    if (item.kind === "output") await this.screen.write([item.bytes])
    else if (item.kind === "resized") this.screen.resize(item.cols, item.rows)
    else if (item.kind === "started") await this.screen.write([text.encode(startAfresh)])
    else if (item.kind === "resync") {
      this.screen.resize(item.screen.cols, item.screen.rows)
      await this.screen.write([text.encode(startAfresh + item.screen.ansi)])
    }
    this.seq = item.seq
  }
}

/** Takes items until the viewer has come to a seq. */
const follow = (output: Stream.Stream<AttachItem, unknown>, viewer: Viewer, until: number) =>
  Stream.runForEach(
    Stream.takeUntil(output, (item) => item.seq >= until),
    (item) => Effect.promise(() => viewer.take(item))
  )

const compactNow = async (terminal: TerminalLog): Promise<void> => {
  const screen = await Effect.runPromise(screenAt(terminal.log, terminal.sessionId))
  const body = snapshotEvent(
    screen.seq,
    screen.offset,
    screen,
    new Uint8Array([...text.encode(screen.ansi), ...screen.pending])
  )
  const by = await terminal.append(event(body.type, body.data, body.bytes))
  await Effect.runPromise(terminal.log.compact(terminal.sessionId, { kind: "terminal", through: screen.seq, by }))
}

describe("attaching to a session", () => {
  it("goes on with exactly the next byte, and shows what one who never left sees", async () => {
    await fc.assert(
      fc.asyncProperty(soup, async ({ at, cols, rows, steps }) => {
        const terminal = await makeTerminalLog(cols, rows)
        const stayed = await Viewer.of(await Effect.runPromise(screenAt(terminal.log, terminal.sessionId)))
        const { output: all } = await Effect.runPromise(attach(terminal.log, terminal.sessionId))
        const write = async (from: number, to: number): Promise<number> => {
          let head = 0
          for (const step of steps.slice(from, to)) {
            head = await (step.kind === "bytes"
              ? terminal.write(step.bytes)
              : terminal.append(event("terminal.resized", { cols: step.cols, rows: step.rows })))
          }
          return head
        }
        const middle = Math.floor(at * steps.length)
        await write(0, middle)
        const joined = await Effect.runPromise(attach(terminal.log, terminal.sessionId))
        const viewer = await Viewer.of(joined.screen)
        await write(middle, steps.length)
        // An event that always makes an item, so that it is known when all were seen.
        const end = await terminal.append(event("terminal.resized", { cols: 20, rows: 6 }))
        await Effect.runPromise(
          Effect.all([follow(all, stayed, end), follow(joined.output, viewer, end)], { concurrency: 2 })
        )
        const seen = await Effect.runPromise(screenAt(terminal.log, terminal.sessionId))
        assert.deepEqual(seen.lines, stayed.screen.lines())
        assert.deepEqual(viewer.screen.lines(true), stayed.screen.lines(true))
        const differ = stateDifferences(viewer.screen.state(), stayed.screen.state())
        assert.deepEqual(
          differ.filter((name) => !["pending", "pen", "repeatable"].includes(name)),
          []
        )
      }),
      { numRuns: 60, seed: Number(process.env["HOLDFAST_SEED"] ?? 11) }
    )
  })

  it("gives output as it comes, joined, and never half a character", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write(Uint8Array.of(0x61, 0xe2, 0x80))
    const { output, screen } = await Effect.runPromise(attach(terminal.log, terminal.sessionId))
    assert.deepEqual([...screen.pending], [0xe2, 0x80])
    const viewer = await Viewer.of(screen)
    const end = await terminal.write(Uint8Array.of(0x93, 0x62, 0xf0), Uint8Array.of(0x9f, 0x98, 0x80))
    await Effect.runPromise(follow(output, viewer, end))
    assert.deepEqual(viewer.items, [{ kind: "output", seq: end, offset: 1, bytes: text.encode("–b😀") }])
  })

  it("gives a new screen to a viewer whose output was removed before it came to it", async () => {
    const terminal = await makeTerminalLog()
    await terminal.write("one ")
    const { output, screen } = await Effect.runPromise(attach(terminal.log, terminal.sessionId))
    const viewer = await Viewer.of(screen)
    await terminal.write("two ")
    await compactNow(terminal)
    const end = await terminal.write("three")
    await Effect.runPromise(follow(output, viewer, end))
    assert.deepEqual(
      viewer.items.map((item) => item.kind),
      ["resync"]
    )
    assert.equal(viewer.screen.lines()[0], "one two three")
  })

  it("never gives a viewer a wrong screen, whatever is removed while it stalls", async () => {
    const terminal = await makeTerminalLog(40, 6)
    const { output, screen } = await Effect.runPromise(attach(terminal.log, terminal.sessionId))
    const viewer = await Viewer.of(screen)
    let end = 0
    const writing = async (): Promise<void> => {
      for (let index = 0; index < 120; index++) {
        await terminal.write(`line ${index} \x1b[3${index % 8}m漢\r\n`)
        if (index % 17 === 5) await compactNow(terminal)
      }
      end = await terminal.append(event("terminal.resized", { cols: 41, rows: 6 }))
    }
    const reader = Effect.runFork(
      Stream.runForEach(
        Stream.takeUntil(output, (item) => item.kind === "resized" && item.cols === 41),
        (item) => Effect.promise(() => viewer.take(item))
      )
    )
    await writing()
    await Effect.runPromise(Fiber.join(reader))
    assert.equal(viewer.seq, end)
    const shown = await Effect.runPromise(screenAt(terminal.log, terminal.sessionId))
    assert.deepEqual(viewer.screen.lines(), shown.lines)
  })

  it("tells that the session was deleted, and ends", async () => {
    const terminal = await makeTerminalLog()
    const { output } = await Effect.runPromise(attach(terminal.log, terminal.sessionId))
    await terminal.write("a")
    const kinds: Array<string> = []
    await Effect.runPromise(
      Stream.runForEach(output, (item) => {
        kinds.push(item.kind)
        return item.kind === "output" ? terminal.log.remove(terminal.sessionId) : Effect.void
      })
    )
    assert.deepEqual(kinds, ["output", "gap"])
  })
})
