/** That a host stays as it is over hundreds of turns: memory, file descriptors, processes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { agentNames, openAgentHouse } from "./agentHouse.ts"
import { patience } from "./agentRuntime.ts"
import type { Weight } from "./soakHost.ts"

/** Sessions, and turns of each: 240 turns for each agent, unless more are asked for. */
const sessions = 4
const rounds = Number(process.env["HOLDFAST_SOAK_ROUNDS"] ?? 60)

/**
 * By how much the last quarter may weigh more than the second: 8 % of the resident memory, which the allocator's pages need,
 * and 3 MiB of the heap, which are the log's caches and the recent events that each session keeps for its readers. What one
 * turn would leave behind if it were 32 KiB would be seen.
 */
const rssMargin = 0.08
const heapMargin = 3 * 1024 * 1024

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

describe.each(agentNames)("a host with %s", (agent) => {
  it.live(
    `weighs the same after ${sessions * rounds} turns, and has no more files and processes`,
    () =>
      Effect.gen(function* () {
        const { model: _, ...place } = yield* openAgentHouse(agent)
        const program = fileURLToPath(new URL("./soakHost.ts", import.meta.url))
        const child = yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn(
              process.execPath,
              [
                "--expose-gc",
                "--conditions=@holdfast/source",
                program,
                JSON.stringify(place),
                `${sessions}`,
                `${rounds}`
              ],
              { stdio: ["ignore", "pipe", "inherit"] }
            )
          ),
          (running) =>
            Effect.promise(async () => {
              if (running.exitCode !== null || running.signalCode !== null) return
              running.kill("SIGKILL")
              await once(running, "exit")
            })
        )
        const exited = once(child, "exit")
        const weights: Array<Weight> = []
        yield* Effect.promise(async () => {
          for await (const line of createInterface({ input: child.stdout })) weights.push(JSON.parse(line) as Weight)
          await exited
        })
        assert.strictEqual(child.exitCode, 0)
        assert.lengthOf(weights, rounds)

        const quarter = Math.floor(rounds / 4)
        const [before, after] = [weights.slice(quarter, 2 * quarter), weights.slice(-quarter)]
        const of = (field: keyof Weight) =>
          [before, after].map((part) => median(part.map((weight) => weight[field]))) as [number, number]
        const [rss, heap, files, processes] = [of("rss"), of("heap"), of("files"), of("processes")]
        yield* Effect.logInfo(`${agent}: ${JSON.stringify({ rss, heap, files, processes })}`)
        assert.isAtMost(rss[1], rss[0] * (1 + rssMargin), "resident memory")
        assert.isAtMost(heap[1], heap[0] + heapMargin, "heap")
        assert.isAtMost(files[1], files[0], "open files")
        assert.isAtMost(processes[1], processes[0], "processes")
      }),
    10 * patience
  )
})
