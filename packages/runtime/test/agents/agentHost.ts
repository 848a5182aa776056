/**
 * The process that the crash test kills: a runtime on a real log with a real agent. It takes the place, and the numbers of
 * the words that it is to say one after the other, and says on standard output, one line each:
 *
 *     open <sessionId>             the session is open and quiet
 *     queued <word>                this prompt was acknowledged
 *     quiet                        all prompts were delivered and their turns are over
 */
import { writeSync } from "node:fs"
import type { SessionId } from "@holdfast/core"
import { Effect } from "effect"
import { prompt } from "../fixtures.ts"
import type { AgentPlace } from "./agentHouse.ts"
import { isQuiet, patient, startRuntime } from "./agentRuntime.ts"

const [place, session, first, count] = process.argv.slice(2) as [string, string, string, string]
const say = (line: string) => void writeSync(1, `${line}\n`)

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { holdfast, open, until } = yield* startRuntime(JSON.parse(place) as AgentPlace, patient)
      const sessionId = session === "new" ? yield* open() : (session as SessionId)
      yield* until(sessionId, "the opening", ({ chart }) => chart.lifecycle === "open")
      say(`open ${sessionId}`)
      for (let word = Number(first); word < Number(first) + Number(count); word++) {
        yield* holdfast.command(sessionId, prompt(`say word${word}`))
        say(`queued word${word}`)
      }
      yield* until(sessionId, "the end of all turns", isQuiet)
      say("quiet")
    })
  )
)
