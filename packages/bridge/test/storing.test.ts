/** What a bridge does with its log: at its bound, on a full disk, in a snapshot, damaged, and restored from an older one. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "vitest"
import { bridgeIt } from "./support/bridgeTest.ts"
import { opening } from "./support/opening.ts"
import type { ControlPlane } from "./support/ControlPlane.ts"

const megabytes = (control: ControlPlane) => control.output().byteLength / 1e6

/** Writes so many lines that tell their number, and `flood over` in the end. */
const flood = (lines: number) => `seq -f 'line %.0f of a flood that has to come whole' ${lines}; echo flood o''ver\r`

const expected = (lines: number) =>
  Array.from({ length: lines }, (_, index) => `line ${index + 1} of a flood that has to come whole\r\n`).join("")

const isOver = (control: ControlPlane) => control.tail(2_000).includes("flood over")

describe("the log of a bridge", () => {
  bridgeIt(
    "holds the program at its bound, says so, and goes on with every byte below half of it",
    async ({ begin }) => {
      const { control, house } = await begin({}, { HOLDFAST_BRIDGE_LOG_BYTES: String(2 * 1024 * 1024) })
      await control.command(opening(1))
      control.setAcking(false)
      await control.type(flood(200_000))
      const helds = () => control.messages.filter((message) => message.type === "held")
      await control.waitUntil("it is held", () => helds().length === 1)
      assert.deepInclude(helds()[0], { full: true })
      assert.isBelow(megabytes(control), 8)
      // Whoever connects meanwhile is told.
      control.connection()!.terminate()
      await control.waitUntil("it is told again", () => helds().length === 2)
      control.setAcking(true)
      await control.waitUntil("the flood is over", () => isOver(control))
      assert.deepInclude(helds().at(-1), { full: false })
      assert.include(control.output().toString(), expected(200_000))
      const { size } = readFileSizes(house.data)
      assert.isBelow(size, 32 * 1024 * 1024)
    }
  )

  bridgeIt("loses nothing to a full disk, and goes on when there is room", async ({ control, house }) => {
    const plane = await control()
    const made = await house({ HOLDFAST_BRIDGE_URL: plane.url })
    const disk = join(made.folder, "disk")
    mkdirSync(disk)
    // A small disk that only this bridge sees, and that is gone with it.
    const mounted = [
      "unshare",
      "--map-root-user",
      "--mount",
      "sh",
      "-c",
      `mount -t tmpfs -o size=6m none '${disk}' && exec "$@"`,
      "sh"
    ]
    made.start({ HOLDFAST_BRIDGE_DATA: join(disk, "data") }, mounted)
    await plane.waitUntil("it greets", () => plane.hellos.length === 1)
    await plane.command(opening(1))
    plane.setAcking(false)
    await plane.type(flood(200_000))
    const helds = () => plane.messages.filter((message) => message.type === "held")
    await plane.waitUntil("it is held", () => helds().length > 0)
    assert.deepInclude(helds()[0], { full: true, detail: "the disk of the sandbox is full" })
    plane.setAcking(true)
    await plane.waitUntil("the flood is over", () => isOver(plane), 40_000)
    assert.include(plane.output().toString(), expected(200_000))
    assert.deepInclude(helds().at(-1), { full: false })
  })

  bridgeIt("is whole in a snapshot, in which nothing is written until the thaw", async ({ begin }) => {
    const { control, house } = await begin()
    await control.command(opening(1))
    await control.type("echo be''fore\r")
    await control.waitUntil("it speaks", () => control.output().includes("before"))
    assert.deepInclude(await control.command({ do: "freeze" }), { type: "performed" })
    const before = readFileSizes(house.data)
    const typed = control.type("echo af''ter\r")
    const resized = control.perform({ type: "resize", cols: 90, rows: 24 }, 7)
    // What was asked before an answer to a new greeting has reached the bridge.
    control.connection()!.terminate()
    await control.waitUntil("it greets again", () => control.hellos.length === 2)
    assert.deepStrictEqual(readFileSizes(house.data), before)
    assert.strictEqual(control.pendingCount(), 2)
    assert.deepInclude(await control.command({ do: "thaw" }), { type: "performed" })
    assert.deepStrictEqual(await typed, { type: "typed" })
    assert.deepInclude(await resized, { type: "performed" })
    await control.waitUntil("it speaks", () => control.output().includes("after"))
  })

  bridgeIt(
    "goes on after the host's last number where it was restored from an older snapshot",
    async ({ begin, control: open }) => {
      const { bridge, control, house } = await begin()
      await control.command(opening(1))
      await control.command({ do: "freeze" })
      const snapshot = join(house.folder, "snapshot")
      cpSync(house.data, snapshot, { recursive: true })
      await control.command({ do: "thaw" })
      await control.type("for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.01; done; echo en''ded\r")
      await control.waitUntil("it has ended", () => control.output().includes("ended"))
      bridge.kill("SIGKILL")
      await bridge.exited
      const mirrored = control.mirrored()
      await control.close()

      rmSync(house.data, { recursive: true })
      cpSync(snapshot, house.data, { recursive: true })
      const next = await open({ mirrored: () => mirrored })
      house.start({ HOLDFAST_BRIDGE_URL: next.url, HOLDFAST_BRIDGE_GENERATION: "2" })
      await next.waitUntil("it greets", () => next.hellos.length === 1)
      assert.isBelow(next.hellos[0]!.last, mirrored)
      assert.deepInclude(next.hellos[0], { open: null, generation: 2 })
      assert.deepInclude(await next.command(opening(2)), { type: "performed" })
      await next.type("echo re''stored\r")
      await next.waitUntil("it speaks", () => next.output().includes("restored"))
      // The generation that was open in the snapshot is told as lost first; numbers go on where the host is.
      assert.deepInclude(next.events[0], { number: mirrored + 1, generation: 1, type: "backend.lost" })
      assert.isTrue(next.events.slice(1).every(({ generation }) => generation === 2))
    }
  )

  bridgeIt("begins anew where the file is damaged, keeps the old one, and tells it", async ({ begin }) => {
    const { bridge, control, house } = await begin()
    await control.command(opening(1))
    await control.waitUntil("it speaks", () => control.output().includes(">"))
    bridge.kill("SIGKILL")
    await bridge.exited
    const file = join(house.data, "bridge.sqlite")
    for (const name of readdirSync(house.data)) if (name.startsWith("bridge.sqlite-")) rmSync(join(house.data, name))
    writeFileSync(file, Buffer.alloc(20_000, "no database "))
    copyFileSync(file, join(house.folder, "copy"))
    house.start()
    await control.waitUntil("it greets again", () => control.hellos.length === 2)
    assert.deepInclude(control.hellos[1], { last: 0, open: null, commands: 0 })
    const mirrored = control.mirrored()
    assert.deepInclude(await control.command(opening(2)), { type: "performed" })
    await control.waitUntil("it speaks", () => control.mirrored() > mirrored)
    assert.deepNestedInclude(
      control.events.find(({ generation }) => generation === 2),
      {
        number: mirrored + 1,
        type: "backend.noted",
        "data.code": "bridge_log_damaged"
      }
    )
    assert.isTrue(existsSync(`${file}.damaged`))
  })
})

/** The content of a folder's files at one time, small enough to compare. */
const readFileSizes = (folder: string) => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const contents = files.map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name))] as const)
  return {
    size: contents.reduce((sum, [, bytes]) => sum + bytes.byteLength, 0),
    names: contents.map(([name]) => name).toSorted(),
    sum: contents.reduce((sum, [, bytes]) => sum + bytes.reduce((all, byte) => (all * 31 + byte) % 1_000_003, 7), 0)
  }
}
