/** `holdfast doctor`: what is wrong, and what to do. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { EndWith, exitCodes } from "../ExitCode.ts"
import { json as printJson, line } from "../output/Output.ts"
import { type Look, styleOf } from "../output/Style.ts"
import { settings } from "../Settings.ts"

const marks: { readonly [status in "ok" | "warning" | "problem"]: readonly [mark: string, look: Look] } = {
  ok: ["✓", "green"],
  warning: ["!", "yellow"],
  problem: ["✗", "red"]
}

/** `holdfast doctor`. */
export const doctor = Command.make(
  "doctor",
  {},
  Effect.fnUntraced(function* () {
    const { json, store } = yield* settings
    const { examine } = yield* Effect.promise(() => import("../doctor/Examine.ts"))
    const findings = yield* examine(store)
    const ok = findings.every((one) => one.status !== "problem")
    if (json) yield* printJson({ ok, checks: findings })
    else {
      const style = styleOf(process.stdout)
      for (const { check, detail, fix, status } of findings) {
        const [mark, look] = marks[status]
        yield* line(`${style(look, mark)} ${check.padEnd(12)} ${detail}`)
        if (fix !== undefined) yield* line(`${" ".repeat(15)}${style("bold", fix)}`)
      }
    }
    if (!ok) return yield* new EndWith({ code: exitCodes.unavailable })
  })
).pipe(
  Command.withDescription(
    "Check what holdfast needs (Node, terminals, disk, sandboxes, the log, its owner) and say what to do"
  ),
  Command.withShortDescription("Check what holdfast needs, and say what to do")
)
