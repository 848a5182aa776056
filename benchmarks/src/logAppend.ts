/** Appending, and how soon a follower sees it. */
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { type EventLogService, makeSessionId, type NewEvent, type SessionId } from "@holdfast/core"
import { type SqliteOptions, SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, Fiber, Stream } from "effect"
import { atMost, compare, type Figure, inDirectory, interleave, quantile } from "./harness.ts"

/** Rounds that are counted. */
const rounds = 7

/** About 300 bytes of JSON: a piece of an agent's message. */
export const textEvent = (n: number): NewEvent => ({
  at: 1_700_000_000_000 + n,
  generation: 1,
  type: "item.delta",
  version: 1,
  data: { itemId: "item-1", field: "text", text: "x".repeat(250) }
})

/** The first event of a session. */
export const created: NewEvent = {
  at: 1_700_000_000_000,
  generation: 0,
  type: "session.created",
  version: 1,
  data: { backend: "bench", spec: {} }
}

/** A table that somebody would write without us: the same columns, one statement prepared once, WAL. */
export const rawTable = (path: string, durability: "process" | "power" = "process") => {
  const db = new DatabaseSync(path)
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`)
  db.exec(
    `CREATE TABLE events (session INTEGER, seq INTEGER, at INTEGER, generation INTEGER, type TEXT, version INTEGER,
       data TEXT, bytes BLOB, actor TEXT, cause TEXT, PRIMARY KEY (session, seq)) WITHOUT ROWID`
  )
  return { db, insert: db.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") }
}

/** Inserts an event as the baseline does. */
export const insertRaw = (insert: StatementSync, session: number, seq: number, event: NewEvent) =>
  insert.run(
    session,
    seq,
    event.at,
    event.generation,
    event.type,
    event.version,
    JSON.stringify(event.data),
    event.bytes ?? null,
    null,
    null
  )

/** Uses a log in a directory of its own. */
export const withLog = <A>(
  use: (log: EventLogService, path: string) => Effect.Effect<A, unknown>,
  options: Partial<SqliteOptions> = {}
): Promise<A> =>
  inDirectory((directory) => {
    const path = `${directory}/log.db`
    return Effect.runPromise(
      Effect.scoped(Effect.flatMap(SqliteEventLog.open({ path, ...options }), (log) => use(log, path)))
    )
  })

const clock = Effect.sync(() => performance.now())
const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

const oneCaller = async (durability: "process" | "power", count: number): Promise<Figure> => {
  const rates = await interleave(rounds, {
    ours: () =>
      withLog(
        (log) =>
          Effect.gen(function* () {
            const id = makeSessionId()
            yield* log.append(id, 0, [created])
            const started = yield* clock
            for (let n = 1; n <= count; n++) yield* log.append(id, n, [textEvent(n)])
            return (count / ((yield* clock) - started)) * 1000
          }),
        { durability }
      ),
    baseline: () =>
      inDirectory(async (directory) => {
        const { db, insert } = rawTable(`${directory}/raw.db`, durability)
        const started = performance.now()
        for (let n = 1; n <= count; n++) insertRaw(insert, 1, n, textEvent(n))
        const rate = (count / (performance.now() - started)) * 1000
        db.close()
        return rate
      })
  })
  const goal = durability === "process" ? { atLeast: 0.6 } : {}
  return compare(`append, 1 caller, 1 event a call, ${durability}`, "events/s", rates.ours, rates.baseline, goal)
}

const manyCallers = async (sessions: number, count: number): Promise<Figure> => {
  const callers = 100
  const rates = await interleave(rounds, {
    ours: () =>
      withLog((log) =>
        Effect.gen(function* () {
          const ids = Array.from({ length: sessions }, () => makeSessionId())
          for (const id of ids) yield* log.append(id, 0, [created])
          const heads = new Map<SessionId, number>(ids.map((id) => [id, 1]))
          const caller = (who: number) => {
            const id = ids[who % sessions]!
            return Effect.gen(function* () {
              for (let n = 0; n < count / callers; n++) {
                const head = heads.get(id)!
                heads.set(id, head + 1)
                yield* log.append(id, head, [textEvent(n)])
              }
            })
          }
          const started = yield* clock
          yield* Effect.all(
            Array.from({ length: callers }, (_, who) => caller(who)),
            { concurrency: "unbounded", discard: true }
          )
          return (count / ((yield* clock) - started)) * 1000
        })
      ),
    baseline: () =>
      inDirectory(async (directory) => {
        const { db, insert } = rawTable(`${directory}/raw.db`)
        const [begin, commit] = [db.prepare("BEGIN"), db.prepare("COMMIT")]
        const started = performance.now()
        for (let n = 0; n < count / callers; n++) {
          begin.run()
          for (let who = 0; who < callers; who++) {
            const seq = sessions === 1 ? n * callers + who : n
            insertRaw(insert, who % sessions, seq, textEvent(n))
          }
          commit.run()
        }
        const rate = (count / (performance.now() - started)) * 1000
        db.close()
        return rate
      })
  })
  const name = `append, 100 callers, ${sessions} session${sessions === 1 ? "" : "s"}, against batches of 100`
  return compare(name, "events/s", rates.ours, rates.baseline, { atLeast: 0.6 })
}

/** Milliseconds from the call of `append` until a follower has the event, against a callback after a raw commit. */
const latency = async (count: number): Promise<ReadonlyArray<Figure>> => {
  const tails: Array<number> = []
  const middles = await interleave(rounds, {
    ours: () =>
      withLog((log) =>
        Effect.gen(function* () {
          const id = makeSessionId()
          yield* log.append(id, 0, [created])
          let sent = 0
          const took: Array<number> = []
          const follower = yield* Effect.forkChild(
            Stream.runForEach(log.follow(id, 1), (page) =>
              Effect.sync(() => {
                if (page.answer === "exact") took.push(performance.now() - sent)
              })
            )
          )
          for (let n = 1; n <= count; n++) {
            // As events come in life: one at a time, each from a fresh turn of the event loop.
            yield* turn
            sent = yield* clock
            yield* log.append(id, n, [textEvent(n)])
          }
          yield* turn
          yield* Fiber.interrupt(follower)
          if (took.length !== count) return yield* Effect.die(new Error(`the follower saw ${took.length} events`))
          tails.push(quantile(took, 0.99))
          return quantile(took, 0.5)
        })
      ),
    baseline: () =>
      inDirectory(async (directory) => {
        const { db, insert } = rawTable(`${directory}/raw.db`)
        const took: Array<number> = []
        let sent = 0
        const callback = () => took.push(performance.now() - sent)
        for (let n = 1; n <= count; n++) {
          await new Promise<void>((resolve) => void setImmediate(resolve))
          sent = performance.now()
          insertRaw(insert, 1, n, textEvent(n))
          callback()
        }
        db.close()
        return quantile(took, 0.5)
      })
  })
  return [
    compare("append → seen by a follower, p50", "ms", middles.ours, middles.baseline, { atMost: 3 }),
    atMost("append → seen by a follower, p99", "ms", quantile(tails, 0.5), 10)
  ]
}

/** The figures of appending. */
export const appendBenchmarks = async (): Promise<ReadonlyArray<Figure>> => [
  await oneCaller("process", 20_000),
  await oneCaller("power", 1_000),
  await manyCallers(1, 50_000),
  await manyCallers(100, 50_000),
  ...(await latency(3_000))
]
