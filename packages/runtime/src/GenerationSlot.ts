/** The place of a session's one generation: opened after the one before has stopped, asked, and released. */
import type { Backend, PromptId, SessionEffect, SessionPolicy, SessionState } from "@holdfast/core"
import { Effect, Fiber, FiberSet, type Scope } from "effect"
import { type Generation, type Missed, type Opening, startGeneration, type Tell } from "./Generation.ts"

/** What a slot needs. */
export interface GenerationSlotParts {
  /** The backend that has the session now. */
  readonly backend: () => Backend
  readonly policy: Pick<SessionPolicy, "closeGraceMs" | "closeTimeoutMs">
  readonly tell: Tell
  /** Values that the first opening gets and the log does not. */
  readonly secrets: unknown
  readonly missed: Missed
  /** How many people look on. */
  readonly people: () => number
}

/** The slot. */
export interface GenerationSlot {
  /** The generation that is opening or open. */
  readonly current: () => Generation | undefined
  /** Carries out what stored events ask of the backend. Never waits for it. */
  readonly run: (effect: Exclude<SessionEffect, { readonly do: "compact" }>, state: SessionState) => Effect.Effect<void>
  /** Values for the next opening: that of a session which another backend has now. */
  readonly give: (secrets: unknown) => void
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

    const open = (number: number, how: Opening, state: SessionState) =>
      Effect.gen(function* () {
        const request = {
          sessionId: state.sessionId,
          generation: number,
          spec: state.spec,
          ...(secrets === undefined ? {} : { secrets }),
          ...(how !== "open" && state.nativeId !== null ? { nativeId: state.nativeId } : {}),
          inDoubt: state.prompts
            .filter((prompt) => prompt.dispatchedAt !== null || prompt.inDoubt)
            .map((prompt) => prompt.promptId as PromptId),
          ...(state.terminal === null ? {} : { size: { cols: state.terminal.cols, rows: state.terminal.rows } }),
          ...(state.sandbox === null ? {} : { sandbox: state.sandbox }),
          ...(state.bundle === null ? {} : { bundle: state.bundle }),
          ...(how === "reattach" ? { reattach: { mirrored: state.mirrored } } : {})
        }
        secrets = undefined
        const before = generation?.release ?? released
        const { missed, people, tell } = parts
        const backend = parts.backend()
        generation = yield* startGeneration({ backend, request, opening: how, missed, people, tell }, before, scope)
      })

    return {
      current: () => generation,
      give: (given) => {
        secrets = given
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
          case "open":
            return open(effect.generation, effect.resume ? "resume" : "open", state)
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
