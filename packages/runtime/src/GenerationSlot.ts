/** The place of a session's one generation: opened after the one before has stopped, asked, and released. */
import type {
  Backend,
  BackendLost,
  Observed,
  OpenRequest,
  PromptId,
  SessionEffect,
  SessionPolicy,
  SessionState,
  SpecInvalid
} from "@holdfast/core"
import { Effect, Fiber, FiberSet, type Scope } from "effect"
import {
  type Generation,
  type Missed,
  type Opening,
  startGeneration,
  type Tell,
  type TellOutput
} from "./Generation.ts"
import { type PreparedGeneration, prepareGeneration } from "./handoff/PreparedGeneration.ts"

/** What a slot needs. */
export interface GenerationSlotParts {
  /** The backend that has the session now. */
  readonly backend: () => Backend
  readonly policy: Pick<SessionPolicy, "closeGraceMs" | "closeTimeoutMs">
  readonly tell: Tell
  readonly tellOutput: TellOutput
  /** Values that the first opening gets and the log does not. */
  readonly secrets: unknown
  readonly missed: Missed
  /** How many people look on. */
  readonly people: () => number
}

/** A generation of another backend, or of another spec. */
export interface Preparing {
  readonly backend: Backend
  /** How long it may take to be open, in milliseconds. */
  readonly timeoutMs: number
  /** The session as it is to be opened: with the new spec and the new native session. */
  readonly state: SessionState
  readonly secrets: unknown
  /** The folder with what it brings, for a backend that takes that up while it is opened. */
  readonly bundle: string | undefined
  /** Told what happens while it is opened. */
  readonly onTold: (event: Observed) => Effect.Effect<void>
}

/** The slot. */
export interface GenerationSlot {
  /** The generation that is opening or open. */
  readonly current: () => Generation | undefined
  /** Carries out what stored events ask of the backend. Never waits for it. */
  readonly run: (effect: Exclude<SessionEffect, { readonly do: "compact" }>, state: SessionState) => Effect.Effect<void>
  /** Opens the generation that is to be the next one, beside the present one; given up at the end of the scope unless it is given. */
  readonly prepare: (preparing: Preparing) => Effect.Effect<PreparedGeneration, BackendLost | SpecInvalid, Scope.Scope>
  /** The next opening is this one, and the backend is its own. */
  readonly give: (prepared: PreparedGeneration) => void
  /** Takes up the generation that an earlier runtime left running. */
  readonly reattach: (state: SessionState) => Effect.Effect<void>
  /** Ends it, and waits. */
  readonly release: Effect.Effect<void>
}

/** Makes an empty slot in a scope. */
export const makeGenerationSlot = (parts: GenerationSlotParts): Effect.Effect<GenerationSlot, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const fork = yield* FiberSet.makeRuntime()
    let generation: Generation | undefined
    let released: Effect.Effect<void> = Effect.void
    let secrets = parts.secrets
    let prepared: PreparedGeneration | undefined

    const open = (number: number, how: Opening, state: SessionState) =>
      Effect.gen(function* () {
        const request = requestOf(number, how, state, secrets)
        secrets = undefined
        const before = generation?.release ?? released
        const { missed, people, tell, tellOutput } = parts
        const backend = parts.backend()
        const made = { backend, request, opening: how, missed, people, tell, tellOutput }
        generation = yield* startGeneration(made, before, scope)
      })

    return {
      current: () => generation,
      prepare: ({ backend, bundle, onTold, secrets, state, timeoutMs }) => {
        const { missed, people, tell, tellOutput } = parts
        const opening: Opening = state.nativeId === null ? "open" : "resume"
        const asked = requestOf(state.generation + 1, opening, state, secrets)
        const request = bundle === undefined ? asked : { ...asked, bundle }
        const generation = { backend, request, opening, missed, people, tell, tellOutput }
        return prepareGeneration({ ...generation, scope, timeoutMs, onTold })
      },
      give: (given) => {
        given.claim()
        prepared = given
      },
      run: (effect, state) => {
        switch (effect.do) {
          case "retire":
            return Effect.sync(() => {
              if (generation === undefined) return
              // The next opening waits for it: two of them must not work on one native session.
              const { closeGraceMs, closeTimeoutMs } = parts.policy
              const retired = fork(generation.retire(closeGraceMs, closeTimeoutMs))
              released = Effect.asVoid(Fiber.await(retired))
              generation = undefined
            })
          case "open": {
            const arrived = prepared?.number === effect.generation ? prepared : undefined
            prepared = undefined
            if (arrived === undefined) return open(effect.generation, effect.resume ? "resume" : "open", state)
            return Effect.sync(() => {
              generation = arrived.adopt(released)
            })
          }
          case "perform":
            return Effect.sync(() => generation?.perform(effect.command, effect.seq))
          case "release":
            return Effect.sync(() => {
              if (generation === undefined) return
              // Not waited for here: an adapter that is slow to stop must not hold up the next event.
              released = generation.release
              generation = undefined
              fork(released)
            })
        }
      },
      reattach: (state) => open(state.generation, "reattach", state),
      release: Effect.suspend(() => generation?.release ?? released)
    }
  })

/** What a backend is asked to open. */
const requestOf = (
  generation: number,
  how: Opening,
  state: SessionState,
  secrets: unknown
): Omit<OpenRequest, "tell"> => ({
  sessionId: state.sessionId,
  generation,
  spec: state.spec,
  ...(secrets === undefined ? {} : { secrets }),
  ...(how !== "open" && state.nativeId !== null ? { nativeId: state.nativeId } : {}),
  inDoubt: state.prompts
    .filter((prompt) => prompt.dispatchedAt !== null || prompt.inDoubt)
    .map((prompt) => prompt.promptId as PromptId),
  ...(state.terminal === null ? {} : { size: { cols: state.terminal.cols, rows: state.terminal.rows } }),
  ...(state.sandbox === null ? {} : { sandbox: state.sandbox }),
  ...(how === "reattach" ? { reattach: { mirrored: state.mirrored } } : {})
})
