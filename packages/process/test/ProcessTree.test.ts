import { symlinkSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import * as fc from "fast-check"
import { afterEach, assert, describe, it } from "vitest"
import { parseStat } from "../src/LinuxProcessTable.ts"
import { makeMemberSearch, membersOf, type Seeds } from "../src/ProcessTree.ts"
import { type ProcessEntry, type ProcessTable, processTable } from "../src/ProcessTable.ts"
import { parseMarked, parsePsLine, psProcessTable } from "../src/PsProcessTable.ts"
import { parseWindowsList } from "../src/WindowsProcessTable.ts"
import { identify, isAlive, promises, signalProcess } from "../src/index.ts"
import { fell, plant, until } from "./trees.ts"

describe("identify and isAlive", () => {
  afterEach(fell)

  it("name a running process by pid, start time and host", async () => {
    const identity = await Effect.runPromise(identify(process.pid))
    assert.isDefined(identity)
    assert.strictEqual(identity!.pid, process.pid)
    assert.isTrue(await Effect.runPromise(isAlive(identity!)))
    assert.isFalse(await promises.isAlive({ ...identity!, startTime: `${identity!.startTime}1` }))
    assert.isFalse(await promises.isAlive({ ...identity!, host: `${identity!.host}1` }))
  })

  it("know no process that is gone", async () => {
    const { child, pid } = plant("exit 0")
    const identity = await promises.identify(pid)
    await until(async () => child.exitCode !== null)
    assert.isUndefined(await promises.identify(pid))
    if (identity !== undefined) assert.isFalse(await promises.isAlive(identity))
  })

  it("take a zombie for dead, though its pid is not free yet", async () => {
    // The shell becomes `sleep`, which never reaps the child that the shell had started.
    const { line } = plant("sleep 0 & echo $!; exec sleep 1000")
    const pid = Number(await line())
    await until(async () => (await processTable.read(pid))?.ended === true)
    const identity = await promises.identify(pid)
    assert.isDefined(identity)
    assert.isFalse(await promises.isAlive(identity!))
    assert.deepStrictEqual(await promises.tree({ root: identity }), [])
  })

  it("read a program whose name imitates the columns that follow it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-process-"))
    try {
      const name = join(folder, "a) Z 1 (b")
      symlinkSync("/bin/sleep", name)
      const { pid, line } = plant(`echo $$; exec '${name}' 1000`)
      await line()
      await until(async () => (await processTable.read(pid))?.parent === process.pid)
      assert.isFalse((await processTable.read(pid))?.ended)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe("signalProcess", () => {
  afterEach(fell)

  it("reaches exactly the process that is meant", async () => {
    const { child, pid, line } = plant("trap 'echo caught; exit 3' USR1; echo ready; while :; do sleep 0.01; done")
    await line()
    const identity = (await promises.identify(pid))!
    assert.strictEqual(await promises.signalProcess({ ...identity, startTime: "1" }, "SIGKILL"), "gone")
    assert.strictEqual(await promises.signalProcess({ ...identity, host: "another" }, "SIGKILL"), "gone")
    assert.strictEqual(await Effect.runPromise(signalProcess(identity, "SIGUSR1")), "delivered")
    assert.strictEqual(await line(), "caught")
    await until(async () => child.exitCode !== null)
    assert.strictEqual(child.exitCode, 3)
    assert.strictEqual(await promises.signalProcess(identity, "SIGUSR1"), "gone")
  })
})

describe("the members of a tree", () => {
  const entry = (pid: number, parent: number, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
    pid,
    parent,
    session: undefined,
    startTime: `t${pid}`,
    ended: false,
    ...more
  })
  const members = (entries: ReadonlyArray<ProcessEntry>, seeds: Partial<Seeds>) =>
    membersOf(new Map(entries.map((one) => [one.pid, one])), {
      root: undefined,
      marked: new Set(),
      known: new Map(),
      self: 999,
      ...seeds
    }).map((one) => one.pid)
  const root = { pid: 10, startTime: "t10", host: "here" }

  it("are the root, parents first, and all that came from it", () => {
    assert.deepStrictEqual(members([entry(12, 11), entry(11, 10), entry(10, 5), entry(20, 5)], { root }), [10, 11, 12])
  })

  it("come after their parents, whatever numbers they have", () => {
    const process = fc.record({ pid: fc.integer({ min: 2, max: 998 }), above: fc.nat(), isMarked: fc.boolean() })
    fc.assert(
      fc.property(fc.uniqueArray(process, { selector: ({ pid }) => pid, minLength: 1, maxLength: 30 }), (some) => {
        const entries = some.map(({ above, pid }, index) => entry(pid, index === 0 ? 1 : some[above % index]!.pid))
        const parents = new Map(entries.map((one) => [one.pid, one.parent]))
        const marked = new Set(some.filter(({ isMarked }) => isMarked).map(({ pid }) => pid))
        const isBelow = (pid: number | undefined): boolean =>
          pid !== undefined && (marked.has(pid) || isBelow(parents.get(pid)))
        const sorted = entries.toSorted((a, b) => a.pid - b.pid)
        const found = members(sorted, { marked })
        assert.deepStrictEqual(
          found.toSorted((a, b) => a - b),
          sorted.map(({ pid }) => pid).filter(isBelow)
        )
        for (const [index, pid] of found.entries()) assert.notInclude(found.slice(index), parents.get(pid))
      })
    )
  })

  it("are found where the table was torn into a ring", () => {
    assert.sameMembers(members([entry(10, 11), entry(11, 10)], { marked: new Set([11]) }), [10, 11])
  })

  it("are found below a zombie in between, which is none itself", () => {
    assert.deepStrictEqual(members([entry(10, 5, { ended: true }), entry(11, 10)], { root }), [11])
  })

  it("are not the children of a stranger with the root's pid", () => {
    assert.deepStrictEqual(
      members([entry(10, 5, { startTime: "later" }), entry(11, 10, { session: 10 })], { root }),
      []
    )
  })

  it("count by terminal session only while the leader is there", () => {
    assert.deepStrictEqual(members([entry(10, 5), entry(11, 1, { session: 10 })], { root }), [10, 11])
    assert.deepStrictEqual(members([entry(11, 1, { session: 10 })], { root }), [])
  })

  it("stay members when their parents die, unless the pid is somebody else's", () => {
    const known = new Map([
      [11, "t11"],
      [12, "another"]
    ])
    assert.deepStrictEqual(members([entry(11, 1), entry(12, 1), entry(13, 11)], { known }), [11, 13])
  })

  it("never include the process that asks, nor what is only below it, nor the first process", () => {
    const entries = [entry(1, 0), entry(10, 5), entry(999, 10), entry(1000, 999)]
    assert.deepStrictEqual(members(entries, { root, marked: new Set([1, 999]) }), [10])
  })
})

describe("a search for members", () => {
  /**
   * A table of a machine on which one marked process lives. At each look it may start another and end: before it is listed,
   * after it was listed, or after its entry was read; as a zombie or without a trace.
   */
  const hop = fc.record({ when: fc.constantFrom("listed", "read"), leavesZombie: fc.boolean() })

  const makeTable = (hops: ReadonlyArray<typeof hop extends fc.Arbitrary<infer A> ? A : never>) => {
    const strangers: ReadonlyArray<ProcessEntry> = [
      { pid: 1, parent: 0, session: 1, startTime: "1", ended: false },
      { pid: 5, parent: 1, session: 5, startTime: "5", ended: true },
      { pid: 6, parent: 1, session: 6, startTime: "6", ended: false }
    ]
    let current = 100
    let looks = 0
    const zombies: Array<ProcessEntry> = []
    const entryOf = (pid: number, ended = false): ProcessEntry => ({
      pid,
      parent: 1,
      session: pid,
      startTime: String(pid),
      ended
    })
    const goOn = (leavesZombie: boolean) => {
      if (leavesZombie) zombies.push(entryOf(current, true))
      current += 1
    }
    const table: ProcessTable = {
      host: async () => "here",
      read: async () => undefined,
      readAll: async () => {
        const entries = new Map([...strangers, ...zombies].map((one) => [one.pid, one]))
        const step = hops[looks++]
        const listed = current
        if (step?.when === "listed") {
          goOn(step.leavesZombie)
          if (step.leavesZombie) entries.set(listed, entryOf(listed, true))
        } else entries.set(listed, entryOf(listed))
        if (step?.when === "read") goOn(step.leavesZombie)
        return { entries, isTorn: step?.when === "listed" && !step.leavesZombie }
      },
      marked: async (candidates) => {
        const pids = [...candidates].map(({ pid }) => pid)
        return {
          marked: new Set(pids.filter((pid) => pid === current)),
          unread: new Set(pids.filter((pid) => pid === 6 || (pid >= 100 && pid !== current)))
        }
      }
    }
    return { table, current: () => current, looks: () => looks }
  }

  it("finds what was started behind its back by a process that ended meanwhile, nine times in a row", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hop, { maxLength: 9 }), async (hops) => {
        const world = makeTable(hops)
        const search = await makeMemberSearch({ marker: "session:1" }, world.table)
        assert.deepStrictEqual(
          (await search()).map(({ pid }) => pid),
          [world.current()]
        )
        assert.strictEqual(world.looks(), hops.length + 1)
      })
    )
  })

  it("looks twice at a machine where nothing comes or goes, and once from then on", async () => {
    const world = makeTable([])
    const search = await makeMemberSearch(
      { variables: ["OTHER=1"] },
      {
        ...world.table,
        marked: async () => ({ marked: new Set(), unread: new Set([6]) })
      }
    )
    assert.deepStrictEqual(await search(), [])
    assert.strictEqual(world.looks(), 2)
    assert.deepStrictEqual(await search(), [])
    assert.strictEqual(world.looks(), 3)
  })
})

describe("process tables", () => {
  it("read a line of /proc/pid/stat", () => {
    const line = "42 (a) Z 1 (b\n) S 7 42 42 34816 42 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3"
    assert.deepStrictEqual(parseStat(line), { pid: 42, parent: 7, session: 42, startTime: "987654", ended: false })
  })

  it("read a line of ps", () => {
    assert.deepStrictEqual(parsePsLine("  501     1 Ss   Tue Mar  4 09:08:07 2025    "), {
      pid: 501,
      parent: 1,
      session: undefined,
      startTime: "Tue Mar  4 09:08:07 2025",
      ended: false
    })
    assert.isTrue(parsePsLine("502 501 Z+ Tue Mar  4 09:08:07 2025")?.ended)
    assert.isUndefined(parsePsLine(""))
  })

  it("find a marker among the environments that ps prints, as a whole word", () => {
    const text =
      " 501 bash -i HOLDFAST_PROCESS=a:1 TERM=xterm\n 502 bash HOLDFAST_PROCESS=a:12\n 503 sleep 9 HOLDFAST_PROCESS=a:1"
    assert.deepStrictEqual(parseMarked(text, "HOLDFAST_PROCESS=a:1"), {
      listed: new Set([501, 502, 503]),
      marked: new Set([501, 503])
    })
  })

  it("see the same parents through ps as through /proc", async () => {
    const { entries } = await psProcessTable.readAll()
    assert.strictEqual(entries.get(process.pid)?.parent, process.ppid)
    // Nor is the `ps` among them that looked: it would be gone at each look, and nobody could be sure of what is there.
    for (const { parent, pid } of entries.values()) {
      if (parent === process.pid) assert.isDefined(await processTable.read(pid), `process ${pid} is still there`)
    }
  })

  it("read the list of Windows and drop a parent that is younger than its child", () => {
    const entries = parseWindowsList("4 0 638000000000000001\r\n8 4 638000000000000002\r\n9 8 638000000000000001\r\n")
    assert.strictEqual(entries.get(8)?.parent, 4)
    assert.strictEqual(entries.get(9)?.parent, 0)
    assert.strictEqual(entries.get(8)?.startTime, "638000000000000002")
  })
})
