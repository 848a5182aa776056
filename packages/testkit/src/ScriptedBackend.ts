/**
 * A backend that plays what a test says: any events in any order, at the pace of the test's own steps, well-behaved or not.
 *
 * ```ts
 * const backend = scriptedBackend({
 *   capabilities: { prompts: true },
 *   openings: [
 *     { steps: [Script.command("prompt"), Script.say(turnStarted), Script.pause, Script.die("the connection broke")] },
 *     { nativeId: "n1", answer: scriptedAgent() }
 *   ]
 * })
 * // … open a session of it, send a prompt, then
 * const session = yield* backend.opening(1)
 * yield* session.advance
 * ```
 *
 * Wrong behaviour is made of the same parts: say what is illegal, say something after `backend.closed`, let `answer` be
 * `Effect.never`, `Script.end` without closing, let an old generation speak with `survives`, open with `fails` or `waits`.
 */
import {
  type Backend,
  type BackendLost,
  type BackendSession,
  type Capabilities,
  type CheckedSpec,
  noCapabilities,
  type OpenRequest,
  type SpecInvalid
} from "@holdfast/core"
import { Effect, Semaphore } from "effect"
import type { ScriptStep } from "./Script.ts"
import { makeScriptedSession, type ScriptedAnswer, type ScriptedSession } from "./ScriptedSession.ts"
import { makeWaitableList } from "./WaitableList.ts"

/** What one opening does. */
export interface ScriptedOpening extends Partial<
  Pick<BackendSession, "nativeId" | "version" | "arrived" | "size" | "capabilities">
> {
  /** Fails instead of opening. */
  readonly fails?: BackendLost | SpecInvalid
  /** Opens only when the test has advanced the backend, or never. */
  readonly waits?: "advance" | "forever"
  /** Played from the opening on. */
  readonly steps?: ReadonlyArray<ScriptStep>
  /** Answers commands; default `obedient`. */
  readonly answer?: ScriptedAnswer
  /** Goes on speaking when its scope is closed, as a dead generation does that nobody could stop. */
  readonly survives?: boolean
}

/** Options of {@link scriptedBackend}. */
export interface ScriptedBackendOptions {
  /** Default `scripted`. */
  readonly name?: string
  readonly capabilities?: Partial<Capabilities>
  /** Default: takes every spec as it is. */
  readonly check?: (spec: unknown) => Effect.Effect<CheckedSpec, SpecInvalid>
  /** What the first, second … opening does; further ones do what the last does. Default: opens and says nothing. */
  readonly openings?: ReadonlyArray<ScriptedOpening> | ((request: OpenRequest, count: number) => ScriptedOpening)
}

/** A {@link Backend} and what a test does with it. */
export interface ScriptedBackend extends Backend {
  /** All openings that got so far as to have a session. */
  readonly sessions: ReadonlyArray<ScriptedSession>
  /** Every request to open, failed ones too. */
  readonly requests: ReadonlyArray<OpenRequest>
  /** Waits for the opening of this number: 1, 2, 3 … */
  readonly opening: (count: number) => Effect.Effect<ScriptedSession>
  /** Lets one opening that `waits` go on. */
  readonly advance: Effect.Effect<void>
}

/** Makes a scripted backend. */
export const scriptedBackend = (options: ScriptedBackendOptions = {}): ScriptedBackend => {
  const name = options.name ?? "scripted"
  const capabilities: Capabilities = { ...noCapabilities, ...options.capabilities }
  const sessions = makeWaitableList<ScriptedSession>()
  const requests: Array<OpenRequest> = []
  const permits = Semaphore.makeUnsafe(0)

  const openingOf = (request: OpenRequest): ScriptedOpening => {
    const { openings = [] } = options
    if (typeof openings === "function") return openings(request, requests.length)
    return openings[Math.min(requests.length, openings.length) - 1] ?? {}
  }

  const open = Effect.fnUntraced(function* (request: OpenRequest) {
    requests.push(request)
    const opening = openingOf(request)
    if (opening.waits === "forever") return yield* Effect.never
    if (opening.waits === "advance") yield* permits.take(1)
    if (opening.fails !== undefined) return yield* opening.fails
    const { session, backendSession } = yield* makeScriptedSession(name, request, { capabilities, ...opening })
    sessions.add(session)
    yield* Effect.forkScoped(Effect.forEach(opening.steps ?? [], (step) => step(session), { discard: true }))
    return backendSession
  })

  return {
    name,
    capabilities,
    check: options.check ?? ((spec) => Effect.succeed({ spec })),
    open,
    sessions: sessions.items,
    requests,
    opening: (count) => sessions.find((items) => items[count - 1]),
    advance: Effect.asVoid(permits.release(1))
  }
}
