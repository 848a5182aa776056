/** Arbitrary schedules of faults, for properties. */
import * as fc from "fast-check"
import type { ConnectionFaults, FaultSchedule, LaneFaults } from "./FaultSchedule.ts"

const some = <T extends object>(model: { [K in keyof T]-?: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(model, { noNullPrototype: true, requiredKeys: [] }) as unknown as fc.Arbitrary<Partial<T>>

const list = <A>(of: fc.Arbitrary<A>) => fc.array(of, { minLength: 1, maxLength: 4 })

/** Tiny pieces now and then, but one among them that gets things on: a schedule is not to take minutes. */
const split = fc
  .tuple(list(fc.integer({ min: 1, max: 64 })), fc.integer({ min: 1_024, max: 65_536 }))
  .map(([tiny, large]) => [...tiny, large])

/** Ends within a handshake, within the first messages, and later. */
const after = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 4_000 }),
  fc.integer({ min: 0, max: 60_000 })
)

const endings = fc.constantFrom("fin", "rst", "swallow", "stall")

const lane: fc.Arbitrary<LaneFaults> = some<Required<LaneFaults>>({
  split,
  delayMs: list(fc.integer({ min: 0, max: 40 })),
  bytesPerSecond: fc.integer({ min: 20_000, max: 1_000_000 }),
  end: fc.record({ after, how: endings }, { noNullPrototype: true })
})

const connection: fc.Arbitrary<ConnectionFaults> = fc.oneof(
  { weight: 5, arbitrary: some<{ up: LaneFaults; down: LaneFaults }>({ up: lane, down: lane }) },
  {
    weight: 1,
    arbitrary: fc.record({ refuseMs: fc.integer({ min: 0, max: 100 }) }, { noNullPrototype: true })
  }
)

/**
 * An arbitrary schedule: up to six connections with faults, after which there are none, so that whoever keeps trying gets
 * through. Half-open connections stay so until somebody gives them up: a client that waits for a heartbeat needs a short
 * one. It shrinks towards fewer connections with fewer faults.
 */
export const faultSchedule: fc.Arbitrary<FaultSchedule> = fc
  .tuple(
    fc.array(connection, { maxLength: 6 }),
    fc.option(
      fc.record(
        {
          windowMs: fc.integer({ min: 1, max: 10 }),
          picks: fc.array(fc.nat({ max: 63 }), { minLength: 1, maxLength: 16 })
        },
        { noNullPrototype: true }
      ),
      { nil: undefined }
    )
  )
  .map(([connections, reorder]) => (reorder === undefined ? { connections } : { connections, reorder }))

/** The schedule that belongs to a seed: the same for the same version of the testkit. */
export const makeFaultSchedule = (seed: number): FaultSchedule => fc.sample(faultSchedule, { seed, numRuns: 1 })[0]!
