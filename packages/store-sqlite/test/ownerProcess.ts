/**
 * A program that owns a log, for tests with real processes. It takes commands as lines and answers each with a line of
 * JSON:
 *
 *     append <count> <bytes>    appends that many events, one after the other, with a line for each that is acknowledged
 *     exit                      closes the log and ends
 */
import { makeSessionId, type NewEvent, type SessionId } from "@holdfast/core"
import { Effect, Stream } from "effect"
import { createInterface } from "node:readline"
import { SqliteEventLog } from "../src/index.ts"

const [path, session] = process.argv.slice(2) as [string, SessionId | undefined]
const event = (type: string, data: NewEvent["data"]): NewEvent => ({ at: 1, generation: 0, type, version: 1, data })
const say = (line: unknown) => void process.stdout.write(`${JSON.stringify(line)}\n`)

const serve = Effect.gen(function* () {
  const log = yield* SqliteEventLog.open({ path })
  const id = session ?? makeSessionId()
  let seq = yield* Effect.catchTag(log.head(id), "SessionNotFound", () => Effect.succeed(0))
  if (seq === 0) seq = (yield* log.append(id, 0, [event("session.created", { backend: "test", spec: {} })])).lastSeq
  say({ opened: id, generation: log.owner.generation, seq })
  const lines = createInterface({ input: process.stdin })
  yield* Stream.fromAsyncIterable(lines, (cause) => cause).pipe(
    Stream.takeWhile((line) => line !== "exit"),
    Stream.runForEach(
      Effect.fnUntraced(function* (line) {
        const [, count, size] = line.split(" ").map(Number) as [number, number, number]
        for (let n = 0; n < count; n++) {
          const bytes = new Uint8Array(size).fill((seq + 1) % 256)
          yield* log.append(id, seq, [{ ...event("terminal.output", { offset: seq }), bytes }])
          seq++
          say({ acknowledged: seq })
        }
      })
    )
  )
})

await Effect.runPromise(Effect.scoped(serve)).catch((error: unknown) => {
  const { _tag, message, reason } = error as {
    readonly _tag: string
    readonly message: string
    readonly reason?: string
  }
  say({ error: _tag, reason, message })
})
process.exit()
