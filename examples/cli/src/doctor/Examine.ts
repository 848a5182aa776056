/** Looks at everything that holdfast needs. It changes nothing, and no problem keeps it from looking at the rest. */
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { openIfThere } from "../store/Reader.ts"
import { examineDisk, examineNode, examinePermissions, examineTerminal, type Finding } from "./Machine.ts"
import { examineSandboxes } from "./Sandboxes.ts"
import { examineOrphans, examineOwner } from "./Owner.ts"

export type { Finding } from "./Machine.ts"

/** The findings, in the order in which a person should read them. */
export const examine = (store: string): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const machine: ReadonlyArray<Finding> = [
      examineNode(),
      yield* examineTerminal,
      examineDisk(store),
      ...examinePermissions(store)
    ]
    return [...machine, ...(yield* examineSandboxes(store)), ...(yield* examineLog(store))]
  })

const examineLog = (store: string): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    if (!existsSync(store))
      return [{ check: "log", status: "ok", detail: `${store} will be made by the first run` } as const]
    const log = (yield* openIfThere(store))!
    const { events, sessions } = yield* log.stats
    const opened: Finding = { check: "log", status: "ok", detail: `${store}: ${sessions} sessions, ${events} events` }
    return [opened, yield* examineOwner(store, log), yield* examineOrphans(log)]
  }).pipe(
    Effect.catch((error) => Effect.succeed([{ check: "log", status: "problem", detail: error.message } as const])),
    Effect.scoped
  )
