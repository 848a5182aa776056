/** Opening the inner backend of a generation: what is asked of the bridge, and what its answer means. */
import { type BridgeOpen, WorkspaceSpec } from "@holdfast/core/cloud"
import { SpecInvalid } from "@holdfast/core"
import { Effect } from "effect"
import type { BridgeLink } from "./BridgeLink.ts"
import type { CloudGeneration, Opened } from "./CloudGeneration.ts"
import { inside } from "./CloudSpec.ts"
import type { CommandFailed } from "./CommandBook.ts"

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
  remark: Remark
): Effect.Effect<Opened | NotOpened> => {
  const { nativeId } = self.request
  return ask(self, link, nativeId).pipe(
    Effect.catch((failed) => {
      if (!isFresh || nativeId === undefined || failed.kind !== "lost" || failed.retryable) return Effect.fail(failed)
      const message = `what the agent remembered went with its sandbox, so it begins anew: ${failed.reason}`
      remark("warning", message, "sandbox_memory_lost")
      return ask(self, link, undefined)
    }),
    Effect.catch((failed) => {
      if (failed.kind === "invalid") self.invalid(invalidBy(self, failed))
      return Effect.succeed({ reason: failed.reason, retryable: failed.kind !== "invalid" && failed.retryable })
    })
  )
}

const ask = (
  self: CloudGeneration,
  link: BridgeLink,
  nativeId: string | undefined
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
    ...(spec.workspace === undefined ? {} : { workspace: spec.workspace })
  }
  return Effect.map(link.ask(open), ({ opened }) => opened ?? { capabilities: self.inner.capabilities })
}

/** The bad field as the whole spec has it. */
const invalidBy = ({ name, spec }: CloudGeneration, { field = "spec", reason }: CommandFailed): SpecInvalid => {
  if (field === "backend") return new SpecInvalid({ backend: name, field: "inner.backend", expected: reason })
  if (spec.workspace !== undefined && field in WorkspaceSpec.fields) {
    return new SpecInvalid({ backend: name, field: `workspace.${field}`, expected: reason })
  }
  return inside(name, { field, expected: reason })
}
