/**
 * The process that the test of killed handoffs kills: a runtime that moves a session to and fro between two homes, or between this
 * machine and a sandbox, while prompts come in. It takes the place, the session (or `new`), the first number of its words and where
 * the session goes (`there` or `cloud`), and says, one line each:
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
import { codexInCloud } from "./cloudHouse.ts"
import { type HandoffPlace, specIn, thereIn } from "./handoffHouse.ts"
import { type Route, startRoute } from "./killedRoute.ts"

const [given, session, first, route] = process.argv.slice(2) as [string, string, string, Route]
const place = JSON.parse(given) as HandoffPlace
const say = (line: string) => void writeSync(1, `${line}\n`)

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { holdfast, until } = yield* startRoute(place, route)
      const made =
        session === "new"
          ? (yield* holdfast.create({ backend: "here", spec: specIn(place.project) })).sessionId
          : (session as SessionId)
      say(`open ${made}`)
      for (let word = Number(first); ; word++) {
        yield* holdfast.command(made, prompt(`make word${word}`))
        say(`queued word${word}`)
        const { backend } = yield* until(made, "the opening", ({ chart }) => chart.lifecycle === "open")
        const away = route === "cloud" ? codexInCloud(place) : specIn(thereIn(place))
        const to =
          backend === "here" ? { backend: route, spec: away } : { backend: "here", spec: specIn(place.project) }
        yield* holdfast.handoff(made, to)
        say(`moved ${to.backend}`)
        yield* until(made, "the next opening", isQuiet)
      }
    })
  )
)
