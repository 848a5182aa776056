/** The steps of a script, for a scripted backend: what it does by itself, beside answering commands. */
import type { BackendCommand, BackendEvent } from "@holdfast/core"
import { Effect } from "effect"
import type { ScriptedSession } from "./ScriptedSession.ts"

/** One step of a script. Steps are played in order, beside the answers to commands. */
export type ScriptStep = (session: ScriptedSession) => Effect.Effect<void>

/** Says events, as one batch where the reader keeps up. */
export const say =
  (...events: ReadonlyArray<BackendEvent>): ScriptStep =>
  (session) =>
    Effect.sync(() => session.say(...events))

/** Waits until the test advances the session by one step. */
export const pause: ScriptStep = (session) => session.advanced

/** Waits for time: the clock's, so that a test clock decides. */
export const sleep =
  (milliseconds: number): ScriptStep =>
  () =>
    Effect.sleep(milliseconds)

/** Waits for the next command of a type, after those that earlier steps waited for. */
export const command =
  (type: BackendCommand["type"]): ScriptStep =>
  (session) =>
    Effect.asVoid(session.nextCommand(type))

/** Writes so many bytes of output, waiting for the reader whenever the outbox is full. `rude` does not wait. */
export const flood =
  (bytes: number, options: { readonly chunk?: number; readonly rude?: boolean } = {}): ScriptStep =>
  (session) =>
    Effect.gen(function* () {
      const chunk = options.chunk ?? 4096
      for (let written = 0; written < bytes; written += chunk) {
        if (options.rude !== true) yield* session.drained
        session.say({ type: "terminal.output", bytes: new Uint8Array(Math.min(chunk, bytes - written)).fill(0x61) })
      }
    })

/** Ends the stream: without a `backend.closed` before it, the session counts as lost. */
export const end: ScriptStep = (session) => Effect.sync(session.end)

/** Fails the stream. */
export const die =
  (reason: string, options: { readonly retryable?: boolean } = {}): ScriptStep =>
  (session) =>
    Effect.sync(() => session.die(reason, options.retryable ?? true))
