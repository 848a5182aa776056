import { assert, it } from "@effect/vitest"
import { describe } from "vitest"
import { defaultSandboxPolicy, isOver, lifecycleDecisions } from "../../src/lifecycle/SandboxLifecycle.ts"
import type { Decision } from "../../src/lifecycle/Decision.ts"
import type { SandboxPolicy } from "../../src/lifecycle/LifecycleTypes.ts"
import { type Choice, SandboxWorld } from "./SandboxWorld.ts"

/** Times of which many coincide, so that fewer worlds differ. */
const policy: SandboxPolicy = {
  ...defaultSandboxPolicy,
  lookTimeoutMs: 30_000,
  connectTimeoutMs: 60_000,
  spawnTimeoutMs: 120_000,
  syncTimeoutMs: 240_000,
  snapshotTimeoutMs: 120_000,
  hibernateAfterMs: 60_000,
  hibernateWatchedAfterMs: 80_000,
  snapshotEveryMs: 70_000,
  maxSpawns: 2,
  maxSnapshots: 2,
  breakerFailures: 2
}

/** A fast random number in [0, 1) from a seed (mulberry32). */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

/** What a sandbox needs to come up: a schedule without it ends early. */
const onward = new Set<Choice>(["mail", "look ok", "spawn ok", "connect", "inner opens", "open"])

/** Lets nothing fail any more, and everything come to its end: the session is opened once more, and left. */
const settle = (world: SandboxWorld, trace: Array<Choice>): void => {
  const go = (choice: Choice) => {
    trace.push(choice)
    world.apply(choice)
  }
  world.state.healthy = true
  let opened = false
  const quiet = () => isOver(world.state.life) || world.state.life.phase === "idle"
  for (let opens = 0; opens < 4; opens++) {
    for (let steps = 0; !quiet() || world.state.mail.length > 0; steps++) {
      if (steps > 300) throw new Error(`it does not come to an end in ${world.state.life.phase}`)
      const { generation, life } = world.state
      if (life.isOpen && generation !== null && world.state.mail.length === 0) {
        opened = opens > 0
        world.state.busy = false
        go("release")
        continue
      }
      const choices = world.choices()
      // What is under way comes before the time at which it would be late.
      const choice = choices.find((one) => one !== "time" && one !== "hear") ?? choices.find((one) => one === "time")
      if (choice === undefined) throw new Error(`nothing can happen in ${life.phase}`)
      go(choice)
    }
    if (world.state.generation !== null) go("release")
    if (world.state.over || opened) break
    if (opens === 3) throw new Error("it does not open, although nothing fails but what was damaged")
    world.state.healthy = true
    go("open")
  }
  const left = world.state.sandboxes.filter(({ givenUp, running, token }) => {
    const isLogged = token === world.state.log.tokenHash
    return running && !givenUp && (isLogged || !isOver(world.state.life))
  })
  if (left.length > 0) throw new Error(`${left.map(({ id }) => id).join()} is left`)
}

const nameOf = ({ at, on, when }: Decision) => `${on} at ${at.join(", ")}${when === undefined ? "" : `, where ${when}`}`

/** How far every order is tried: some 28,000 states, in each of which all that can happen is tried. */
const depth = 12

/** So many random schedules are tried; with a seed of one's own they are the same again. */
const schedules = 100_000

describe("any schedule", () => {
  it("keeps its promises in every order of what can happen, 12 steps deep", { timeout: 60_000 }, () => {
    let frontier: Array<{ readonly world: SandboxWorld; readonly path: ReadonlyArray<Choice> }> = [
      { world: new SandboxWorld({ policy }), path: [] }
    ]
    const seen = new Set<string>([frontier[0]!.world.key()])
    let steps = 0
    for (let at = 0; at < depth; at++) {
      const next: typeof frontier = []
      for (const { path, world } of frontier) {
        for (const choice of world.choices()) {
          const copy = world.copy()
          steps++
          try {
            copy.apply(choice)
          } catch (error) {
            throw new Error(`after ${[...path, choice].join(" → ")}: ${String(error)}`, { cause: error })
          }
          const key = copy.key()
          if (seen.has(key)) continue
          seen.add(key)
          next.push({ world: copy, path: [...path, choice] })
        }
      }
      frontier = next
    }
    assert.isAbove(seen.size, 25_000)
  })

  it("keeps its promises in 100,000 random schedules, and comes to an end after each", { timeout: 120_000 }, () => {
    const first = Number(process.env["HOLDFAST_LIFECYCLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
    const decided = new Set<unknown>()
    for (let count = 0; count < schedules; count++) {
      const seed = (first + count) | 0
      const random = randomOf(seed)
      const world = new SandboxWorld({ policy, rare: true })
      const trace: Array<Choice> = []
      // Each schedule has its own idea of what is likely.
      const weights = new Map<Choice, number>()
      const weightOf = (choice: Choice) => {
        if (!weights.has(choice)) {
          weights.set(choice, [0.02, 1, 1, 4][Math.floor(random() * 4)]! * (onward.has(choice) ? 8 : 1))
        }
        return weights.get(choice)!
      }
      try {
        const length = 8 + Math.floor(random() * 24)
        for (let step = 0; step < length; step++) {
          const choices = world.choices()
          let at = random() * choices.reduce((sum, choice) => sum + weightOf(choice), 0)
          const choice = choices.find((one) => (at -= weightOf(one)) < 0) ?? choices.at(-1)
          if (choice === undefined) break
          trace.push(choice)
          world.apply(choice)
        }
        settle(world, trace)
      } catch (error) {
        throw new Error(`seed ${seed}, after ${trace.join(" → ")}: ${String(error)}`, { cause: error })
      }
      for (const decision of world.decided) decided.add(decision)
    }
    const undecided = lifecycleDecisions.filter((decision) => !decided.has(decision))
    assert.isAtMost(undecided.length, 8, `from seed ${first} nothing came to ${undecided.map(nameOf).join("; ")}`)
  })
})
