/** The place of a session's one generation: opened after the one before has stopped, asked, and released. */
import type { Backend, PromptId, SessionEffect, SessionState } from "@holdfast/core"
import { Effect, FiberSet, type Scope } from "effect"
import { type Generation, startGeneration, type Tell } from "./Generation.ts"

/** What a slot needs. */
export interface GenerationSlotParts {
  readonly backend: Backend
  readonly tell: Tell
  /** Values that the first opening gets and the log does not. */
  readonly secrets: unknown
}

/** The slot. */
export interface GenerationSlot {
  /** The generation that is opening or open. */
  readonly current: () => Generation | undefined
  /** Carries out what stored events ask of the backend. Never waits for it. */
  readonly run: (effect: Exclude<SessionEffect, { readonly do: "compact" }>, state: SessionState) => Effect.Effect<void>
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

    const open = (number: number, resume: boolean, state: SessionState) =>
      Effect.gen(function* () {
        const request = {
          sessionId: state.sessionId,
          generation: number,
          spec: state.spec,
          ...(secrets === undefined ? {} : { secrets }),
          ...(resume && state.nativeId !== null ? { nativeId: state.nativeId } : {}),
          inDoubt: state.prompts
            .filter((prompt) => prompt.dispatchedAt !== null || prompt.inDoubt)
            .map((prompt) => prompt.promptId as PromptId),
          ...(state.terminal === null ? {} : { size: { cols: state.terminal.cols, rows: state.terminal.rows } })
        }
        secrets = undefined
        const before = generation?.release ?? released
        generation = yield* startGeneration(parts.backend, before, request, resume, parts.tell, scope)
      })

    return {
      current: () => generation,
      run: (effect, state) => {
        switch (effect.do) {
          case "open":
            return open(effect.generation, effect.resume, state)
          case "perform":
            return Effect.sync(() => generation?.perform(effect.command))
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
      release: Effect.suspend(() => generation?.release ?? released)
    }
  })
