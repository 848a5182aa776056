/**
 * The agents' benchmarks: the real agents on a model of this machine, behind Holdfast with its log and a follower, and
 * behind a client that reads the agent's stream and does nothing else.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { type Backend, type EventRecord, type SessionId } from "@holdfast/core"
import { createHoldfast, type PlainHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { modelKeyName, writeCodexHome, writeOpencodeHome } from "@holdfast/testkit"
import { type BareAgent, bareCodex, bareOpencode } from "./bareAgents.ts"
import { atMost, compare, type Figure, inDirectory, interleave, median, timed } from "./harness.ts"

/** Rounds of each comparison. */
const rounds = 5

/** Deltas of which each tells when it was sent, and the pause between them: slower than deltas are handed out at most. */
const stamps = 60
const stampMs = 30

/** Turns at once, as many as one person's fleet of agents. */
const turnsAtOnce = 20
const sessionsAtOnce = 16

/** A megabyte in small pieces: what an answer of a whole file is. */
const bulk = { deltas: 20_000, size: 50 }

/** Sessions of the memory benchmark. */
const idleSessions = 50

/** One agent, both ways. */
interface Contender {
  readonly name: "codex" | "opencode"
  readonly backend: Backend
  readonly spec: { readonly cwd: string }
  readonly bare: () => Promise<BareAgent>
}

const contenders = (directory: string, url: string): ReadonlyArray<Contender> => {
  const codex = writeCodexHome({
    folder: join(directory, "codex"),
    url,
    settings: { approval_policy: "never", sandbox_mode: "danger-full-access" }
  }).environment
  const opencode = writeOpencodeHome({ folder: join(directory, "opencode"), url }).environment
  return [
    {
      name: "codex",
      backend: codexBackend({ env: { values: codex, pass: [modelKeyName] } }),
      spec: { cwd: directory },
      bare: () => bareCodex({ cwd: directory, env: codex })
    },
    {
      name: "opencode",
      backend: opencodeBackend({ env: { values: opencode } }),
      spec: { cwd: directory },
      bare: () => bareOpencode({ cwd: directory, env: opencode })
    }
  ]
}

const withModel = async <A>(use: (url: string) => Promise<A>): Promise<A> => {
  const model: ChildProcess = fork(join(import.meta.dirname, "agentModel.ts"))
  try {
    const [port] = (await once(model, "message")) as [number]
    return await use(`http://127.0.0.1:${port}/v1`)
  } finally {
    model.disconnect()
    await once(model, "exit")
  }
}

const opened = (directory: string, backend: Backend): Promise<PlainHoldfast> =>
  createHoldfast({
    store: SqliteEventLog.layer({ path: join(directory, `${backend.name}-${performance.now()}.db`) }),
    backends: [backend]
  })

const start = async (holdfast: PlainHoldfast, { backend, spec }: Contender): Promise<SessionId> => {
  const { sessionId } = await holdfast.create({ backend: backend.name, spec })
  await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
  return sessionId
}

/** Says something and follows the session until its turn has ended. */
const turn = async (
  holdfast: PlainHoldfast,
  sessionId: SessionId,
  prompt: string,
  onEvent: (event: EventRecord) => void = () => {}
): Promise<void> => {
  const { firstSeq } = await holdfast.command(sessionId, {
    type: "prompt.send",
    data: { content: [{ type: "text", text: prompt }] }
  })
  for await (const page of holdfast.follow(sessionId, firstSeq)) {
    if (page.answer === "gap") throw new Error(page.detail)
    if (page.answer === "caught-up") continue
    for (const event of page.events) {
      onEvent(event)
      if (event.type === "backend.failed") throw new Error(`the session failed: ${JSON.stringify(event.data)}`)
      if (event.type !== "turn.completed") continue
      if (event.data["outcome"] !== "completed") throw new Error(`the turn failed: ${JSON.stringify(event.data)}`)
      return
    }
  }
}

const now = () => performance.timeOrigin + performance.now()

/** How long ago the times in a text were. */
const agesOf = (text: string): ReadonlyArray<number> => {
  const seen = now()
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => seen - Number(line))
}

const latency = async (contender: Contender, holdfast: PlainHoldfast, bare: BareAgent): Promise<Figure> => {
  const ours = await start(holdfast, contender)
  const theirs = await bare.session()
  const prompt = `stamps ${stamps} ${stampMs}`
  const values = await interleave(rounds, {
    bare: async () => {
      const ages: Array<number> = []
      await bare.turn(theirs, prompt, (text) => ages.push(...agesOf(text)))
      return median(ages)
    },
    ours: async () => {
      const ages: Array<number> = []
      await turn(holdfast, ours, prompt, ({ data, type }) => {
        if (type === "item.delta") ages.push(...agesOf(String(data["text"])))
      })
      return median(ages)
    }
  })
  const more = median(values.ours.map((value, round) => value - values.bare[round]!))
  return atMost(`${contender.name}: from the agent's stream to a follower, p50 more than a bare client`, "ms", more, 2)
}

const manyTurns = async (
  contender: Contender,
  holdfast: PlainHoldfast,
  bare: BareAgent
): Promise<ReadonlyArray<Figure>> => {
  const ours = await Promise.all(Array.from({ length: turnsAtOnce }, () => start(holdfast, contender)))
  const theirs = await Promise.all(Array.from({ length: turnsAtOnce }, () => bare.session()))
  const cpu: { readonly [P in "bare" | "ours"]: Array<number> } = { bare: [], ours: [] }
  const measured = (name: "bare" | "ours", run: () => Promise<unknown>) => async () => {
    const before = process.cpuUsage()
    const wall = await timed(run)
    const { system, user } = process.cpuUsage(before)
    cpu[name].push((system + user) / 1e3)
    return wall
  }
  const values = await interleave(rounds, {
    bare: measured("bare", () => Promise.all(theirs.map((id) => bare.turn(id, "hello", () => {})))),
    ours: measured("ours", () => Promise.all(ours.map((id) => turn(holdfast, id, "hello"))))
  })
  const one = await interleave(rounds, { one: () => timed(() => turn(holdfast, ours[0]!, "hello")) })
  const sixteen = await interleave(rounds, {
    sixteen: async () => {
      const wall = await timed(() =>
        Promise.all(ours.slice(0, sessionsAtOnce).map((id) => turn(holdfast, id, "hello")))
      )
      return wall / sessionsAtOnce
    }
  })
  return [
    compare(`${contender.name}: ${turnsAtOnce} turns at once, wall`, "ms", values.ours, values.bare, { atMost: 1.2 }),
    // The first round of each is a warm-up, here as well.
    compare(`${contender.name}: the same, processor time of the host`, "ms", cpu.ours.slice(1), cpu.bare.slice(1), {
      atMost: 3
    }),
    compare(
      `${contender.name}: ${sessionsAtOnce} sessions at once, wall a turn, to one alone`,
      "ms",
      sixteen.sixteen,
      one.one,
      {
        atMost: 2
      }
    )
  ]
}

const bulkAnswer = async (contender: Contender, directory: string): Promise<ReadonlyArray<Figure>> => {
  const store = join(directory, `bulk-${contender.name}.db`)
  const holdfast = await createHoldfast({ store: SqliteEventLog.layer({ path: store }), backends: [contender.backend] })
  try {
    const sessionId = await start(holdfast, contender)
    await turn(holdfast, sessionId, "hello")
    await holdfast.vacuum()
    const before = (await holdfast.stats()).bytes
    let rows = 0
    let length = 0
    let joined: Promise<number> | undefined
    await turn(holdfast, sessionId, `bulk ${bulk.deltas} ${bulk.size}`, ({ data, type }) => {
      if (type !== "item.delta") return
      rows++
      length += String(data["text"]).length
      if (length > (bulk.deltas * bulk.size) / 2) joined ??= firstText(holdfast, sessionId, length)
    })
    const sawMs = await (joined ?? Promise.reject(new Error("the answer never was half done")))
    await holdfast.vacuum()
    const bytes = (await holdfast.stats()).bytes - before
    return [
      atMost(`${contender.name}: rows of an answer of 1 MB in ${bulk.deltas} deltas`, "rows", rows, 200),
      atMost(
        `${contender.name}: bytes stored of it after compaction, to its own`,
        "×",
        bytes / (bulk.deltas * bulk.size),
        2
      ),
      atMost(`${contender.name}: who joins in its middle has what there is of it after`, "ms", sawMs)
    ]
  } finally {
    await holdfast.close()
  }
}

/** Joins as a new reader; gives the milliseconds until it has as much of the newest item as there was when it joined. */
const firstText = async (holdfast: PlainHoldfast, sessionId: SessionId, length: number): Promise<number> => {
  const joined = performance.now()
  let seen = 0
  for await (const page of holdfast.follow(sessionId, 0)) {
    if (page.answer === "gap") throw new Error(page.detail)
    if (page.answer === "caught-up") continue
    for (const { data, type } of page.events) {
      if (type === "item.delta") seen += String(data["text"]).length
      if (type === "item.completed" && seen < length) seen = Math.max(seen, String(data["text"] ?? "").length)
    }
    if (seen >= length) return performance.now() - joined
  }
  throw new Error("the session ended before the reader had its text")
}

/** Kilobytes that the host keeps for each session that has had a turn and waits: of its heap, and of buffers beside it. */
const idleMemory = async (contender: Contender, directory: string): Promise<Figure> => {
  const holdfast = await opened(directory, contender.backend)
  try {
    const open = async () => {
      const ids: Array<SessionId> = []
      for (let at = 0; at < idleSessions; at++) {
        ids.push(await start(holdfast, contender))
        await turn(holdfast, ids.at(-1)!, "hello")
      }
      return ids
    }
    // As many before, and closed: what the heap and its holes need is there.
    for (const id of await open()) {
      await holdfast.command(id, { type: "session.close", data: { force: true } })
      await holdfast.until(id, ({ chart }) => chart.lifecycle === "closed")
    }
    const before = await settledKb()
    await open()
    const after = await settledKb()
    return atMost(
      `${contender.name}: memory of the host for an idle session (${idleSessions} of them)`,
      "KB",
      (after - before) / idleSessions,
      200
    )
  } finally {
    await holdfast.close()
  }
}

const settledKb = async (): Promise<number> => {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { external, heapUsed } = process.memoryUsage()
  return (heapUsed + external) / 1e3
}

/**
 * Everything, agent by agent; `HOLDFAST_BENCH_PARTS` names some of `latency,turns,bulk,idle`, and `codex` or `opencode` for one of
 * the agents.
 */
export const agentBenchmarks = (): Promise<ReadonlyArray<Figure>> =>
  withModel((url) =>
    inDirectory(async (directory) => {
      const named = process.env["HOLDFAST_BENCH_PARTS"]?.split(",") ?? []
      const asked = (names: ReadonlyArray<string>) => {
        const some = names.filter((name) => named.includes(name))
        return new Set(some.length === 0 ? names : some)
      }
      const agents = asked(["codex", "opencode"])
      const parts = asked(["latency", "turns", "bulk", "idle"])
      const figures: Array<Figure> = []
      for (const contender of contenders(directory, url)) {
        if (!agents.has(contender.name)) continue
        if (parts.has("latency") || parts.has("turns")) {
          const bare = await contender.bare()
          const holdfast = await opened(directory, contender.backend)
          try {
            if (parts.has("latency")) figures.push(await latency(contender, holdfast, bare))
            if (parts.has("turns")) figures.push(...(await manyTurns(contender, holdfast, bare)))
            figures.push(
              atMost(`${contender.name}: memory of the agent's own server, for comparison`, "MB", bare.residentMb())
            )
          } finally {
            await holdfast.close()
            await bare.close()
          }
        }
        if (parts.has("bulk")) figures.push(...(await bulkAnswer(contender, directory)))
        if (parts.has("idle")) figures.push(await idleMemory(contender, directory))
      }
      return figures
    })
  )
