import { eventBodies, jsonArbitrary, numberedId } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import type { ExactPage, Followed } from "../../src/EventLog.ts"
import type { EventRecord } from "../../src/EventRecord.ts"
import { type CommandId, SessionId } from "../../src/Ids.ts"
import {
  decodeFrame,
  decodeKeystrokes,
  encodeFrame,
  encodeHistory,
  encodeKeystrokes,
  encodePage,
  encodeScreen,
  encodeTyped,
  FrameInvalid,
  FrameKind,
  frameRoomBytes,
  typedBytes,
  writeTyped
} from "../../src/protocol/Frame.ts"

const sessionId = numberedId(5) as SessionId
const commandId = numberedId(6) as CommandId

const records = (after: number, maxLength: number): fc.Arbitrary<ReadonlyArray<EventRecord>> =>
  fc
    .array(fc.tuple(eventBodies(), fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined })), { maxLength })
    .map((bodies) =>
      bodies.map(([body, bytes], index): EventRecord => {
        const { bytes: own, ...rest } = body as unknown as EventRecord
        const payload = own ?? bytes
        const record = { ...rest, sessionId, seq: after + index + 1, at: 1_000, generation: 1, version: 1 }
        return payload === undefined ? record : { ...record, bytes: payload }
      })
    )

const offset = fc.oneof(fc.nat(), fc.maxSafeNat())
const echo = { at: fc.maxSafeNat(), data: fc.record({ offset }), bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }) }

/** A page of one piece of output: of an echo, and of what only looks like one. */
const outputs: fc.Arbitrary<ExactPage> = fc
  .oneof(
    fc.record(echo),
    fc.record(
      {
        ...echo,
        data: fc.oneof(echo.data, fc.record({ offset, more: jsonArbitrary })),
        bytes: fc.oneof(echo.bytes, fc.uint8Array({ minLength: 1000, maxLength: 1100 })),
        actor: fc.constant("host" as const),
        cause: fc.constant(commandId),
        origin: fc.integer({ min: 1 })
      },
      { requiredKeys: ["at", "data", "bytes"] }
    )
  )
  .map((some) => {
    const event: EventRecord = { sessionId, seq: 8, generation: 1, type: "terminal.output", version: 1, ...some }
    return { answer: "exact", events: [event], cursor: 8, head: 20 }
  })

const pages: fc.Arbitrary<Followed> = fc.oneof(
  outputs,
  records(7, 6).map((events): Followed => ({ answer: "exact", events, cursor: 7 + events.length, head: 20 })),
  fc.tuple(records(0, 2), records(7, 6)).map(([covering, events]): Followed => ({
    answer: "snapshot",
    wholeAt: 9,
    covering,
    events,
    cursor: 13,
    head: 20
  })),
  fc.constant<Followed>({ answer: "gap", reason: "missing", from: 8, to: 9, detail: "gone", cursor: 9, head: 20 }),
  fc.constant<Followed>({ answer: "caught-up", cursor: 20 })
)

const subscriptions = fc.integer({ min: 1, max: 0xffff_ffff })

describe("A frame of a live connection", () => {
  it("gives the page that was put into it, payloads and all, to the session of its subscription", () => {
    fc.assert(
      fc.property(pages, subscriptions, (page, subscription) => {
        const bytes = encodeFrame(FrameKind.page, subscription, encodePage(page))
        const frame = decodeFrame(bytes, (asked) => (asked === subscription ? sessionId : undefined))
        assert.deepStrictEqual(frame, { kind: "page", subscription, page, bytes: bytes.byteLength })
      }),
      { numRuns: 300 }
    )
  })

  it("writes an echo as it writes every page", () => {
    fc.assert(
      fc.property(fc.array(outputs, { minLength: 1, maxLength: 40 }), (pages) => {
        const bodies = pages.map(encodePage)
        for (const { buffer, byteOffset } of bodies) {
          // The heads of who sends it.
          new Uint8Array(buffer, byteOffset - frameRoomBytes, frameRoomBytes).fill(0xff)
        }
        for (const [index, body] of bodies.entries()) {
          const { cursor, events: records, head } = pages[index]!
          const length = new DataView(body.buffer, body.byteOffset).getUint32(0)
          const events = records.map(({ bytes, sessionId: _sessionId, ...rest }) => ({
            ...rest,
            bytes: bytes!.byteLength
          }))
          const json = JSON.parse(new TextDecoder().decode(body.subarray(4, 4 + length))) as unknown
          assert.deepStrictEqual(json, { answer: "exact", events, cursor, head })
          assert.deepStrictEqual([...body.subarray(4 + length)], [...records[0]!.bytes!])
        }
      }),
      { numRuns: 100 }
    )
    const damaged = {
      sessionId,
      seq: 8,
      at: 1,
      generation: 1,
      type: "terminal.output",
      version: "}",
      data: { offset: 1 }
    }
    const page = { answer: "exact", events: [{ ...damaged, bytes: Uint8Array.of(1) }], cursor: 8, head: 8 }
    const body = encodePage(page as unknown as Followed)
    assert.include(new TextDecoder().decode(body), '"version":"}"')
  })

  it("gives history and screens back as they went", () => {
    fc.assert(
      fc.property(records(3, 6), fc.uint8Array({ maxLength: 99 }), subscriptions, (events, ansi, subscription) => {
        const history = encodeFrame(FrameKind.history, subscription, encodeHistory({ after: 3, events }))
        assert.deepStrictEqual(
          decodeFrame(history, () => sessionId),
          {
            kind: "history",
            subscription,
            page: { after: 3, events },
            bytes: history.byteLength
          }
        )
        const screen = { seq: 9, offset: 5e9, cols: 80, rows: 24, title: null, why: "resync" } as const
        const shown = encodeFrame(FrameKind.screen, subscription, encodeScreen(screen, ansi))
        assert.deepStrictEqual(
          decodeFrame(shown, () => sessionId),
          {
            kind: "screen",
            subscription,
            screen,
            ansi,
            bytes: shown.byteLength
          }
        )
      })
    )
  })

  it("carries what somebody types, and says when it is written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 99 }), (typed) => {
        assert.deepStrictEqual(decodeKeystrokes(encodeKeystrokes(sessionId, commandId, typed)), {
          sessionId,
          commandId,
          typed
        })
      })
    )
    const answer = encodeTyped(commandId)
    const read = decodeFrame(answer, () => undefined)
    assert.deepStrictEqual(read, { kind: "typed", commandId, bytes: typedBytes })
    const written = new Uint8Array(typedBytes + 2)
    writeTyped(written, 1, encodeKeystrokes(sessionId, commandId, Uint8Array.of(7)))
    assert.deepStrictEqual([...written], [0, ...answer, 0])
  })

  it("tells sessions apart that are typed into in turn, whichever byte of their ids differs", () => {
    const hex = sessionId.replaceAll("-", "")
    const others = Array.from({ length: 32 }, (_, at) => {
      // The version and the variant stay what they are.
      if (at === 12 || at === 16) return sessionId
      const other = hex.slice(0, at) + (hex[at] === "7" ? "8" : "7") + hex.slice(at + 1)
      return other.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-") as SessionId
    })
    for (const other of others) {
      for (const one of [sessionId, other, other, sessionId]) {
        assert.strictEqual(decodeKeystrokes(encodeKeystrokes(one, commandId, Uint8Array.of(7))).sessionId, one)
      }
    }
  })

  it("takes sixteen bytes for an id exactly where they are a UUID version 7, and gives it as it was", () => {
    const isId = Schema.is(SessionId)
    const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    const maybe = fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.boolean()).map(([bytes, isGood]) => {
      if (!isGood) return bytes
      bytes[6] = (bytes[6]! & 0x0f) | 0x70
      bytes[8] = (bytes[8]! & 0x3f) | 0x80
      return bytes
    })
    fc.assert(
      fc.property(maybe, maybe, (session, command) => {
        const ids = [session, command].map((bytes) =>
          hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
        ) as [SessionId, CommandId]
        const frame = Uint8Array.of(FrameKind.keystrokes, ...session, ...command, 7)
        if (!ids.every(isId)) return void assert.throws(() => decodeKeystrokes(frame), FrameInvalid)
        assert.deepStrictEqual([...encodeKeystrokes(ids[0], ids[1], Uint8Array.of(7))], [...frame])
        const { commandId, sessionId, typed } = decodeKeystrokes(frame)
        assert.deepStrictEqual<unknown>([sessionId, commandId, [...typed]], [...ids, [7]])
      }),
      { numRuns: 1_000 }
    )
  })

  it("says nothing where its subscription has ended meanwhile", () => {
    const frame = encodeFrame(FrameKind.page, 3, encodePage({ answer: "caught-up", cursor: 1 }))
    assert.strictEqual(
      decodeFrame(frame, () => undefined),
      undefined
    )
  })

  it("is refused with a word about the field wherever it is cut or changed, and never misread as longer than it is", () => {
    const page = pages.map((page) => encodeFrame(FrameKind.page, 3, encodePage(page)))
    const damage = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean())
    fc.assert(
      fc.property(page, damage, (bytes, [at, by, cut]) => {
        const index = at % bytes.byteLength
        const damaged = cut ? bytes.slice(0, index) : bytes.map((byte, place) => (place === index ? byte ^ by : byte))
        for (const decode of [() => decodeFrame(damaged, () => sessionId), () => decodeKeystrokes(damaged)]) {
          try {
            decode()
          } catch (error) {
            assert.instanceOf(error, FrameInvalid)
            assert.isNotEmpty((error as FrameInvalid).field)
          }
        }
      }),
      { numRuns: 1_000 }
    )
    assert.throws(() => decodeFrame(new Uint8Array(), () => sessionId), FrameInvalid)
    assert.throws(() => decodeKeystrokes(encodeKeystrokes(sessionId, commandId, new Uint8Array()).slice(0, 32)), /33/)
  })

  it("refuses a page whose payloads are not all there", () => {
    const events: ReadonlyArray<EventRecord> = [
      {
        sessionId,
        seq: 1,
        at: 1,
        generation: 1,
        version: 1,
        type: "terminal.output",
        data: { offset: 0 },
        bytes: Buffer.from("hello")
      }
    ]
    const whole = encodeFrame(FrameKind.page, 1, encodePage({ answer: "exact", events, cursor: 1, head: 1 }))
    assert.throws(() => decodeFrame(whole.slice(0, -1), () => sessionId), /payload/)
  })
})
