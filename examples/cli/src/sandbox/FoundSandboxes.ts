/** The sandboxes that there are, and which of them a session of the log still owns. */
import { type LogUnavailable, type SessionId, type SessionState } from "@holdfast/core"
import type { SandboxInfo, SandboxProvider, SandboxProviderError } from "@holdfast/core/cloud"
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import type { Reader } from "../store/Reader.ts"

/** A sandbox, whose it is, and its session as the log has it; null where no session of the log owns it. */
export interface FoundSandbox extends SandboxInfo {
  readonly provider: string
  readonly session: SessionState | null
}

/** What looking for them found. */
export interface FoundSandboxes {
  readonly sandboxes: ReadonlyArray<FoundSandbox>
  /** Who could not be asked, and why. */
  readonly silent: ReadonlyArray<{ readonly provider: string; readonly detail: string }>
}

/** Whose sandboxes, and where they are made. */
export interface SandboxHost {
  readonly owner: string
  readonly providers: ReadonlyArray<SandboxProvider>
}

/** A sandbox that is being made is its session's before the log has its name. */
const owns = ({ sandbox }: SessionState, { generation, sandboxId }: SandboxInfo): boolean =>
  sandbox !== null &&
  (sandbox.sandboxId === sandboxId || (sandbox.sandboxId === null && sandbox.generation === generation))

const stateOf = (log: Reader | undefined, sessionId: SessionId) =>
  log === undefined
    ? Effect.succeed(null)
    : Effect.catchTag(makeSessionReader(log).state(sessionId), "SessionNotFound", () => Effect.succeed(null))

/** Asks each provider. One that cannot be used is named, and keeps nobody from asking the others. */
export const findSandboxes = (
  { owner, providers }: SandboxHost,
  log: Reader | undefined
): Effect.Effect<FoundSandboxes, LogUnavailable> =>
  Effect.gen(function* () {
    const asked = yield* Effect.forEach(
      providers,
      (provider) =>
        provider.check.pipe(
          Effect.andThen(provider.list(owner)),
          Effect.match({
            onFailure: (error: SandboxProviderError) => ({ provider: provider.name, detail: error.detail }),
            onSuccess: (found) => found.map((one) => ({ ...one, provider: provider.name }))
          })
        ),
      { concurrency: "unbounded" }
    )
    const found = asked.flatMap((one) => ("detail" in one ? [] : one))
    const sandboxes = yield* Effect.forEach(found, (one) =>
      Effect.map(stateOf(log, one.sessionId), (state): FoundSandbox => ({
        ...one,
        session: state !== null && owns(state, one) ? state : null
      }))
    )
    return {
      sandboxes: sandboxes.toSorted((a, b) => b.createdAt - a.createdAt),
      silent: asked.filter((one) => "detail" in one)
    }
  })
