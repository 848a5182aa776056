/** Whatever happens to the connection or to the bridge: what the control plane has is what was told, and nothing is done twice. */
import { promises } from "@holdfast/process"
import { startFaultProxy } from "@holdfast/testkit"
import * as fc from "fast-check"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "vitest"
import { bridgeIt } from "./support/bridgeTest.ts"
import { openBridgeHouse } from "./support/BridgeProcess.ts"
import { openControlPlane } from "./support/ControlPlane.ts"
import { opening } from "./support/opening.ts"

/** What happens, one after the other, while commands are performed. */
type Happening =
  | { readonly what: "type"; readonly lines: number }
  | { readonly what: "flood"; readonly lines: number }
  | { readonly what: "cut"; readonly how: "fin" | "rst" }
  | {
      readonly what: "cut later"
      readonly after: number
      readonly up: boolean
      readonly how: "fin" | "rst" | "swallow"
    }
  | { readonly what: "hold acks"; readonly is: boolean }
  | { readonly what: "kill" }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant("type" as const), lines: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("flood" as const), lines: fc.integer({ min: 100, max: 5_000 }) })
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("cut" as const), how: fc.constantFrom("fin" as const, "rst" as const) })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant("cut later" as const),
      after: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 400, max: 200_000 })),
      up: fc.boolean(),
      how: fc.constantFrom("fin" as const, "rst" as const, "swallow" as const)
    })
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("hold acks" as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("kill" as const) }) }
)

const schedule = fc.record({
  happenings: fc.array(happening, { minLength: 4, maxLength: 14 }),
  repeats: fc.integer({ min: 1, max: 2 })
})

/** Plays a schedule, and checks what is to hold at its end. */
const play = async ({ happenings, repeats }: { happenings: ReadonlyArray<Happening>; repeats: number }) => {
  const control = await openControlPlane({ token: "hfs_token", heartbeatMs: 100, repeats })
  const proxy = await startFaultProxy({ target: { port: control.port } })
  const house = await openBridgeHouse({ HOLDFAST_BRIDGE_URL: `http://127.0.0.1:${proxy.port}` })
  const done = join(house.workspace, "done")
  try {
    let bridge = house.start()
    let generation = 0
    let count = 0
    /** Lines that have to be there: typed into a terminal that was not killed afterwards. */
    let sure = 0
    const floods = new Map<number, number>()
    const answers: Array<Promise<unknown>> = []

    const open = async () => {
      await control.waitUntil("it greets", () => control.connection() !== undefined)
      generation += 1
      // A shell without an editor of its own, and a terminal that does not show what is typed in the midst of what is told.
      const opened = await control.command(opening(generation, { command: "sh", args: [] }))
      assert.deepInclude(opened, { type: "performed" })
      await control.type(`stty -echo; echo "quiet"-${generation}\r`)
      await control.waitUntil("it is quiet", () => control.tail(200).includes(`quiet-${generation}`))
    }
    /** Everything that was typed is performed, and its end is told. */
    const settle = async () => {
      control.setAcking(true)
      proxy.heal()
      proxy.cut("rst")
      const answered = control.type(`echo "settled"-${generation}-${count}\r`)
      await Promise.all([...answers.splice(0), answered])
      await control.waitUntil("all is told", () => control.tail(4_000).includes(`settled-${generation}-${count}`))
      sure = count
    }
    await open()
    for (const each of happenings) {
      switch (each.what) {
        case "type":
          for (let line = 0; line < each.lines; line++) answers.push(control.type(`echo ${++count} >> done\r`))
          break
        case "flood":
          floods.set(++count, each.lines)
          answers.push(control.type(`echo ${count} >> done; seq -f 'f${count} %.0f' ${each.lines}\r`))
          break
        case "cut":
          proxy.cut(each.how)
          break
        case "cut later": {
          const end = { after: each.after, how: each.how }
          proxy.inject(each.up ? { up: { end } } : { down: { end } })
          break
        }
        case "hold acks":
          control.setAcking(!each.is)
          break
        case "kill": {
          await settle()
          bridge.kill("SIGKILL")
          await bridge.exited
          bridge = house.start()
          await control.waitUntil("the loss is told", () => {
            const last = control.events.at(-1)
            return last?.type === "backend.lost" && last.generation === generation
          })
          assert.deepStrictEqual(await promises.tree({ marker: `${house.sessionId}:${generation}` }), [])
          await open()
        }
      }
    }
    await settle()

    assert.deepStrictEqual(control.problems, [])
    assert.deepStrictEqual(
      control.events.map(({ number }) => number),
      control.events.map((_, index) => index + 1)
    )
    const lines = existsSync(done) ? readFileSync(done, "utf8").trimEnd().split("\n").map(Number) : []
    assert.deepStrictEqual(
      lines,
      Array.from({ length: sure }, (_, index) => index + 1)
    )
    checkFloods(control.output().toString(), floods)
  } finally {
    await house.close()
    await proxy.close()
    await control.close()
  }
}

/** Each flood is whole and in order. */
const checkFloods = (told: string, floods: ReadonlyMap<number, number>) => {
  const last = new Map<number, number>()
  for (const [, flood, line] of told.matchAll(/f(\d+) (\d+)\r\n/g)) {
    assert.strictEqual(Number(line), (last.get(Number(flood)) ?? 0) + 1, `flood ${flood}`)
    last.set(Number(flood), Number(line))
  }
  assert.deepStrictEqual([...last], [...floods])
}

describe("a bridge whose connection is cut, and that is killed", () => {
  bridgeIt(
    "tells everything once and in order, and does nothing twice, under any schedule",
    async () => {
      await fc.assert(fc.asyncProperty(schedule, play), {
        numRuns: Number(process.env["HOLDFAST_BRIDGE_RUNS"] ?? 6),
        endOnFailure: true
      })
    },
    180_000
  )

  bridgeIt(
    "brings a flood of 20 MB whole through a connection that is cut again and again",
    async ({ closing, control, house }) => {
      const plane = await control({ heartbeatMs: 200 })
      const proxy = await startFaultProxy({ target: { port: plane.port } })
      closing(proxy.close)
      const made = await house({ HOLDFAST_BRIDGE_URL: `http://127.0.0.1:${proxy.port}` })
      made.start()
      await plane.waitUntil("it greets", () => plane.hellos.length === 1)
      await plane.command(
        opening(1, {
          profile: "command",
          command: "sh",
          args: ["-c", "stty -opost; seq -f 'line %.0f that has to come' 1 740000; echo flood over"]
        })
      )
      for (const after of [3_000_000, 5_000_000, 2_000_000]) {
        proxy.inject({ up: { end: { after, how: "rst" } } })
        const before = plane.hellos.length
        await plane.waitUntil("it greets again", () => plane.hellos.length > before)
      }
      await plane.waitUntil("it is over", () => plane.tail(100).includes("flood over"))
      const all = Array.from({ length: 740_000 }, (_, index) => `line ${index + 1} that has to come\n`).join("")
      const told = plane.output()
      assert.isAbove(told.byteLength, 20_000_000)
      assert.isTrue(told.equals(Buffer.from(`${all}flood over\n`)))
    }
  )

  bridgeIt(
    "lets a command that it had taken when it died be lost, and keeps what it had answered",
    async ({ begin }) => {
      const { bridge, control, house } = await begin()
      await control.command(opening(1))
      assert.deepStrictEqual(await control.type("echo typed\r"), { type: "typed" })
      bridge.kill("SIGSTOP")
      const resized = control.perform({ type: "resize", cols: 90, rows: 24 }, 12)
      bridge.kill("SIGKILL")
      await bridge.exited
      house.start()
      await control.waitUntil("it greets again", () => control.hellos.length === 2)
      // The bridge had not taken it yet: it is performed now, once, and has nobody to be performed by.
      assert.deepNestedInclude(await resized, { "failure.kind": "lost", "failure.retryable": true })
      assert.deepInclude(control.hellos[1], { commands: 2, open: null })
      await control.waitUntil("the loss is told", () => control.events.at(-1)?.type === "backend.lost")
    }
  )
})
