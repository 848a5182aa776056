/** Opening the inner backend of a generation: what is asked of the bridge, and what its answer means. */
import { type BridgeBundle, type BridgeOpen, WorkspaceSpec } from "@holdfast/core/cloud"
import { SpecInvalid } from "@holdfast/core"
import { Effect } from "effect"
import type { BridgeLink } from "./BridgeLink.ts"
import type { CloudGeneration, Opened } from "./CloudGeneration.ts"
import { inside } from "./CloudSpec.ts"
import { CommandFailed } from "./CommandBook.ts"
import type { NotCarried } from "./handoff/BundleCarrier.ts"

/** It is not open, and why. */
export interface NotOpened {
  readonly reason: string
  readonly retryable: boolean
}

/** Tells people of something beside the session's own story. */
export type Remark = (level: "info" | "warning" | "error", message: string, code?: string) => void

/**
 * Asks the bridge to open a generation. `isFresh`: its sandbox was made from nothing, so that what an earlier one remembered may
 * not be there; then it is opened without, rather than not at all, and said so.
 */
export const openInner = (
  self: CloudGeneration,
  link: BridgeLink,
  isFresh: boolean,
  remark: Remark,
  carry: Carry
): Effect.Effect<Opened | NotOpened> => {
  const { bundle, nativeId } = self.request
  if (bundle !== undefined) {
    return bring(link, bundle, carry).pipe(
      Effect.flatMap((brought) => ask(self, link, nativeId, brought)),
      Effect.catch((failed) => Effect.succeed(notOpened(self, failed)))
    )
  }
  return ask(self, link, nativeId).pipe(
    Effect.catch((failed) => {
      if (!isFresh || nativeId === undefined || failed.kind !== "lost" || failed.retryable) return Effect.fail(failed)
      const message = `what the agent remembered went with its sandbox, so it begins anew: ${failed.reason}`
      remark("warning", message, "sandbox_memory_lost")
      return ask(self, link, undefined)
    }),
    Effect.catch((failed) => Effect.succeed(notOpened(self, failed)))
  )
}

/** Carries a bundle of the host into the sandbox that is served. */
export type Carry = (bundle: string, into: string) => Effect.Effect<BridgeBundle, NotCarried>

/** Brings what the session has from elsewhere. */
const bring = (link: BridgeLink, bundle: string, carry: Carry): Effect.Effect<BridgeBundle, CommandFailed> =>
  Effect.gen(function* () {
    const { folder } = yield* link.ask({ do: "receive" })
    if (folder === undefined) {
      const reason = "its bridge is of a version that takes nothing up"
      return yield* new CommandFailed({ kind: "refused", reason, retryable: false })
    }
    return yield* carry(bundle, folder).pipe(
      Effect.mapError(({ reason, retryable }) => new CommandFailed({ kind: "refused", reason, retryable }))
    )
  })

const notOpened = (self: CloudGeneration, failed: CommandFailed): NotOpened => {
  if (failed.kind === "invalid") self.invalid(invalidBy(self, failed))
  return { reason: failed.reason, retryable: failed.kind !== "invalid" && failed.retryable }
}

const ask = (
  self: CloudGeneration,
  link: BridgeLink,
  nativeId: string | undefined,
  bundle?: BridgeBundle
): Effect.Effect<Opened, CommandFailed> => {
  const { request, secrets, spec } = self
  const { forkOf, inDoubt, size } = request
  const open: BridgeOpen = {
    do: "open",
    generation: self.number,
    backend: spec.inner.backend,
    spec: spec.inner.spec,
    inDoubt,
    ...(secrets?.inner === undefined ? {} : { secrets: secrets.inner }),
    ...(nativeId === undefined ? {} : { nativeId }),
    ...(forkOf === undefined ? {} : { forkOf }),
    ...(size === undefined ? {} : { size }),
    ...(spec.workspace === undefined ? {} : { workspace: spec.workspace }),
    ...(bundle === undefined ? {} : { bundle })
  }
  return Effect.map(link.ask(open), ({ opened }) => opened ?? { capabilities: self.inner.capabilities })
}

/** The bad field as the whole spec has it. */
const invalidBy = ({ name, spec }: CloudGeneration, { field = "spec", reason }: CommandFailed): SpecInvalid => {
  if (field === "backend") return new SpecInvalid({ backend: name, field: "inner.backend", expected: reason })
  if (spec.workspace !== undefined && field in WorkspaceSpec.fields) {
    return new SpecInvalid({ backend: name, field: `workspace.${field}`, expected: `another one: ${reason}` })
  }
  return inside(name, { field, expected: reason })
}
