/**
 * The process that the test of killed handoffs kills: a runtime that moves a session to and fro between two homes while prompts
 * come in. It takes the place, the session (or `new`) and the first number of its words, and says, one line each:
 *
 *     open <sessionId>        the session is there
 *     queued <word>           this prompt was acknowledged
 *     moved <backend>         this move was
 */
import type { SessionId } from "@holdfast/core"
import { Effect } from "effect"
import { writeSync } from "node:fs"
import { isQuiet } from "../agents/agentRuntime.ts"
import { prompt } from "../fixtures.ts"
import { type HandoffPlace, specIn, startHandoffRuntime, thereIn } from "./handoffHouse.ts"

const [given, session, first] = process.argv.slice(2) as [string, string, string]
const place = JSON.parse(given) as HandoffPlace
const say = (line: string) => void writeSync(1, `${line}\n`)

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { holdfast, until } = yield* startHandoffRuntime(place, { policy: { maxAttempts: 1_000, retryDelayMs: 0 } })
      const made =
        session === "new"
          ? (yield* holdfast.create({ backend: "here", spec: specIn(place.project) })).sessionId
          : (session as SessionId)
      say(`open ${made}`)
      for (let word = Number(first); ; word++) {
        yield* holdfast.command(made, prompt(`make word${word}`))
        say(`queued word${word}`)
        const { backend } = yield* until(made, "the opening", ({ chart }) => chart.lifecycle === "open")
        const [name, cwd] = backend === "here" ? ["there", thereIn(place)] : ["here", place.project]
        yield* holdfast.handoff(made, { backend: name, spec: specIn(cwd) })
        say(`moved ${name}`)
        yield* until(made, "the next opening", isQuiet)
      }
    })
  )
)
