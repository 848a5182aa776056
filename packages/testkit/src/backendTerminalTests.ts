/** What a backend with a terminal does: bytes in and out as they are, sizes, signals, and nothing left running. */
import { Effect, Exit, Result, Scope } from "effect"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import {
  type BackendSuiteOptions,
  expectNoProcess,
  expectProcesses,
  type MakeBackend,
  openSession,
  temporaryFolder,
  typesOf,
  withBackend
} from "./backendHarness.ts"

/** Text that fits no single byte, and that has no letter of ASCII. */
const unicode = "žluťoučký 🐎 ‏שלום 中文 🇨🇿 👩‍👩‍👧"

/** Columns and rows that are none, or more than any terminal has. */
const badSizes = [
  [0, 24],
  [80, 0],
  [-1, 24],
  [80, 1_000_000_000],
  [80.5, 24],
  [Number.NaN, 24]
] as const

/** Sessions whose outputs could be mixed, for each effort; four at least. */
const manySessions = 12

/** Registers the tests of a terminal. */
export const terminalTests = (make: MakeBackend, options: BackendSuiteOptions, script: (source: string) => unknown) =>
  describe("the terminal", () => {
    it(
      "tells its start, its output, its exit with the code, and its end, in this order",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, script("printf hello; exit 3"))
          expect(Exit.isSuccess(yield* opened.ended)).toBe(true)
          expect(typesOf(opened.events)).toEqual([
            "process.spawned",
            "terminal.output",
            "process.exited",
            "backend.closed"
          ])
          expect(opened.output().toString()).toBe("hello")
          expect(opened.events.at(-2)).toMatchObject({ data: { exitCode: 3, signal: null } })
          expect(opened.events.at(-1)).toMatchObject({ data: { exitCode: 3, signal: null } })
        })
      )
    )

    it(
      "names the signal that ended its program, and no exit code",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, script("kill -KILL $$"))
          yield* opened.ended
          expect(opened.events.at(-2)).toMatchObject({ data: { exitCode: null, signal: "SIGKILL" } })
        })
      )
    )

    it(
      "gives random bytes as they are, invalid as UTF-8",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const folder = yield* temporaryFolder(bench)
          const copy = join(folder, "copy")
          const opened = yield* openSession(bench, script(`stty -opost; head -c 300000 /dev/urandom | tee ${copy}`))
          yield* opened.ended
          expect(opened.output().equals(readFileSync(copy))).toBe(true)
        })
      )
    )

    it(
      "gives exactly the bytes of every value, and takes them",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const every = Buffer.from(Array.from({ length: 256 }, (_, value) => value))
          const opened = yield* openSession(bench, script("stty raw -echo; printf ready; head -c 256"))
          yield* opened.waitForText("ready")
          yield* opened.perform({ type: "write", bytes: every })
          yield* opened.ended
          expect(opened.output()).toEqual(Buffer.concat([Buffer.from("ready"), every]))
        })
      )
    )

    it(
      "takes text in any alphabet, whatever the borders of its writes",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(
            bench,
            script('stty -echo; printf ready; read -r line; printf "<%s>" "$line"')
          )
          yield* opened.waitForText("ready")
          for (const byte of Buffer.from(`${unicode}\n`)) {
            yield* opened.perform({ type: "write", bytes: Uint8Array.of(byte) })
          }
          yield* opened.ended
          expect(opened.output().toString()).toBe(`ready<${unicode}>`)
        })
      )
    )

    it(
      "takes keystrokes in one order, whether they are written plainly or performed, and neither once it has ended",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const typed = Buffer.from(Array.from({ length: 3_000 }, (_, at) => (at * 31) % 251))
          const opened = yield* openSession(bench, script("stty raw -echo; printf ready; head -c 3000"))
          yield* opened.waitForText("ready")
          const { write } = opened.session
          for (let at = 0; at < typed.length; at++) {
            const bytes = typed.subarray(at, at + 1)
            if (write === undefined || at % 5 === 0) yield* opened.perform({ type: "write", bytes })
            else expect(write(bytes)).toBe(undefined)
          }
          yield* opened.ended
          expect(opened.output()).toEqual(Buffer.concat([Buffer.from("ready"), typed]))
          const late = yield* Effect.flip(opened.perform({ type: "write", bytes: typed }))
          expect(late).toMatchObject({ _tag: "BackendRefused", command: "write" })
          if (write !== undefined) expect(write(typed)).toMatchObject({ _tag: "BackendRefused", command: "write" })
        })
      )
    )

    it(
      "takes a large paste whole, in order, at the pace of its program",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const paste = Buffer.alloc(900_000)
          for (let at = 0; at < paste.length; at++) paste[at] = (at * 31) % 251
          const opened = yield* openSession(
            bench,
            script("stty raw -echo; printf ready; head -c 900000 | sha256sum; printf done")
          )
          yield* opened.waitForText("ready")
          yield* opened.perform({ type: "write", bytes: paste })
          yield* opened.waitForText("done")
          expect(opened.output().toString()).toContain(createHash("sha256").update(paste).digest("hex"))
        })
      )
    )

    it(
      "refuses what is typed when too much waits already, and says that it may be tried again",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const piece = Buffer.alloc(64 * 1024, "x")
          const opened = yield* openSession(bench, script("stty raw -echo; printf ready; while :; do sleep 0.1; done"))
          yield* opened.waitForText("ready")
          let error: unknown
          for (let count = 0; count < 1_000 && error === undefined; count++) {
            const result = yield* Effect.result(
              bench.within("a write", opened.perform({ type: "write", bytes: piece }))
            )
            if (Result.isFailure(result)) error = result.failure
          }
          expect(error).toMatchObject({ _tag: "BackendRefused", command: "write", retryable: true })
          yield* opened.perform({ type: "close", force: true, graceMs: 0 })
          yield* opened.ended
        })
      )
    )

    it(
      "starts in the size that the session has had, and tells its program of every new one",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(
            bench,
            script(
              `trap 'stty size; printf "resized\\n"' WINCH; stty size; printf "ready\\n"; while :; do sleep 0.01; done`
            ),
            { size: { cols: 91, rows: 17 } }
          )
          expect(opened.session.size).toEqual({ cols: 91, rows: 17 })
          yield* opened.waitForText("ready")
          expect(opened.output().toString()).toContain("17 91")
          yield* opened.perform({ type: "resize", cols: 10_000, rows: 1 })
          yield* opened.perform({ type: "resize", cols: 120, rows: 40 })
          yield* opened.waitForText("40 120")
          yield* opened.perform({ type: "close", force: true, graceMs: 0 })
          yield* opened.ended
        })
      )
    )

    it(
      "refuses a size that no terminal can have",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, options.spec)
          for (const [cols, rows] of badSizes) {
            const size = `${cols} by ${rows}`
            const resized = yield* Effect.result(bench.within(size, opened.perform({ type: "resize", cols, rows })))
            expect(Result.isFailure(resized), `a size of ${size} is refused`).toBe(true)
            if (Result.isFailure(resized)) {
              expect(resized.failure).toMatchObject({ _tag: "BackendRefused", command: "resize", retryable: false })
            }
          }
        })
      )
    )

    it(
      "delivers signals, and refuses what is none",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(
            bench,
            script("trap 'printf caught; exit 7' USR1; printf ready; while :; do sleep 0.01; done")
          )
          if (!opened.session.capabilities.signals) return
          yield* opened.waitForText("ready")
          const error = yield* Effect.flip(opened.perform({ type: "signal", signal: "SIGNONSENSE" }))
          expect(error).toMatchObject({ _tag: "BackendRefused", command: "signal", retryable: false })
          yield* opened.perform({ type: "signal", signal: "SIGUSR1" })
          yield* opened.ended
          expect(opened.output().toString()).toContain("caught")
          expect(opened.events.at(-1)).toMatchObject({ data: { exitCode: 7 } })
        })
      )
    )

    it(
      "lets its program end by itself when it is asked to, and tells its last words",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(
            bench,
            script("trap 'printf goodbye; exit 4' HUP; printf ready; while :; do sleep 0.01; done")
          )
          yield* opened.waitForText("ready")
          yield* opened.perform({ type: "close", force: false, graceMs: 15_000 })
          yield* opened.ended
          expect(opened.output().toString()).toContain("goodbye")
          expect(opened.events.at(-1)).toMatchObject({ data: { exitCode: 4, signal: null } })
        })
      )
    )

    it(
      "forces a program that will not end, when the grace is over",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(
            bench,
            script("trap '' HUP TERM INT; printf ready; while :; do sleep 0.01; done")
          )
          yield* opened.waitForText("ready")
          yield* opened.perform({ type: "close", force: false, graceMs: 100 })
          yield* opened.ended
          expect(opened.events.at(-1)).toMatchObject({ data: { exitCode: null, signal: "SIGKILL" } })
          yield* expectNoProcess(bench, opened)
        })
      )
    )

    it(
      "marks its program and what that starts, so that they are found wherever they hide",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const opened = yield* openSession(bench, script("setsid sleep 1000 & printf ready; wait"))
          yield* opened.waitForText("ready")
          yield* expectProcesses(bench, opened, 2)
        })
      )
    )

    for (const how of ["exits", "is closed", "loses its scope"] as const) {
      it(
        `leaves nothing running when it ${how}: no child in another session, no daemon, none that ignores requests`,
        withBackend(make, options, (bench) =>
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const opened = yield* openSession(
              bench,
              script(`
                trap '' HUP TERM
                sleep 1000 &
                setsid sleep 1000 &
                (setsid sh -c 'sleep 1000' > /dev/null 2>&1 < /dev/null &)
                (sh -c 'sleep 1000 & wait' &)
                printf ready
                ${how === "exits" ? "exit 0" : "wait"}`)
            ).pipe(Scope.provide(scope))
            yield* opened.waitForText("ready")
            if (how === "is closed") yield* opened.perform({ type: "close", force: false, graceMs: 50 })
            if (how === "loses its scope") yield* bench.within("closing the scope", Scope.close(scope, Exit.void))
            yield* opened.ended
            yield* expectNoProcess(bench, opened)
          })
        )
      )
    }

    it(
      "leaves no daemon running that had given up the terminal when the program exited",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const folder = yield* temporaryFolder(bench)
          const running = join(folder, "running")
          // The program waits for its daemon: the end of a terminal hangs up on who has not left it yet.
          const opened = yield* openSession(
            bench,
            script(`
              (setsid sh -c ': > ${running}; sleep 1000' > /dev/null 2>&1 < /dev/null &)
              while [ ! -e ${running} ]; do sleep 0.01; done
              printf ready`)
          )
          yield* opened.ended
          expect(opened.output().toString()).toBe("ready")
          yield* expectNoProcess(bench, opened)
        })
      )
    )

    it(
      "does not mix the output of many sessions",
      withBackend(make, options, (bench) =>
        Effect.gen(function* () {
          const count = Math.max(4, Math.round(manySessions * (options.effort ?? 1)))
          const names = Array.from({ length: count }, (_, index) => `<${index}>`)
          const sessions = yield* Effect.forEach(
            names,
            (name) => openSession(bench, script(`for i in $(seq 200); do printf '${name}'; done`)),
            { concurrency: 4 }
          )
          for (const [index, opened] of sessions.entries()) {
            yield* opened.ended
            expect(opened.output().toString()).toBe(names[index]!.repeat(200))
          }
        })
      )
    )
  })
