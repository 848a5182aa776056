import nodePty from "node-pty"
import tty from "node:tty"
import { assert, describe, it } from "vitest"
import { type NodePty, type PtyLaunch, spawnPty } from "../src/PtyProcess.ts"
import { withSharedReads } from "../src/sharedReads.ts"

const lines = 20_000
const printed = Array.from({ length: lines }, (_, line) => `${line + 1}\r\n`).join("")
const launch: PtyLaunch = {
  command: "seq",
  args: [String(lines)],
  cwd: "/",
  env: { PATH: process.env["PATH"] ?? "" },
  cols: 80,
  rows: 24
}

/** Runs it to its end; `pausing` stops reading after every chunk for a turn of the event loop. */
const run = async (module: NodePty, pausing: boolean): Promise<string> => {
  let output = ""
  await new Promise<void>((resolve) => {
    const terminal = spawnPty(module, launch, {
      onData: (chunk) => {
        output += chunk.toString("latin1")
        if (!pausing) return
        terminal.pause()
        setImmediate(terminal.resume)
      },
      onExit: () => resolve(),
      onLinger: () => terminal.release()
    })
  })
  return output
}

describe.runIf(process.platform !== "win32")("shared reads", () => {
  it("are what this node-pty's terminals do: otherwise a flood costs a third more processor time", async () => {
    const { ReadStream } = tty
    let bytes = 0
    const { made, isShared } = withSharedReads(
      () => nodePty.spawn("printf", ["abc"], { encoding: null }),
      (chunk) => (bytes += chunk.byteLength)
    )
    await new Promise<void>((resolve) => made.onExit(() => resolve()))
    assert.isTrue(isShared)
    assert.strictEqual(bytes, 3)
    assert.strictEqual(tty.ReadStream, ReadStream)
  })

  it("lose no byte, paused or not", async () => {
    assert.strictEqual(await run(nodePty, false), printed)
    assert.strictEqual(await run(nodePty, true), printed)
  })

  it("lose no byte to a host that listens late, or is busy when it does", async () => {
    const lines = 1_000
    const printed = Array.from({ length: lines }, (_, line) => `${line + 1}\r\n`).join("")
    const busy = (ms: number) => {
      for (const until = performance.now() + ms; performance.now() < until;);
    }
    for (const busyMs of [60, 300]) {
      let output = ""
      await new Promise<void>((resolve) => {
        const terminal = spawnPty(
          nodePty,
          { ...launch, args: [String(lines)] },
          {
            onData: (chunk) => (output += chunk.toString("latin1")),
            onExit: () => resolve(),
            onLinger: () => {
              terminal.release()
              // Longer than the silence after which a terminal counts as read to its end; then where timers come before reads.
              setTimeout(() => {
                setImmediate(() => {
                  terminal.resume()
                  busy(busyMs)
                })
              }, 250)
            }
          }
        )
        terminal.pause()
      })
      assert.strictEqual(output, printed)
    }
  })

  it("leave Node's streams alone when no terminal can be made", () => {
    const { ReadStream } = tty
    const fail = () => {
      throw new Error("no more terminals")
    }
    assert.throws(() => withSharedReads(fail, () => {}), "no more terminals")
    assert.strictEqual(tty.ReadStream, ReadStream)
  })

  it("are done without where node-pty makes its stream otherwise", async () => {
    const { ReadStream } = tty
    const spawn: NodePty["spawn"] = (...args) => {
      tty.ReadStream = ReadStream
      return nodePty.spawn(...args)
    }
    const otherwise: NodePty = { ...nodePty, spawn }
    assert.strictEqual(await run(otherwise, false), printed)
  })
})
