/** A store for a while. With it go its owner, and whatever its sessions started. */
import { processMarker, type ProcessIdentity, terminateTree } from "@holdfast/process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openIfThere } from "../store/Reader.ts"
import { ownerPlace, sandboxPlace } from "../store/StorePath.ts"

/** Milliseconds that the owner has to end by itself. */
const graceMs = 4_000

/** What runs on account of a store: its owner, and the markers of what its sessions started. */
const whatRuns = (store: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* openIfThere(store)
      if (log === undefined) return { owner: undefined, markers: [] }
      const owner: ProcessIdentity | undefined = yield* log.owner
      const { sessions } = yield* log.sessions()
      return { owner, markers: sessions.map((one) => processMarker(one.sessionId, one.generation)) }
    })
  )

/** The path of a store in a new directory, for the scope. */
export const temporaryStore: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => join(mkdtempSync(join(tmpdir(), "holdfast-tour-")), "tour.db")),
  (store) =>
    Effect.gen(function* () {
      const { markers, owner } = yield* whatRuns(store)
      yield* terminateTree({ root: owner }, { graceMs })
      for (const marker of markers) yield* terminateTree({ marker }, { graceMs: 0 })
      // They outlive the owner.
      if (existsSync(sandboxPlace(store).folder)) {
        const { removeSandboxes } = yield* Effect.promise(() => import("../sandbox/KeepSandboxes.ts"))
        yield* removeSandboxes(store)
      }
    }).pipe(
      Effect.catch((error) => Effect.logWarning("something of the tour may still run", error)),
      Effect.ensuring(
        Effect.sync(() => {
          // Elsewhere, where its path would have been too long for a socket.
          const { directory } = ownerPlace(store)
          for (const folder of [directory, join(store, "..")]) rmSync(folder, { recursive: true, force: true })
        })
      )
    )
)
