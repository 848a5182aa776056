/** Real process trees for tests: bash scripts that print what they started. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { setTimeout as delay } from "node:timers/promises"
import { promises, processMarkerName } from "../src/index.ts"

let count = 0

/** A tree that a script made. */
export interface Tree {
  readonly child: ChildProcess
  readonly pid: number
  readonly marker: string
  /** Waits for the next line that the script prints. */
  readonly line: () => Promise<string>
}

const trees: Array<Tree> = []

/** Runs a bash script in a session of its own, with a marker in its environment. */
export const plant = (script: string): Tree => {
  const marker = `test-${process.pid}-${count++}:1`
  const child = spawn("bash", ["-c", script], {
    env: { ...process.env, [processMarkerName]: marker },
    detached: true,
    stdio: ["ignore", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async () => {
    const next = await lines.next()
    if (next.done === true) throw new Error("the script ended before it printed the line")
    return next.value
  }
  const tree = { child, pid: child.pid!, marker, line }
  trees.push(tree)
  return tree
}

/** Ends what a failed test may have left. */
export const fell = async () => {
  for (const { child, marker } of trees.splice(0)) {
    await promises.terminateTree({ marker }, { graceMs: 0 })
    child.stdout?.destroy()
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  }
}

/** Waits for what the kernel tells nobody about, looking every millisecond; the test's timeout is the deadline. */
export const until = async (condition: () => Promise<boolean>) => {
  while (!(await condition())) await delay(1)
}
