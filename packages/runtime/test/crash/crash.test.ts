import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { ptyBackend } from "@holdfast/adapter-pty"
import { emptyState, EventLog, type EventRecord, evolve, type SessionId, sessionStatus } from "@holdfast/core"
import { processMarker, promises } from "@holdfast/process"
import { Holdfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, Layer, Option } from "effect"
import { build } from "esbuild"
import { afterAll, describe, expect, it } from "vitest"
import { agentBackend, digest, endOfLine, type Line, randomFrom } from "./matrix.ts"

/** Kills in all; each lane has a log of its own that is killed again and again. */
const kills = 200
const lanes = 8
const seed = Number(process.env["HOLDFAST_CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** Beside the packages that it is not made of: node-pty and xterm. */
const outfile = join(import.meta.dirname, `../../../../node_modules/.holdfast-crash/${process.pid}.mjs`)

/** The victim in one file: loading its sources one by one would take most of its life. */
const program = build({
  entryPoints: [join(import.meta.dirname, "victim.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22",
  conditions: ["@holdfast/source"],
  external: ["node-pty", "@xterm/headless"],
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
}).then(() => outfile)

afterAll(() => rm(outfile, { force: true }))

/** Runs a victim until it has said some lines, and kills it a random moment later. Gives all that it said. */
const runVictim = async (path: string, victimSeed: number, random: () => number): Promise<ReadonlyArray<Line>> => {
  const victim: ChildProcess = spawn(
    process.execPath,
    [await program, path, String(victimSeed), import.meta.resolve("../../../store-sqlite/src/SqliteWriter.ts")],
    { stdio: ["ignore", "pipe", "pipe"] }
  )
  const lines: Array<Line> = []
  let errors = ""
  victim.stderr!.on("data", (chunk: Buffer) => (errors += chunk.toString()))
  const killAfter = Math.floor(random() * 60)
  const exited = new Promise<NodeJS.Signals | null>((resolve) => victim.once("close", (_, signal) => resolve(signal)))
  let isKilled = false
  const kill = () => {
    isKilled = true
    // Some microseconds or milliseconds into whatever it does after that line.
    if (random() < 0.5) victim.kill("SIGKILL")
    else setTimeout(() => victim.kill("SIGKILL"), random() * 20)
  }
  for await (const text of createInterface({ input: victim.stdout! })) {
    if (text.endsWith(endOfLine)) lines.push(JSON.parse(text.slice(0, -endOfLine.length)) as Line)
    if (lines.length > killAfter && !isKilled) kill()
  }
  const signal = await exited
  expect(`${signal} ${isKilled} ${errors}`).toBe("SIGKILL true ")
  return lines
}

const readAll = (sessionId: SessionId) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const events: Array<EventRecord> = []
    const answers = new Set<string>()
    for (let cursor = 0; ;) {
      const page = yield* log.read(sessionId, cursor)
      answers.add(page.answer)
      if (page.answer !== "gap") events.push(...page.events)
      cursor = page.cursor
      if (cursor >= page.head) return { events, answers }
    }
  })

const atRest = new Set(["idle", "done", "failed"])

/** Starts a runtime on what the victim left, and checks all that must hold. */
const inspect = (path: string, lines: ReadonlyArray<Line>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const holdfast = yield* Holdfast
    for (const line of lines) {
      if (line.kind !== "receipt" || line.receipt.lastSeq < line.receipt.firstSeq) continue
      const { sessionId, commandId } = line.receipt
      const receipt = yield* log.receipt(sessionId, commandId)
      expect(Option.getOrUndefined(receipt), "an acknowledged command is still known").toEqual(line.receipt)
    }
    const page = yield* holdfast.list({ limit: 1_000 })
    expect(page.next).toBeUndefined()
    for (const summary of page.sessions) {
      const { sessionId } = summary
      // Agents are resumed and take up their prompts; terminals have ended when the start is over. None stays "working".
      const state = yield* holdfast
        .until(sessionId, (now) => atRest.has(sessionStatus(now)))
        .pipe(Effect.timeout("30 seconds"))
      if (summary.backend === "pty") {
        expect(["closed", "failed"]).toContain(state.chart.lifecycle)
        for (let generation = 1; generation <= state.generation; generation++) {
          const left = yield* Effect.promise(() => promises.tree({ marker: processMarker(sessionId, generation) }))
          expect(left, "no orphan").toEqual([])
        }
      }
      const { answers, events } = yield* readAll(sessionId)
      expect(answers.has("gap"), "no event is missing").toBe(false)
      const bySeq = new Map(events.map((event) => [event.seq, event]))
      for (const line of lines) {
        if (line.kind !== "seen" || line.sessionId !== sessionId) continue
        const event = bySeq.get(line.seq)
        // A delta may have been compacted since: then the completed item stands for it.
        if (event !== undefined) expect(digest(event), "what was visible is durable").toBe(line.digest)
        else expect(answers.has("snapshot"), `event ${line.seq} was visible`).toBe(true)
      }
      const byCause = Map.groupBy(
        events.filter((event) => event.cause !== undefined),
        (event) => event.cause!
      )
      for (const [commandId, caused] of byCause) {
        const receipt = Option.getOrThrow(yield* log.receipt(sessionId, commandId))
        expect(caused.map((event) => event.seq)).toEqual(
          Array.from({ length: receipt.lastSeq - receipt.firstSeq + 1 }, (_, index) => receipt.firstSeq + index)
        )
      }
      const delivered = events
        .filter((event) => event.type === "prompt.delivered")
        .map((event) => event.data["promptId"])
      expect(new Set(delivered).size, "no prompt is delivered twice").toBe(delivered.length)
      let folded = emptyState(sessionId)
      for (const event of events) folded = evolve(folded, event)
      expect(sessionStatus(folded), "the log tells the same").toBe(sessionStatus(yield* holdfast.state(sessionId)))
    }
  }).pipe(
    Effect.provide(
      Holdfast.layer({ backends: [ptyBackend(), agentBackend()], policy: { retryDelayMs: 20, closeGraceMs: 50 } }).pipe(
        Layer.provideMerge(SqliteEventLog.layer({ path }))
      )
    ),
    Effect.scoped
  )

describe.concurrent(`a runtime killed with SIGKILL (HOLDFAST_CRASH_SEED=${seed})`, { timeout: 400_000 }, () => {
  for (let lane = 0; lane < lanes; lane++) {
    it(`loses nothing, repeats nothing and leaves nothing behind, lane ${lane + 1} of ${lanes}`, async () => {
      const random = randomFrom(seed + lane)
      const directory = await mkdtemp(join(tmpdir(), "holdfast-crash-"))
      try {
        const path = join(directory, "log.db")
        for (let kill = 0; kill < kills / lanes; kill++) {
          const lines = await runVictim(path, Math.floor(random() * 2 ** 31), random)
          await Effect.runPromise(inspect(path, lines))
        }
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    })
  }
})
