import { type EventRecord, makeMemory, makeSessionId, type SessionId } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { eventually, withLiveServer } from "./LiveServer.ts"
import type { LiveTestClient } from "./LiveTestClient.ts"

/** What happens: events come, and clients of two connections come, take, and go. */
type Step =
  | { readonly do: "append"; readonly sizes: ReadonlyArray<number> }
  | { readonly do: "subscribe"; readonly client: number; readonly session: number; readonly from: number }
  | { readonly do: "unsubscribe"; readonly client: number; readonly which: number }
  | { readonly do: "credit"; readonly client: number; readonly which: number; readonly bytes: number }
  | { readonly do: "wait"; readonly client: number }

const client = fc.nat({ max: 1 })
const which = fc.nat({ max: 50 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      sizes: fc.array(fc.nat({ max: 3_000 }), { minLength: 1, maxLength: 10 })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      client,
      session: fc.nat({ max: 1 }),
      from: fc.double({ min: 0, max: 1, noNaN: true })
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), client, which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("credit" as const),
      client,
      which,
      bytes: fc.integer({ min: 1, max: 20_000 })
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), client }) }
)

interface Open {
  readonly subscription: number
  readonly session: number
  readonly after: number
}

const sessionsOf = 2

describe("subscriptions in any order of what happens", () => {
  it("each give exactly the log behind their cursor, whoever else comes, takes and goes", () =>
    withLiveServer(
      async ({ connect, endpoint, log, run }) => {
        await fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
            const ids: Array<SessionId> = Array.from({ length: sessionsOf }, () => makeSessionId())
            const heads = ids.map(() => 1)
            for (const id of ids) await run(log.append(id, 0, [createdEvent()]))
            const clients: Array<LiveTestClient> = [
              await connect({}, { credits: false }),
              await connect({}, { credits: false })
            ]
            const open: Array<Array<Open>> = clients.map(() => [])
            let next = 1
            for (const one of steps) {
              if (one.do === "append") {
                for (const [session, id] of ids.entries()) {
                  const events = one.sizes.map((size) => newEvent("some.thing", {}, { bytes: new Uint8Array(size) }))
                  heads[session] = (await run(log.append(id, heads[session]!, events))).lastSeq
                }
                continue
              }
              const speaker = clients[one.client]!
              const theirs = open[one.client]!
              if (one.do === "wait") {
                const heard = speaker.messages.length
                speaker.send({ type: "ping" })
                await speaker.until(() => speaker.messages.slice(heard).some(({ type }) => type === "pong"))
              } else if (one.do === "subscribe") {
                const after = Math.floor(one.from * heads[one.session]!)
                const subscription = next++
                theirs.push({ subscription, session: one.session, after })
                speaker.subscribe(subscription, ids[one.session]!, { after })
              } else if (theirs.length > 0) {
                const at = one.which % theirs.length
                const { subscription } = theirs[at]!
                if (one.do === "credit") speaker.send({ type: "credit", subscription, bytes: one.bytes })
                else {
                  theirs.splice(at, 1)
                  speaker.send({ type: "unsubscribe", subscription })
                }
              }
            }
            for (const [index, speaker] of clients.entries()) {
              speaker.resumeCredits()
              for (const { after, session, subscription } of open[index]!) {
                const head = heads[session]!
                const got = () => speaker.events(subscription)
                if (head > after) await speaker.until(() => got().at(-1)?.seq === head)
                const page = await run(log.read(ids[session]!, after, { limit: 10_000, maxBytes: 1e9 }))
                const expected = "events" in page ? page.events : []
                expect(got().map(plain)).toEqual(expected.map(plain))
              }
              expect(speaker.closed).toBeUndefined()
              speaker.end()
              await speaker.close()
            }
            for (const id of ids) await run(log.remove(id))
          }),
          { numRuns: 40 }
        )
        await eventually(() => endpoint.subscriptions() === 0)
      },
      { log: makeMemory({ ringBytes: 6_000 }), limits: { windowBytes: 5_000, maxMessagesPerSecond: 10_000 } }
    ))
})

const plain = ({ bytes, ...rest }: EventRecord) => ({ ...rest, length: bytes?.byteLength })
