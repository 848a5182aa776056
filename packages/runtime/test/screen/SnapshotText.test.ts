import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { stateDifferences } from "../../src/screen/ScreenState.ts"
import { TerminalScreen } from "../../src/screen/TerminalScreen.ts"
import { cut, soup } from "./soup.ts"
import { restored, runSteps } from "./runSteps.ts"

const seed = Number(process.env["HOLDFAST_SEED"] ?? 20260)

/** Where a snapshot may differ at once, as its documentation says; anything else is a defect. */
const isStated = (name: string, screen: TerminalScreen): boolean =>
  ["pen", "repeatable", "normal cursor", "alternate cursor"].includes(name) ||
  (/ line \d+$/.test(name) && screen.state().get("wraparound") === "false")

describe("a screen restored from a snapshot", () => {
  it("equals one that saw all output, for random output cut at any byte", { timeout: 60_000 }, async () => {
    let affected = 0
    const runs = 1500
    await fc.assert(
      fc.asyncProperty(soup, async ({ at, cols, rows, scrollback, steps }) => {
        const make = (width: number, height: number) => new TerminalScreen(width, height, scrollback)
        const [before, after] = cut(steps, at)
        using stayed = make(cols, rows)
        await runSteps(stayed, before)
        using joined = await restored(make, stayed)
        const atOnce = stateDifferences(stayed.state(), joined.state())
        if (atOnce.length > 0) {
          affected++
          assert.deepEqual(
            atOnce.filter((name) => !isStated(name, stayed)),
            []
          )
          return
        }
        await runSteps(stayed, after)
        await runSteps(joined, after)
        assert.deepEqual(stateDifferences(stayed.state(), joined.state()), [])
      }),
      { numRuns: runs, seed }
    )
    // The stated accidents are rare even in noise that aims at them.
    assert.isBelow(affected, runs / 200)
  })

  for (const file of readdirSync(join(import.meta.dirname, "fixtures"))) {
    const [name, size] = file.split(".")
    it(`equals one that saw all output of ${name}, wherever it joined`, async () => {
      const [cols, rows] = size!.split("x").map(Number) as [number, number]
      const make = (width: number, height: number) => new TerminalScreen(width, height)
      const output = readFileSync(join(import.meta.dirname, "fixtures", file))
      using stayed = make(cols, rows)
      const stride = Math.max(1, Math.floor(output.length / 60))
      using whole = make(cols, rows)
      await whole.write([output])
      let at = 0
      while (at < output.length) {
        const to = Math.min(output.length, at + stride + (at % 7))
        await stayed.write([output.subarray(at, to)])
        at = to
        using joined = await restored(make, stayed)
        assert.deepEqual(stateDifferences(stayed.state(), joined.state()), [], `${name} at byte ${at}`)
        await joined.write([output.subarray(at)])
        assert.deepEqual(stateDifferences(whole.state(), joined.state()), [], `${name} joined at byte ${at}`)
      }
    })
  }

  it("goes on in the middle of an escape sequence and of a character", async () => {
    const output = new TextEncoder().encode(
      "a\x1b[1;31mb – \x1b]2;title\x07\x1b[3\n;4H漢\x1bP$qm\x1b\\\x1b(0q\x1b[?1049hx\u0301"
    )
    using whole = new TerminalScreen(20, 5)
    await whole.write([output])
    for (let at = 0; at <= output.length; at++) {
      using before = new TerminalScreen(20, 5)
      await before.write([output.subarray(0, at)])
      using joined = await restored((cols, rows) => new TerminalScreen(cols, rows), before)
      await joined.write([output.subarray(at)])
      assert.deepEqual(stateDifferences(whole.state(), joined.state()), [], `cut at byte ${at}`)
    }
  })

  it("ignores the rest of a string that was over 1 MiB when it was cut", async () => {
    using stayed = new TerminalScreen(20, 5)
    await stayed.write([new TextEncoder().encode(`\x1b]2;${"t".repeat(2 * 1024 * 1024)}`)])
    assert.isBelow(stayed.snapshot().length, 1000)
    using joined = await restored((cols, rows) => new TerminalScreen(cols, rows), stayed)
    await joined.write([new TextEncoder().encode("more\x07shown")])
    assert.equal(joined.title, "")
    assert.equal(joined.lines()[0], "shown")
  })

  it("asks the terminal nothing", async () => {
    using screen = new TerminalScreen(20, 5)
    await screen.write([
      new TextEncoder().encode("\x1b[c\x1b[6n\x1b[>c\x1b]10;?\x07\x1b[?25$p\x1bP$qm\x1b\\\x1b[18t\x1b[21t")
    ])
    assert.notMatch(new TextDecoder().decode(screen.snapshot()), /\x1b\[[>?]?[0-9]*[cnt]|\?\x07|\$[pq]/)
  })
})
