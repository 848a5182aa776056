/** Plays a session's output with the pauses that it had. */
import type { SessionId } from "@holdfast/core"
import { makeSessionReader } from "@holdfast/runtime"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { usage } from "../ExitCode.ts"
import { pageNotice } from "../output/EventLine.ts"
import { note, write } from "../output/Output.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader, type Reader } from "../store/Reader.ts"
import { faceText, hasFace } from "./FaceText.ts"
import { input, isInteractive, raw, screen } from "../terminal/LocalTerminal.ts"

/** How to play it. */
export interface PlayOptions {
  readonly speed: number
  /** The event to begin with; what was before is shown at once. */
  readonly from: number
  readonly idleLimitMs: number
}

/** What stops a replay: Ctrl-C and q. */
const stops = (chunk: Uint8Array): boolean => chunk.includes(3) || chunk.includes(0x71)

const empty = new Uint8Array(0)

/** An empty screen in the middle of a replay. */
const clear = Buffer.from("\u001b[!p\u001b[0m\u001b[H\u001b[2J")

/** Waits until it is the turn of what was recorded at a time. */
const makePauses = Effect.fnUntraced(function* ({ idleLimitMs, speed }: PlayOptions) {
  const began = yield* Clock.currentTimeMillis
  /** Milliseconds of the replay so far, and when the event before was recorded. */
  let due = 0
  let before: number | undefined
  return Effect.fnUntraced(function* (at: number) {
    if (before !== undefined) due += Math.min(at - before, idleLimitMs) / speed
    before = at
    const wait = began + due - (yield* Clock.currentTimeMillis)
    if (wait >= 1) yield* Effect.sleep(wait)
  })
})

const play = (log: Reader, sessionId: SessionId, options: PlayOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { from } = options
      const put = yield* screen
      const wait = yield* makePauses(options)
      const show = (at: number, bytes: Uint8Array) => Effect.andThen(wait(at), put(bytes))

      if (from > 0) {
        const { ansi, pending } = yield* makeSessionReader(log).screen(sessionId, from)
        yield* put(Buffer.concat([Buffer.from(ansi), pending]))
      }
      for (let cursor = from, head = from + 1; cursor < head;) {
        const page = yield* log.read(sessionId, cursor)
        const after = cursor
        ;({ cursor, head } = page)
        if (page.answer === "gap") {
          yield* note(pageNotice(page)!)
          continue
        }
        // Output that is gone is shown by the screen that stands for it.
        const standing =
          page.answer === "snapshot" ? page.covering.filter((one) => Number(one.data["through"]) > after) : []
        for (const { at, bytes = empty } of standing) yield* show(at, Buffer.concat([clear, bytes]))
        for (const { at, bytes = empty, type } of page.events) if (type === "terminal.output") yield* show(at, bytes)
      }
    })
  )

/** Plays what an agent's session showed: all before `from` at once. */
const playFace = (log: Reader, sessionId: SessionId, options: PlayOptions) =>
  Effect.gen(function* () {
    const wait = yield* makePauses(options)
    const colour = process.stdout.hasColors?.() ?? false
    // A raw terminal does not go back to the beginning of a line by itself.
    const put = (text: string) => write(isInteractive() ? text.replaceAll("\n", "\r\n") : text)
    let before = ""
    if (options.from > 0) {
      before = yield* Stream.mkString(
        Stream.map(faceText(log, sessionId, { colour, through: options.from }), ({ text }) => text)
      )
      yield* put(before)
    }
    let skip = before.length
    yield* Stream.runForEach(faceText(log, sessionId, { colour }), ({ at, text }) => {
      const shown = text.slice(Math.min(skip, text.length))
      skip = Math.max(0, skip - text.length)
      return shown === "" ? Effect.void : Effect.andThen(wait(at), put(shown))
    })
  })

/** Plays it to the end, or until somebody has seen enough. */
export const playSession = (store: string, asked: string, options: PlayOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openReader(store)
      const found = yield* findSession(log, asked)
      const { seq, sessionId } = found
      if (options.from > seq) return yield* usage(`--from ${options.from}: the session's last event is ${seq}`)
      const playing = hasFace(found) ? playFace(log, sessionId, options) : play(log, sessionId, options)
      if (!isInteractive()) return yield* playing
      yield* raw
      yield* Effect.raceFirst(playing, input.pipe(Stream.takeUntil(stops), Stream.runDrain))
    })
  )
