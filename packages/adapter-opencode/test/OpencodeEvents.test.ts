/** A stream of events that goes wrong in ways that the real server cannot be made to show. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { makeOpencodeClient } from "../src/OpencodeClient.ts"
import { openOpencodeEvents, type OpencodeListener } from "../src/OpencodeEvents.ts"

const connected = `data: {"id":"evt_1","type":"server.connected","properties":{}}\n\n`

/** A server whose streams a test writes itself. Each begins as Opencode's do; of those after the first `later` says what happens. */
const openStreams = (later: (stream: ServerResponse) => void = (stream) => stream.write(connected)) =>
  Effect.gen(function* () {
    const streams: Array<ServerResponse> = []
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const started = createServer((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          if (streams.push(response) === 1) response.write(connected)
          else later(response)
        })
        started.listen(0, "127.0.0.1", () => resume(Effect.succeed(started)))
      }),
      (started) =>
        Effect.callback<void>((resume) => {
          started.close(() => resume(Effect.void))
          started.closeAllConnections()
        })
    )
    const client = yield* makeOpencodeClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    const events = yield* openOpencodeEvents(client, "/somewhere")
    const heard = makeListener()
    yield* events.listen(heard.listener)
    return { first: streams[0]!, ...heard }
  })

/** What a listener learns, in words; and the moments at which it learns it. */
const makeListener = () => {
  const told: Array<string> = []
  const waiting: Array<[string, Deferred.Deferred<void>]> = []
  const tell = (words: string) => {
    told.push(words)
    for (const [wanted, deferred] of waiting) if (words.startsWith(wanted)) Deferred.doneUnsafe(deferred, Exit.void)
  }
  const listener: OpencodeListener = {
    onEvent: ({ type }) => tell(`event ${type}`),
    onBreak: (attempt, reason) => tell(`break ${attempt} ${reason}`),
    onMend: () => tell("mend"),
    onEnd: (error) => tell(`end ${error.message}`)
  }
  const hears = (words: string) => {
    const deferred = Deferred.makeUnsafe<void>()
    waiting.push([words, deferred])
    return told.some((each) => each.startsWith(words)) ? Effect.void : Deferred.await(deferred)
  }
  return { told, listener, hears }
}

/** Lets the waits between two attempts pass. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    effect,
    Effect.gen(function* () {
      for (;;) {
        yield* TestClock.adjust(10)
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
    })
  )

describe("a stream of events", () => {
  it.effect("that falls silent is broken off after 30 s and opened again, though its connection stands", () =>
    Effect.gen(function* () {
      const { hears, told } = yield* openStreams()
      yield* TestClock.adjust(29_000)
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust(7_000)
      yield* hears("break 1 GET /event: unreachable: the server said nothing for 30 s")
      yield* passing(hears("mend"))
    })
  )

  it.effect("that heartbeats keeps standing", () =>
    Effect.gen(function* () {
      const { first, hears, told } = yield* openStreams()
      for (let beat = 0; beat < 6; beat++) {
        first.write(`data: {"id":"evt_2","type":"beat${beat}","properties":{}}\n\n`)
        yield* hears(`event beat${beat}`)
        yield* TestClock.adjust(10_000)
      }
      assert.isFalse(told.some((words) => words.startsWith("break")))
    })
  )

  it.effect("that says what is no event is opened again, for what it meant is unknown", () =>
    Effect.gen(function* () {
      const { first, hears } = yield* openStreams()
      first.write("data: {broken\n\n")
      yield* hears("break 1 GET /event: unreachable: it sent what is no event")
      yield* passing(hears("mend"))
    })
  )

  it.effect("that says a line of 40 MB is opened again, and its line is not kept", () =>
    Effect.gen(function* () {
      const { first, hears } = yield* openStreams()
      first.write(`data: "${"x".repeat(40 * 1024 * 1024)}`)
      yield* hears("break 1")
      yield* passing(hears("mend"))
    })
  )

  it.effect("that ends in the middle of an event tells nothing of it", () =>
    Effect.gen(function* () {
      const { first, hears, told } = yield* openStreams()
      first.end(`data: {"type":"half","properties":{}}\n`)
      yield* hears("break 1")
      yield* passing(hears("mend"))
      assert.isFalse(told.includes("event half"))
    })
  )

  it.effect("that cannot be opened again for a minute is given up", () =>
    Effect.gen(function* () {
      const { first, hears, told } = yield* openStreams((stream) => stream.socket?.destroy())
      first.end()
      yield* hears("break 1")
      yield* passing(hears("end"))
      assert.isAtLeast(told.filter((words) => words.startsWith("break")).length, 10)
    })
  )
})
