import { assert, it } from "@effect/vitest"
import { describe } from "vitest"
import { defaultSandboxPolicy, lifecycleDecisions, longestOpening } from "../../src/lifecycle/SandboxLifecycle.ts"
import { lifecycleChart, type LifecycleMove, moveLifecycle } from "../../src/lifecycle/LifecycleChart.ts"
import {
  admitSpawn,
  closedBreaker,
  probeGivenUp,
  spawnBroke,
  spawnSucceeded
} from "../../src/lifecycle/SpawnBreaker.ts"
import { decisionTable } from "./decisionTable.ts"
import { type Given, given } from "./given.ts"
import { LifecycleBench, type Word } from "./LifecycleBench.ts"

describe("the table of decisions", () => {
  for (const [situation, happens, phase, actions] of decisionTable) {
    it(`${situation}: ${happens} → ${phase}${actions.length === 0 ? "" : `: ${actions.join(", ")}`}`, () => {
      const answer = given(situation).go(happens)
      assert.deepStrictEqual([answer.phase, answer.actions], [phase, actions])
    })
  }

  it("has no decision that the cases above leave out", () => {
    const tried = new Set(decisionTable.map(([situation, happens]) => given(situation).go(happens).by))
    assert.deepStrictEqual(
      lifecycleDecisions.filter((decision) => !tried.has(decision)).map(({ at, on, when }) => ({ at, on, when })),
      []
    )
  })

  it("makes no move that the chart does not have, and the chart has none that no decision makes", () => {
    const made = new Set<string>()
    for (const { at, moves } of lifecycleDecisions) {
      for (const phase of at) {
        // Moves are named in order: the later ones lead on from where the first one led.
        const reached = new Set([phase])
        for (const move of moves) {
          for (const from of Array.from(reached)) {
            const to = moveLifecycle(from, move)
            if (to === undefined) continue
            made.add(`${from} ${move}`)
            reached.add(to)
          }
        }
        const leads = reached.size > 1 || moves.every((move) => moveLifecycle(phase, move) === phase)
        assert.isTrue(leads, `${moves.join()} from ${phase}`)
      }
    }
    const drawn = Object.entries(lifecycleChart.states).flatMap(([phase, state]) =>
      Object.keys(state.config.on ?? {}).map((move) => `${phase} ${move}`)
    )
    assert.deepStrictEqual(
      drawn.filter((edge) => !made.has(edge)),
      []
    )
    assert.isUndefined(moveLifecycle("idle", "greet" satisfies LifecycleMove))
  })
})

describe("deadlines", () => {
  const minute = 60_000
  const expected: ReadonlyArray<readonly [Given, number | undefined]> = [
    ["nothing", undefined],
    ["looking", 30_000],
    ["cooling", 2_000],
    ["the breaker is open", 30_000],
    ["warming", 5 * minute],
    ["connecting", 2 * minute],
    ["syncing", 90_000],
    ["syncing for too long", 10 * minute],
    ["ready", 90_000],
    ["ready for half an hour", 0],
    ["running", 90_000],
    ["stale", 30_000],
    ["snapshot to rest", 5 * minute],
    ["snapshot to rest, between two tries", 2_000],
    ["lingering", minute],
    ["lingering because it could not be stored", 10 * minute],
    ["destroying", 30_000]
  ]
  for (const [situation, ms] of expected) {
    it(`${situation}: ${ms === undefined ? "nothing is waited for" : `${ms} ms`}`, () => {
      assert.strictEqual(given(situation).dueIn, ms)
    })
  }

  it("come to nothing while they are not over", () => {
    for (const [situation, ms] of expected) {
      if (ms === undefined || ms === 0) continue
      const bench = given(situation)
      const { phase } = bench.state
      bench.now = bench.due! - 1
      const before = bench.state
      bench.breaker = { ...bench.breaker }
      const { actions } = bench.go("wait 0", "watch")
      assert.deepStrictEqual([bench.state.phase, actions], [phase, []])
      assert.strictEqual(bench.state.since, before.since)
    }
  })

  it("double the wait between two spawns up to a minute, and honour what the provider asks for", () => {
    const bench = new LifecycleBench({ maxSpawns: 10, breakerFailures: 100 })
    bench.go("open")
    const waits: Array<number | undefined> = []
    for (let tries = 0; tries < 8; tries++) {
      bench.go("spawn fails")
      waits.push(bench.dueIn)
      bench.go("time")
    }
    assert.deepStrictEqual(
      waits,
      [2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000)
    )
    bench.go("spawn is to wait")
    assert.strictEqual(bench.dueIn, 60_000)
    const asked = new LifecycleBench()
    asked.go("open", "spawn is to wait")
    assert.strictEqual(asked.dueIn, 7_000)
  })

  it("put an idle sandbox to rest later while somebody watches, and begin anew when the last one leaves", () => {
    const policy = { staleAfterMs: 365 * 86_400_000, snapshotEveryMs: 0 }
    const ready: ReadonlyArray<Word> = ["open", "spawned", "connect", "inner opens"]
    const bench = new LifecycleBench(policy)
    bench.go(...ready)
    assert.strictEqual(bench.dueIn, 30 * minute)
    bench.go("watch")
    assert.strictEqual(bench.dueIn, 120 * minute)
    bench.go(`wait ${100 * minute}`, "unwatch")
    assert.strictEqual(bench.dueIn, 30 * minute)
    bench.go(`wait ${20 * minute}`, "rest")
    assert.strictEqual(bench.dueIn, 30 * minute, "it was not idle")
    bench.go("work")
    assert.isAbove(bench.dueIn!, 120 * minute, "a turn runs")
    const never = new LifecycleBench({ ...policy, hibernateAfterMs: 0, hibernateWatchedAfterMs: 0 })
    never.go(...ready)
    assert.isAbove(never.dueIn!, 120 * minute)
  })

  it("take a snapshot on schedule only while something is new, and none where the provider takes none", () => {
    const bench = new LifecycleBench({ staleAfterMs: 365 * 86_400_000, hibernateAfterMs: 0 })
    bench.go("open", "spawned", "connect", "inner opens")
    assert.strictEqual(bench.dueIn, 30 * minute)
    assert.strictEqual(bench.go("time", "taken").phase, "ready")
    assert.isAbove(bench.dueIn!, 120 * minute, "nothing is new")
    bench.go("wait 600000", "work")
    assert.strictEqual(bench.dueIn, 20 * minute)
    const without = given("ready, without snapshots")
    assert.strictEqual(without.go("work", "time").phase, "stale", "nothing but the silence is waited for")
  })

  it("take a turn that goes on for something new, whatever was stored while it ran", () => {
    const bench = given("snapshot on schedule")
    assert.strictEqual(bench.go("taken", "exit").phase, "lingering")
    assert.deepStrictEqual(bench.go("time").actions, ["snapshot s1"])
  })

  it("give an opening a bound that is far above what it takes", () => {
    assert.isAbove(longestOpening(defaultSandboxPolicy), 30 * minute)
  })
})

describe("the breaker before a provider", () => {
  const policy = { breakerFailures: 3, breakerCooldownMs: 1_000, spawnTimeoutMs: 500 }

  it("lets everybody through until too many fail in a row", () => {
    let breaker = spawnBroke(spawnBroke(closedBreaker, false, 0, policy), false, 0, policy)
    assert.isTrue(admitSpawn(breaker, 0, policy).admitted)
    breaker = spawnBroke(spawnBroke(spawnSucceeded(breaker), false, 0, policy), false, 0, policy)
    assert.isTrue(admitSpawn(breaker, 0, policy).admitted, "a success begins the count anew")
    breaker = spawnBroke(breaker, false, 0, policy)
    assert.isFalse(admitSpawn(breaker, 999, policy).admitted)
  })

  it("lets one try through after a while, which decides for all", () => {
    const open = { status: "open", until: 1_000 } as const
    const first = admitSpawn(open, 1_000, policy)
    assert.deepInclude(first, { admitted: true, probe: true })
    assert.isFalse(admitSpawn(first.breaker, 1_001, policy).admitted)
    assert.isFalse(admitSpawn(spawnBroke(first.breaker, true, 1_100, policy), 2_099, policy).admitted)
    assert.isTrue(admitSpawn(spawnBroke(first.breaker, true, 1_100, policy), 2_100, policy).probe)
    assert.deepStrictEqual(spawnSucceeded(first.breaker), closedBreaker)
  })

  it("lets the next one try where the first gave up or never came back", () => {
    const { breaker } = admitSpawn({ status: "open", until: 0 }, 0, policy)
    assert.isTrue(admitSpawn(probeGivenUp(breaker, 10), 10, policy).probe)
    assert.isTrue(admitSpawn(breaker, 500, policy).probe)
  })

  it("lets the next one try at once where whoever tried is not wanted any more", () => {
    for (const happens of ["release", "suspend", "close", "detach", "ban"] as const) {
      const trying = given("the breaker is open")
      trying.go("time")
      assert.strictEqual(trying.breaker.status, "halfOpen")
      trying.go(happens)
      assert.isTrue(admitSpawn(trying.breaker, trying.now, trying.policy).admitted, happens)
    }
  })

  it("counts nothing against a provider that was asked before it opened", () => {
    const { breaker } = admitSpawn({ status: "open", until: 0 }, 0, policy)
    assert.deepStrictEqual(spawnBroke(breaker, false, 10, policy), breaker)
  })

  it("is shared: a session waits for another one's try, and is let through when that succeeds", () => {
    const waiting = given("the breaker is open")
    waiting.breaker = { status: "halfOpen", until: waiting.now + 60_000 }
    assert.strictEqual(waiting.go("time").phase, "pending")
    assert.strictEqual(waiting.dueIn, 1_000)
    waiting.breaker = closedBreaker
    assert.strictEqual(waiting.go("time").phase, "warming")
  })
})
