import { type BackendEvent, maxOutputBytes } from "@holdfast/core"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { makeOutputPacer } from "../src/OutputPacer.ts"

/** What was pushed: sizes of output, and other events' types. */
const shape = (pushes: ReadonlyArray<ReadonlyArray<BackendEvent>>) =>
  pushes.map((events) =>
    events.map((event) => (event.type === "terminal.output" ? event.bytes.byteLength : JSON.stringify(event.data)))
  )

describe("the pace of output", () => {
  const pushes: Array<ReadonlyArray<BackendEvent>> = []
  beforeEach(() => {
    pushes.length = 0
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  })
  afterEach(() => vi.useRealTimers())

  const start = () => makeOutputPacer((events) => pushes.push(events))

  it("hands the first bytes of a burst over at once, and joins the next four milliseconds", () => {
    const pacer = start()
    pacer.write(Buffer.alloc(1))
    assert.deepStrictEqual(shape(pushes), [[1]])
    pacer.write(Buffer.alloc(2))
    vi.advanceTimersByTime(1)
    pacer.write(Buffer.alloc(3))
    assert.lengthOf(pushes, 1)
    vi.advanceTimersByTime(3)
    assert.deepStrictEqual(shape(pushes), [[1], [5]])
    vi.advanceTimersByTime(4)
    pacer.write(Buffer.alloc(4))
    assert.deepStrictEqual(shape(pushes), [[1], [5], [4]])
  })

  it("hands over at once what answers input, with what is held, however soon after other output it comes", () => {
    const pacer = start()
    pacer.write(Buffer.alloc(1))
    pacer.answerInput()
    pacer.write(Buffer.alloc(2))
    assert.deepStrictEqual(shape(pushes), [[1], [2]])
    pacer.write(Buffer.alloc(3))
    vi.advanceTimersByTime(2)
    pacer.answerInput()
    pacer.write(Buffer.alloc(4))
    assert.deepStrictEqual(shape(pushes), [[1], [2], [7]])
  })

  it("joins what comes behind an answer, and hands nothing over early for one that has gone out", () => {
    const pacer = start()
    pacer.write(Buffer.alloc(1))
    pacer.write(Buffer.alloc(2))
    pacer.answerInput()
    pacer.write(Buffer.alloc(3))
    assert.deepStrictEqual(shape(pushes), [[1], [5]])
    pacer.write(Buffer.alloc(4))
    vi.advanceTimersByTime(3)
    pacer.write(Buffer.alloc(5))
    assert.deepStrictEqual(shape(pushes), [[1], [5]])
    vi.advanceTimersByTime(1)
    assert.deepStrictEqual(shape(pushes), [[1], [5], [9]])
  })

  it("hands over when 64 KiB are joined, whatever the time", () => {
    const pacer = start()
    pacer.write(Buffer.alloc(1))
    for (let written = 0; written < maxOutputBytes; written += 4096) pacer.write(Buffer.alloc(4096))
    assert.lengthOf(pushes, 2)
    assert.deepStrictEqual(shape(pushes), [[1], [maxOutputBytes]])
    vi.runAllTimers()
    assert.lengthOf(pushes, 2)
  })

  it("joins small bursts without new memory for each, and holds nothing after a second of quiet", () => {
    const pacer = start()
    const before = process.memoryUsage().arrayBuffers
    for (let burst = 0; burst < 100; burst++) {
      pacer.write(Buffer.alloc(10))
      pacer.write(Buffer.alloc(10))
      vi.advanceTimersByTime(10)
    }
    assert.lengthOf(pushes, 200)
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 1_000_000)
    assert.isAbove(vi.getTimerCount(), 0)
    vi.advanceTimersByTime(1_010)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("tells a report right after the bytes that hold it", () => {
    const pacer = start()
    pacer.write(Buffer.from("\x1b]0;a\x07"))
    assert.deepStrictEqual(shape(pushes), [[6, '{"title":"a"}']])
  })

  it("makes of a flood of reports a few events each window, and loses no bell and not the last title", () => {
    const pacer = start()
    let written = 0
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      for (let count = 0; count < 10; count++)
        pacer.write(Buffer.from(`\x07\x1b]0;${written++}\x07\x1b]9;n\x07\x1b]133;C\x07`))
      vi.advanceTimersByTime(1)
    }
    pacer.end()
    const reports = pushes.flat().filter((event) => event.type !== "terminal.output")
    assert.isAtMost(reports.length, 11 * (4 + 4 + 32))
    const bells = reports.reduce((sum, event) => sum + (event.type === "terminal.belled" ? event.data.count : 0), 0)
    assert.strictEqual(bells, written)
    const titles = reports.flatMap((event) => (event.type === "terminal.titled" ? [event.data.title] : []))
    assert.strictEqual(titles.at(-1), String(written - 1))
    assert.isAtMost(titles.length, 11)
  })

  it("tells a title, a directory or a progress again only when it has changed", () => {
    const pacer = start()
    for (const title of ["a", "a", "b", "b", "a"]) {
      pacer.write(Buffer.from(`\x1b]0;${title}\x07`))
      vi.advanceTimersByTime(200)
    }
    const titles = pushes.flat().flatMap((event) => (event.type === "terminal.titled" ? [event.data.title] : []))
    assert.deepStrictEqual(titles, ["a", "b", "a"])
  })

  it("keeps nothing of a chunk, which the next read overwrites", () => {
    const pacer = start()
    const buffer = Buffer.alloc(8)
    for (const text of ["a", "bc", "\x1b]0;tit", "le\x07"]) pacer.write(buffer.subarray(0, buffer.write(text)))
    buffer.fill("x")
    pacer.end()
    const events = pushes.flat()
    const output = events.flatMap((event) => (event.type === "terminal.output" ? [Buffer.from(event.bytes)] : []))
    assert.strictEqual(Buffer.concat(output).toString(), "abc\x1b]0;title\x07")
    assert.deepInclude(events, { type: "terminal.titled", data: { title: "title" } })
  })

  it("keeps every byte in order, and holds nothing back at its end", () => {
    const pacer = start()
    let expected = ""
    for (let index = 0; index < 500; index++) {
      const text = `${index} `.repeat(index % 97)
      expected += text
      pacer.write(Buffer.from(text))
      vi.advanceTimersByTime(index % 7)
    }
    pacer.end()
    const output = Buffer.concat(
      pushes.flat().flatMap((event) => (event.type === "terminal.output" ? [event.bytes] : []))
    )
    assert.strictEqual(output.toString(), expected)
    assert.strictEqual(vi.getTimerCount(), 0)
  })
})
