import { afterEach, assert, describe, it } from "vitest"
import { processTable } from "../src/ProcessTable.ts"
import { type ProcessIdentity, promises } from "../src/index.ts"
import { fell, plant, until } from "./trees.ts"

const { identify, isAlive, terminateTree, tree } = promises

const identityOf = async (pid: number | string): Promise<ProcessIdentity> => {
  const identity = await identify(Number(pid))
  assert.isDefined(identity, `process ${pid} runs`)
  return identity!
}

const pidsOf = (identities: ReadonlyArray<ProcessIdentity>) => identities.map((identity) => identity.pid).toSorted()

describe("terminateTree", () => {
  afterEach(fell)

  it("asks first: what follows a hang-up is not forced", async () => {
    const { pid, line } = plant("trap 'exit 0' HUP; echo ready; while :; do sleep 0.01; done")
    await line()
    const root = await identityOf(pid)
    const { processes, forced } = await terminateTree({ root }, { graceMs: 20_000 })
    assert.include(pidsOf(processes), pid)
    assert.deepStrictEqual(forced, [])
    assert.isFalse(await isAlive(root))
  })

  it("asks with SIGTERM after half of the grace what ignores a hang-up", async () => {
    const { line, marker } = plant("trap '' HUP; trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    await line()
    const { forced } = await terminateTree({ marker }, { graceMs: 400, forceMs: 10_000 })
    assert.deepStrictEqual(forced, [])
    assert.deepStrictEqual(await tree({ marker }), [])
  })

  it("forces what ignores every request, after the grace", async () => {
    const { pid, line } = plant("trap '' HUP TERM INT; echo ready; while :; do sleep 0.01; done")
    await line()
    const root = await identityOf(pid)
    const before = performance.now()
    const { forced } = await terminateTree({ root }, { graceMs: 100 })
    assert.isAtLeast(performance.now() - before, 100)
    assert.include(pidsOf(forced), pid)
    assert.isFalse(await isAlive(root))
  })

  it("reaches children in other process groups and sessions", async () => {
    const { pid, line } = plant(`
      setsid sleep 1000 & echo $!
      set -m
      sleep 1000 & echo $!
      bash -c 'sleep 1000 & echo $!; wait' & 
      wait`)
    const children = [await line(), await line(), await line()].map(Number)
    const root = await identityOf(pid)
    assert.includeMembers(pidsOf(await tree({ root })), children)
    const identities = await Promise.all(children.map(identityOf))
    await terminateTree({ root }, { graceMs: 0 })
    assert.deepStrictEqual(await Promise.all(identities.map(isAlive)), [false, false, false])
  })

  it("finds a twice forked daemon by its marker, even when the root is long gone", async () => {
    const { child, line, marker } = plant("(setsid bash -c 'echo $$; exec sleep 1000' & echo forked >/dev/null)")
    const daemon = await identityOf(await line())
    await until(async () => child.exitCode !== null && (await processTable.read(daemon.pid))?.parent !== child.pid)
    assert.deepStrictEqual(await tree({ marker }), [daemon])
    const { processes } = await terminateTree({ marker }, { graceMs: 5_000 })
    assert.deepStrictEqual(processes, [daemon])
    assert.isFalse(await isAlive(daemon))
  })

  it("finds by further variables what carries a marker of somebody else's", async () => {
    const inner = "(HOLDFAST_PROCESS=inner:1 setsid bash -c 'echo $$; exec sleep 1000' & echo forked >/dev/null)"
    const { child, line, marker } = plant(`export LARGER=one; ${inner}`)
    const daemon = await identityOf(await line())
    await until(async () => child.exitCode !== null && (await processTable.read(daemon.pid))?.parent !== child.pid)
    assert.deepStrictEqual(await tree({ marker, variables: ["LARGER=other"] }), [])
    const { processes } = await terminateTree({ variables: ["LARGER=other", "LARGER=one"] }, { graceMs: 5_000 })
    assert.deepStrictEqual(processes, [daemon])
    assert.isFalse(await isAlive(daemon))
  })

  it("finds an orphan that gave up its environment as long as it stays in the root's session", async () => {
    const { pid, line, marker } = plant("(env -i bash -c 'echo $$; exec sleep 1000' &); exec sleep 1000")
    const orphan = await identityOf(await line())
    await until(async () => (await processTable.read(orphan.pid))?.parent !== pid)
    const root = await identityOf(pid)
    await terminateTree({ root, marker }, { graceMs: 0 })
    assert.isFalse(await isAlive(orphan))
  })

  it("leaves a process alone that merely has the pid", async () => {
    const { child, pid, line } = plant("trap 'echo hung up' HUP; echo ready; while :; do sleep 0.01; done")
    await line()
    const real = await identityOf(pid)
    const { processes } = await terminateTree({ root: { ...real, startTime: "1" } }, { graceMs: 50 })
    assert.deepStrictEqual(processes, [])
    assert.deepStrictEqual(await tree({ root: { ...real, host: "another" } }), [])
    assert.isTrue(await isAlive(real))
    assert.isNull(child.exitCode)
  })

  it("wakes a stopped process to let it follow the request", async () => {
    const { pid, line } = plant("trap 'exit 0' HUP; echo ready; kill -STOP $$; while :; do sleep 0.01; done")
    await line()
    const root = await identityOf(pid)
    const { forced } = await terminateTree({ root }, { graceMs: 20_000 })
    assert.deepStrictEqual(forced, [])
  })

  it("catches up with a tree that goes on forking", async () => {
    const { line, marker } = plant(`
      trap '' HUP TERM
      for i in 1 2 3; do
        bash -c 'trap "" HUP TERM; while :; do (setsid sleep 1000 &); echo forked; sleep 0.002; done' &
      done
      wait`)
    for (let lines = 0; lines < 30; lines++) await line()
    const { forced } = await terminateTree({ marker }, { graceMs: 20 })
    assert.isAtLeast(forced.length, 30)
    assert.deepStrictEqual(await tree({ marker }), [])
  })

  it("is content when what it would force ends by itself meanwhile", async () => {
    for (let round = 0; round < 40; round++) {
      const { line, marker } = plant(`echo ready; read -t 0.00${round % 10} <> <(:)`)
      await line()
      await terminateTree({ marker }, { graceMs: 0 })
      assert.deepStrictEqual(await tree({ marker }), [])
    }
  })

  it("has nothing to do where nothing runs", async () => {
    assert.deepStrictEqual(await terminateTree({ marker: "nobody:1" }), { processes: [], forced: [] })
    assert.deepStrictEqual(await terminateTree({}), { processes: [], forced: [] })
  })

  it("stops waiting when it is aborted, and leaves the rest running", async () => {
    const { pid, line } = plant("trap '' HUP TERM; echo ready; while :; do sleep 0.01; done")
    await line()
    const root = await identityOf(pid)
    const reason = new Error("enough")
    const ending = terminateTree({ root }, { graceMs: 60_000, abort: AbortSignal.abort(reason) })
    const error = await ending.then(
      () => undefined,
      (error: unknown) => error
    )
    assert.strictEqual(error, reason)
    assert.isTrue(await isAlive(root))
  })
})
