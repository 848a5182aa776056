/** Shows an agent's session in the person's terminal and sends what they type, until it ends or they leave it. */
import type { EventRecord, SessionId } from "@holdfast/core"
import { type FaceCommand, makeTerminalFace, type TerminalFace } from "@holdfast/terminal-face"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as Stream from "effect/Stream"
import { EndWith, exitCodes } from "../ExitCode.ts"
import { write } from "../output/Output.ts"
import type { EventsItem, SessionEnd } from "../owner/OwnerApi.ts"
import type { OwnerClient } from "../owner/OwnerClient.ts"
import { endBy } from "../owner/AttachedStream.ts"
import { takeInterrupts } from "../Signals.ts"
import { type DetachKey, detachKeyName, findDetachKey } from "../terminal/DetachKey.ts"
import { currentSize, input, isInteractive, raw, resizes } from "../terminal/LocalTerminal.ts"
import { endView, hint, restsNow } from "./SessionEnding.ts"
import type { Left } from "../terminal/SessionView.ts"

/** Commands that wait to be sent: more than a person types in the time that one takes. */
const maxWaiting = 64

/** Where a session's events come from, and where commands go; undefined to look only. */
export interface FaceSource<E> {
  readonly events: Stream.Stream<EventsItem, E>
  readonly client: OwnerClient | undefined
}

/** Which session, and how to leave it. */
export interface FaceOptions {
  readonly sessionId: SessionId
  /** Its short form, for messages. */
  readonly id: string
  readonly detachKey: DetachKey
}

/** Shows it. */
export const attachFace = <E>({ client, events }: FaceSource<E>, { detachKey, id, sessionId }: FaceOptions) =>
  Effect.gen(function* () {
    const face = makeTerminalFace({
      ...currentSize(),
      colour: process.stdout.hasColors?.() ?? false,
      readOnly: client === undefined,
      participant: "host",
      // The console of Linux does not.
      reflows: process.env["TERM"] !== "linux"
    })
    if (detachKey !== "none") yield* hint(`session ${id}; ${detachKeyName(detachKey)} leaves it running, ? helps`)
    const left = yield* Effect.scoped(
      Effect.gen(function* () {
        const interactive = isInteractive()
        const leaving = yield* Deferred.make<FaceLeft>()
        const waiting = yield* Queue.bounded<FaceCommand>(maxWaiting)
        if (interactive) yield* raw
        else yield* takeInterrupts(() => Deferred.doneUnsafe(leaving, Effect.succeed<FaceLeft>({ why: "detached" })))
        yield* Effect.addFinalizer(() => Effect.ignore(write(face.end())))

        const show = showEvents(face, events)
        const type = input.pipe(
          Stream.map((chunk) => findDetachKey(Buffer.from(chunk), detachKey)),
          Stream.tap(({ bytes, detached }) =>
            Effect.gen(function* () {
              const { commands, leave, output } = face.key(bytes)
              if (output !== "") yield* write(output)
              yield* Queue.offerAll(waiting, commands)
              if (leave || detached) yield* Deferred.succeed(leaving, { why: "detached" })
            })
          ),
          Stream.runDrain,
          Effect.andThen(Deferred.succeed(leaving, { why: "hung-up" }))
        )
        const send =
          client === undefined
            ? Effect.never
            : Effect.forever(
                Effect.flatMap(Queue.take(waiting), (command) => sendCommand(client, sessionId, command, face))
              )
        const resize = Stream.runForEach(resizes, ({ cols, rows }) => write(face.resize(cols, rows)))
        const others = Effect.all([type, send, resize], { concurrency: "unbounded" })
        return yield* Effect.raceFirst(
          Effect.raceFirst(show, Deferred.await(leaving)),
          Effect.andThen(others, Effect.never)
        )
      })
    )
    if (left.why !== "ended") return yield* endView(left, id)
    yield* hint(left.end.rests === true ? restsNow(id, left.end) : `session ${id} has ended: ${left.end.reason}`)
    if (left.failed) return yield* new EndWith({ code: exitCodes.failed })
  })

/** How a view of an agent's session ended; it `failed` where its agent could not go on. */
type FaceLeft =
  { readonly why: "ended"; readonly end: SessionEnd; readonly failed: boolean } | Exclude<Left, { why: "ended" }>

/** Shows what comes until the session ends. */
const showEvents = <E>(face: TerminalFace, events: Stream.Stream<EventsItem, E>) =>
  Effect.gen(function* () {
    let caughtUp = false
    let end: FaceEnd | undefined
    yield* events.pipe(
      Stream.tap((item) => {
        switch (item.kind) {
          case "gap":
            return write(face.note(`Some events cannot be shown: ${item.detail}`, "warning"))
          case "caught-up":
            caughtUp = true
            return write(face.caughtUp())
          case "events":
            end = lastEnd(item.events, end)
            return write(face.show(item.events))
        }
      }),
      // Its past may have ends too: it was opened again after them.
      Stream.takeUntil(() => caughtUp && end !== undefined),
      Stream.runDrain
    )
    return end === undefined ? ({ why: "hung-up" } as const) : ({ why: "ended", ...end } as const)
  })

interface FaceEnd {
  readonly end: SessionEnd
  readonly failed: boolean
}

const lastEnd = (events: ReadonlyArray<EventRecord>, before: FaceEnd | undefined): FaceEnd | undefined => {
  let last = before
  for (const record of events) {
    if (record.type === "backend.opening") last = undefined
    const end = endBy(record)
    if (end !== undefined) last = { end, failed: record.type === "backend.failed" }
  }
  return last
}

/** Sends one command; the face says why where it was refused. */
const sendCommand = (
  client: OwnerClient,
  sessionId: SessionId,
  command: FaceCommand,
  face: TerminalFace
): Effect.Effect<void, RpcClientError> =>
  client.Command({ sessionId, command: command as never }).pipe(
    Effect.catchTag(["CommandRejected", "EventInvalid", "LogUnavailable", "SessionNotFound"], (error) =>
      Effect.ignore(write(face.refused(command, error.message)))
    ),
    Effect.asVoid
  )
