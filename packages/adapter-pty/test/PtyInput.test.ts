import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { makePtyInput, maxPendingInput } from "../src/PtyInput.ts"

const failure = (code: string) => Object.assign(new Error(code), { code })

/** A kernel that takes so many bytes at each of the next writes, then no more; a text is an error's code. */
const kernel = (...takes: ReadonlyArray<number | string>) => {
  const taken: Array<number> = []
  const waiting = [...takes]
  return {
    taken,
    offer: (...more: ReadonlyArray<number | string>) => waiting.push(...more),
    write: (_: number, bytes: Uint8Array) => {
      const take = waiting.shift() ?? "EAGAIN"
      if (typeof take === "string") throw failure(take)
      const count = Math.min(take, bytes.byteLength)
      taken.push(...bytes.subarray(0, count))
      return count
    }
  }
}

const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)

describe("what is typed", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] })
  })
  afterEach(() => vi.useRealTimers())

  it("reaches the kernel before write returns", () => {
    const system = kernel(10)
    const input = makePtyInput(1, () => true, system.write)
    assert.isTrue(input.write(bytes(1, 2, 3)))
    assert.deepStrictEqual(system.taken, [1, 2, 3])
    assert.strictEqual(input.pending(), 0)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("waits in order for what the kernel does not take, and is not changed by its writer meanwhile", () => {
    const system = kernel(1)
    const input = makePtyInput(1, () => true, system.write)
    const mine = bytes(1, 2, 3)
    input.write(mine)
    mine.fill(9)
    input.write(bytes(4, 5))
    assert.strictEqual(input.pending(), 4)
    system.offer(1, "EAGAIN", "EINTR", 1, 1, "EAGAIN", 1)
    vi.runAllTimers()
    assert.deepStrictEqual(system.taken, [1, 2, 3, 4, 5])
    assert.strictEqual(input.pending(), 0)
  })

  it("does not keep the host busy while nobody reads", () => {
    const write = vi.fn<() => number>(() => {
      throw failure("EAGAIN")
    })
    const input = makePtyInput(1, () => true, write)
    input.write(bytes(1))
    vi.advanceTimersByTime(1_000)
    assert.isBelow(write.mock.calls.length, 80)
    input.close()
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.strictEqual(input.pending(), 0)
  })

  it("is refused whole when more than 1 MiB would wait", () => {
    const system = kernel()
    const input = makePtyInput(1, () => true, system.write)
    assert.isTrue(input.write(new Uint8Array(maxPendingInput)))
    assert.isFalse(input.write(bytes(1)))
    assert.strictEqual(input.pending(), maxPendingInput)
    system.offer(10)
    vi.advanceTimersToNextTimer()
    assert.isTrue(input.write(new Uint8Array(10)))
    assert.isFalse(input.write(bytes(1)))
  })

  it("touches no descriptor once the terminal is closed: it may be another's by then", () => {
    let isOpen = true
    const write = vi.fn<() => number>(() => {
      throw failure("EAGAIN")
    })
    const input = makePtyInput(1, () => isOpen, write)
    input.write(bytes(1))
    const calls = write.mock.calls.length
    isOpen = false
    vi.runAllTimers()
    input.write(bytes(2))
    assert.strictEqual(write.mock.calls.length, calls)
    assert.strictEqual(input.pending(), 0)
  })

  it("is for nobody when the other side is gone", () => {
    const system = kernel("EIO")
    const input = makePtyInput(1, () => true, system.write)
    assert.isTrue(input.write(bytes(1, 2)))
    assert.strictEqual(input.pending(), 0)
  })

  it("throws what it does not expect", () => {
    const input = makePtyInput(1, () => true, kernel("EBADF").write)
    assert.throws(() => input.write(bytes(1)), /EBADF/)
  })
})
