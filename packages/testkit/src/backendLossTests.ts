/** That a terminal loses nothing: whatever was written before the exit comes before the exit, at any pace of reading. */
import { Effect, Stream } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import {
  type BackendSuiteOptions,
  isOfSession,
  type MakeBackend,
  openUnread,
  outputOf,
  readToEnd,
  temporaryFolder,
  typesOf,
  until,
  withBackend
} from "./backendHarness.ts"

/** Bytes of the sessions that are run for each effort, and how often. Together about 500 runs. */
const sizes: ReadonlyArray<readonly [bytes: number, runs: number]> = [
  [1, 120],
  [100, 100],
  [4_095, 60],
  [4_096, 60],
  [4_097, 60],
  [65_537, 60],
  [1024 * 1024, 12],
  [10 * 1024 * 1024, 3]
]

/**
 * Milliseconds after a program's death within which a terminal library may give up on it. A reader that was away for longer
 * must find everything all the same.
 */
const pastAnyGrace = 400

/**
 * Bytes for a reader that comes when the program is long dead. Those around 1 and 2 MiB end where a backend with a buffer of
 * that size has just paused its terminal, and the rest is in the kernel: there a paused terminal is closed over its last bytes.
 */
const lateSizes = [
  1, 4_096, 60_000, 700_000, 1_030_000, 1_045_000, 1_060_000, 1_075_000, 1_090_000, 2_080_000, 2_110_000, 2_140_000
]

/** Bytes that a backend and its terminal may hold back for a reader that does not come: 1 or 2 MiB are usual, 8 MiB the most. */
const mostHeldBack = 8 * 1024 * 1024

const closing = ["process.spawned", "terminal.output", "process.exited", "backend.closed"]

/** Registers the tests of loss. */
export const lossTests = (make: MakeBackend, options: BackendSuiteOptions, script: (source: string) => unknown) => {
  const times = (runs: number) => Math.max(1, Math.round(runs * (options.effort ?? 1)))

  /** Writes so many bytes, of which each says something of its place, and exits at once. */
  const writes = (bytes: number) => script(`stty -opost; yes 123456789 | head -c ${bytes}`)

  const expected = (bytes: number) => Buffer.alloc(bytes, "123456789\n")

  const expectWhole = (events: Parameters<typeof outputOf>[0], bytes: number) => {
    expect(typesOf(events)).toEqual(closing)
    const output = outputOf(events)
    expect(output.byteLength).toBe(bytes)
    expect(output.equals(expected(bytes)), "every byte is in its place").toBe(true)
  }

  describe("nothing is lost", () => {
    for (const [bytes, runs] of sizes) {
      it(
        `of ${bytes} bytes and an exit, ${times(runs)} times`,
        withBackend(make, options, (bench) =>
          Effect.forEach(
            Array.from({ length: times(runs) }),
            () =>
              Effect.scoped(
                Effect.gen(function* () {
                  const { session } = yield* openUnread(bench, writes(bytes))
                  expectWhole(yield* readToEnd(bench, session), bytes)
                })
              ),
            { concurrency: 4, discard: true }
          )
        )
      )
    }

    for (const bytes of lateSizes) {
      it(
        `of ${bytes} bytes to a reader that comes late`,
        withBackend(make, options, (bench) =>
          Effect.forEach(
            Array.from({ length: times(3) }),
            () =>
              Effect.scoped(
                Effect.gen(function* () {
                  const { session } = yield* openUnread(bench, writes(bytes))
                  yield* Effect.sleep(pastAnyGrace)
                  expectWhole(yield* readToEnd(bench, session), bytes)
                })
              ),
            { concurrency: 4, discard: true }
          )
        )
      )
    }

    it(
      "to a reader that is away for longer than any grace, again and again",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const bytes = 3 * 1024 * 1024
          const { session } = yield* openUnread(bench, writes(bytes))
          let absences = 6
          const batches = yield* session.events.pipe(
            Stream.tap(() => (absences-- > 0 ? Effect.sleep(pastAnyGrace) : Effect.void)),
            Stream.runCollect,
            (reading) => bench.within("the end of the stream", reading)
          )
          expectWhole(batches.flat().filter(isOfSession), bytes)
        })
      )
    )

    it(
      "and little is held back while nobody reads: the program has to wait",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const progress = join(yield* temporaryFolder(bench), "progress")
          const blocks = 32
          const source = `stty -opost
            for i in $(seq ${blocks}); do head -c 1048576 /dev/zero; echo $i > ${progress}; done`
          const { session } = yield* openUnread(bench, script(source))
          const written = () => Effect.sync(() => Number(readText(progress)))
          yield* bench.within("the first block", until(Effect.map(written(), (count) => count >= 1)))
          let before = -1
          for (let now = yield* written(); now !== before; now = yield* written()) {
            before = now
            yield* Effect.sleep(500)
          }
          expect(before * 1024 * 1024).toBeLessThanOrEqual(mostHeldBack)
          const events = yield* readToEnd(bench, session)
          expect(outputOf(events).byteLength).toBe(blocks * 1024 * 1024)
          expect(yield* written()).toBe(blocks)
        })
      )
    )

    it(
      "of what children write that outlive the program, and its exit is told after it",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const { session } = yield* openUnread(
            bench,
            script("trap '' HUP; (trap '' HUP TERM; sleep 0.3; printf late) & printf early; exit 5")
          )
          const events = yield* readToEnd(bench, session)
          expect(outputOf(events).toString()).toBe("earlylate")
          expect(typesOf(events)).toEqual(closing)
          expect(events.at(-1)).toMatchObject({ data: { exitCode: 5 } })
        })
      )
    )
  })
}

/** The text of a file that may not be there yet. */
const readText = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return ""
    throw error
  }
}
