/** Arbitrary events as a log is given them: of known types, and of types and versions that only a newer writer knows. */
import { type CommandId, type EventData, makeSessionId, type NewEvent, type SessionId } from "@holdfast/core"
import * as fc from "fast-check"
import { eventBodies, jsonArbitrary } from "./eventArbitraries.ts"
import { numberedId } from "./simulatedSession.ts"

const bytesArbitrary = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  // Halves of characters, and what is no character at all.
  fc.constantFrom(
    new Uint8Array(0),
    new Uint8Array([0xff, 0xfe, 0xc0, 0x80]),
    new Uint8Array([0xf0, 0x9f, 0x98]),
    new Uint8Array([0, 27, 91, 51, 49, 109])
  )
)

const foreignBody = fc.record({
  type: fc.constantFrom("hologram.projected", "session.created_by_magic", "item.delta", "turn.started"),
  version: fc.integer({ min: 2, max: 9 }),
  data: fc.dictionary(fc.string({ maxLength: 6 }), jsonArbitrary, { maxKeys: 4, noNullPrototype: true })
})

/** Any event that a log takes after the first. */
export const newEvents = (): fc.Arbitrary<NewEvent> =>
  fc
    .record({
      body: fc.oneof(
        eventBodies().map((body) => ({ version: 1, ...body })),
        foreignBody
      ),
      at: fc.integer({ min: 0, max: 2_000_000_000_000 }),
      generation: fc.integer({ min: 0, max: 5 }),
      bytes: fc.option(bytesArbitrary, { nil: undefined }),
      actor: fc.option(fc.constantFrom("host", "runtime", "ällice 😀"), { nil: undefined }),
      cause: fc.option(
        fc.integer({ min: 1, max: 5 }).map((n) => numberedId(n) as CommandId),
        { nil: undefined }
      )
    })
    .map(({ actor, at, body, bytes, cause, generation }) => ({
      at,
      generation,
      type: body.type,
      version: body.version,
      data: body.data as EventData,
      ...(bytes === undefined ? {} : { bytes }),
      ...(actor === undefined ? {} : { actor }),
      ...(cause === undefined ? {} : { cause })
    }))

/** The event that begins a session. */
export const createdEvent = (data: { readonly [key: string]: unknown } = {}, at = 1_700_000_000_000): NewEvent => ({
  at,
  generation: 0,
  type: "session.created",
  version: 1,
  data: { backend: "test", spec: {}, ...data }
})

/** An event of a known type, for tests that do not care about its envelope. */
export const newEvent = (
  type: string,
  data: EventData = {},
  more: Partial<Omit<NewEvent, "type" | "data">> = {}
): NewEvent => ({ at: 1_700_000_000_000, generation: 1, type, version: 1, data, ...more })

/** Session ids in the order of their making, whatever the clock does. */
export const sessionIds = (count: number): ReadonlyArray<SessionId> =>
  Array.from({ length: count }, (_, index) =>
    makeSessionId({ now: 1_700_000_000_000 + index, random: new Uint8Array(16).fill(index % 256) })
  )
