/** A session in the person's terminal: its bytes out, their keys in, until it ends or they leave it. */
import type { SessionId } from "@holdfast/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as Stream from "effect/Stream"
import type { OutputClosed } from "../ExitCode.ts"
import type { Attached, SessionEnd } from "../owner/OwnerApi.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"
import { takeInterrupts } from "../Signals.ts"
import { type DetachKey, findDetachKey } from "./DetachKey.ts"
import { currentSize, input, isInteractive, raw, resizes, screen } from "./LocalTerminal.ts"

/** Why a view of a session is over. Only `ended` says something about the session: any other way it goes on. */
export type Left = { readonly why: "ended"; readonly end: SessionEnd } | { readonly why: "detached" | "hung-up" }

const ctrlC = new Uint8Array([3])
const ctrlD = new Uint8Array([4])

/** Chunks of typed bytes that wait for the program, at most 64 KiB each. Past it stdin waits, and with it whoever pastes. */
const maxTyped = 16

/** Bytes of one write: well below what a command takes, and a terminal takes it in one go. */
const pieceBytes = 64 * 1024

/** Milliseconds until keys that the session could not take at the moment are tried again. */
const busyRetryMs = 20

/** An empty screen, without erasing what the person had on theirs: it moves up, out of sight. */
const makeRoom = (): Uint8Array => Buffer.from(`${"\n".repeat(currentSize().rows)}\u001b[H\u001b[2J`)

/** Shows what comes, until the end. */
const show = <E>(attached: Stream.Stream<Attached, E>): Effect.Effect<Left, E | OutputClosed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const put = yield* screen
      let end: SessionEnd | undefined
      yield* Stream.runForEachArray(attached, (items) =>
        Effect.gen(function* () {
          const bytes: Array<Uint8Array> = []
          for (const item of items) {
            if (item.kind === "ended") end = item.end
            else if (item.kind === "output") bytes.push(item.bytes)
            else bytes.push(makeRoom(), item.bytes)
          }
          if (bytes.length > 0) yield* put(Buffer.concat(bytes))
        })
      )
      return end === undefined ? { why: "hung-up" } : { why: "ended", end }
    })
  )

/** Shows a session without touching it; the detach key leaves it. */
export const watchSession = <E>(
  attached: Stream.Stream<Attached, E>,
  key: DetachKey
): Effect.Effect<Left, E | OutputClosed> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (!isInteractive()) return yield* show(attached)
      yield* raw
      const keys = input.pipe(
        // What is typed goes nowhere: Ctrl-C, too, is a key that leaves.
        Stream.takeUntil((chunk) => chunk.includes(3) || findDetachKey(chunk, key).detached),
        Stream.runDrain,
        Effect.as<Left>({ why: "detached" })
      )
      return yield* Effect.raceFirst(show(attached), keys)
    })
  )

/** Shows a session and types into it. Ctrl-C of a pipeline goes to the program too; a second one leaves it running. */
export const useSession = <E>(
  client: OwnerClient,
  sessionId: SessionId,
  attached: Stream.Stream<Attached, E>,
  key: DetachKey
): Effect.Effect<Left, E | OutputClosed | RpcClientError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const interactive = isInteractive()
      const typed = yield* Queue.bounded<Uint8Array>(maxTyped)
      const leaving = yield* Deferred.make<Left>()
      if (interactive) yield* raw
      else {
        let interrupts = 0
        yield* takeInterrupts(() => {
          interrupts++
          if (interrupts === 1) Queue.offerUnsafe(typed, ctrlC)
          else Deferred.doneUnsafe(leaving, Exit.interrupt())
        })
      }

      /** Reads on while the program does not: the key that leaves must always be found. */
      const read = Effect.gen(function* () {
        yield* input.pipe(
          Stream.mapArray((chunks) => [findDetachKey(Buffer.concat(chunks), interactive ? key : "none")]),
          Stream.tap(({ bytes }) => (bytes.byteLength > 0 ? Queue.offer(typed, bytes) : Effect.void)),
          Stream.tap(({ detached }) => (detached ? Deferred.succeed(leaving, { why: "detached" }) : Effect.void)),
          Stream.runDrain
        )
        if (interactive) yield* Deferred.succeed(leaving, { why: "hung-up" })
        // A pipe that has ended is the end of the program's input, as Ctrl-D says it.
        else yield* Queue.offer(typed, ctrlD)
      })

      /** One write at a time, so that keys arrive in order; what the program does not read yet is tried again. */
      const send = (bytes: Uint8Array): Effect.Effect<void, RpcClientError> =>
        client.Write({ sessionId, bytes }).pipe(
          Effect.catchTag("CommandRejected", (rejected) =>
            rejected.reason === "busy" ? Effect.andThen(Effect.sleep(busyRetryMs), send(bytes)) : Effect.void
          ),
          // The session or its log is over: what is shown says so.
          Effect.catchTag(["EventInvalid", "LogUnavailable", "SessionNotFound"], () => Effect.void)
        )
      const write = Effect.forever(
        Effect.flatMap(Queue.takeAll(typed), (chunks) =>
          Effect.forEach(pieces(Buffer.concat(chunks)), send, { discard: true })
        )
      )

      const resize = Stream.runForEach(resizes, (size) =>
        Effect.catchTag(
          client.Command({ sessionId, command: { type: "terminal.resize", data: { ...size } } }),
          ["CommandRejected", "EventInvalid", "LogUnavailable", "SessionNotFound"],
          () => Effect.void
        )
      )

      const others = Effect.all([read, write, resize], { concurrency: "unbounded" })
      return yield* Effect.raceFirst(
        Effect.raceFirst(show(attached), Deferred.await(leaving)),
        Effect.andThen(others, Effect.never)
      )
    })
  )

/** Cuts what a command cannot take at once. */
const pieces = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const all: Array<Uint8Array> = []
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) all.push(bytes.subarray(at, at + pieceBytes))
  return all
}
