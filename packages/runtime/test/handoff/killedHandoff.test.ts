import { assert, describe, it } from "@effect/vitest"
import { readEvent, type SessionEvent, type SessionId } from "@holdfast/core"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { isQuiet, only } from "../agents/agentRuntime.ts"
import { randomFrom } from "../crash/matrix.ts"
import { buildBridgeIn } from "./cloudHouse.ts"
import { bundlesIn, type HandoffPlace, openHandoffHouse, specIn, thereIn } from "./handoffHouse.ts"
import { type Route, startRoute } from "./killedRoute.ts"

/** Kills: each costs the start of a process, of Codex, and a part of a move. */
const rounds = Number(process.env["HOLDFAST_CRASH_ROUNDS"] ?? 3)

/** Most milliseconds between the last thing that was heard and the kill: longer than a whole move takes on an idle machine. */
const longestPause: Readonly<Record<Route, number>> = { there: 800, cloud: 2_500 }

const names: Readonly<Record<Route, string>> = {
  there: `between two homes leaves it with one owner, its whole workspace there, and every prompt delivered once, ${rounds} times`,
  cloud: `between this machine and a sandbox leaves one owner, no other sandbox, and all that it had, ${rounds} times`
}

const seed = Number(process.env["HOLDFAST_CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

const startHost = (place: HandoffPlace, session: SessionId | "new", word: number, route: Route) => {
  const program = fileURLToPath(new URL("./handoffHost.ts", import.meta.url))
  const args = ["--conditions=@holdfast/source", program, JSON.stringify(place), session, `${word}`, route]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = once(child, "exit")
  return {
    next: Effect.promise(async () => {
      const { done, value } = await lines.next()
      assert.isNotTrue(done, "the process ended by itself")
      return value
    }),
    kill: Effect.promise(async () => {
      child.kill("SIGKILL")
      await exited
    })
  }
}

const hostIn = (...how: Parameters<typeof startHost>) =>
  Effect.acquireRelease(
    Effect.sync(() => startHost(...how)),
    ({ kill }) => kill
  )

describe(`A runtime that is killed while it moves a session (HOLDFAST_CRASH_SEED=${seed})`, () => {
  const killed = (route: Route) =>
    it.live(
      names[route],
      () => {
        const random = randomFrom(seed)
        const below = (limit: number) => Math.floor(random() * limit)
        return Effect.gen(function* () {
          const { model, ...place } = yield* openHandoffHouse
          if (route === "cloud") yield* buildBridgeIn(place.folder)
          const acknowledged = new Set<string>()
          let session: SessionId | "new" = "new"
          let moves = 0
          for (let round = 0; round < rounds; round++) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                const host = yield* hostIn(place, session, round * 100 + 1, route)
                const lines = 2 + below(5)
                for (let heard = 0; heard < lines; heard++) {
                  const [what, which] = (yield* host.next).split(" ")
                  if (what === "open") session = which as SessionId
                  if (what === "queued") acknowledged.add(which!)
                  if (what === "moved") moves += 1
                }
                yield* Effect.sleep(below(longestPause[route]))
              })
            )
          }

          const { events, holdfast, sandboxes, say, until } = yield* startRoute(place, route)
          const sessionId = session as SessionId
          yield* until(sessionId, "the last opening", isQuiet)
          const state = yield* say(sessionId, "recall")
          const told: ReadonlyArray<SessionEvent> = (yield* events(sessionId)).flatMap((record) => {
            const read = readEvent(record)
            return read.kind === "known" ? [read.event] : []
          })
          const moved = only(told, "session.moved")
          assert.isAtLeast(moved.length, moves)
          assert.strictEqual(state.backend, moved.at(-1)?.data.backend ?? "here")
          // Each move is a fence: the next generation begins right behind it, and none is there twice.
          const openings = only(told, "backend.opening").map(({ generation }) => generation)
          assert.deepStrictEqual(
            openings,
            openings.map((_, index) => index + 1)
          )
          for (const { seq } of moved)
            assert.isTrue(told.some((event) => event.type === "backend.opening" && event.seq === seq + 1))

          const prompts = only(told, "prompt.queued").map(({ data }) => ({
            promptId: data.promptId,
            word: JSON.stringify(data.content).match(/word\d+/)?.[0]
          }))
          assert.includeMembers(
            prompts.map(({ word }) => word),
            [...acknowledged]
          )
          const delivered = only(told, "prompt.delivered").map(({ data }) => data.promptId)
          assert.deepStrictEqual(delivered.toSorted(), prompts.map(({ promptId }) => promptId).toSorted())
          for (const { word } of prompts) {
            if (word === undefined) continue
            const calls = model.requests.filter((request) => request.prompt === `make ${word}` && request.step === 0)
            const conversations = calls.map(({ conversation }) => conversation)
            assert.strictEqual(conversations.length, new Set(conversations).size, `model calls for ${word}`)
          }
          // What never came to be, and what was left, is ended by the start.
          assert.strictEqual(yield* sandboxes, state.backend === "cloud" ? 1 : 0)
          if (state.backend === "cloud") {
            yield* holdfast.handoff(sessionId, { backend: "here", spec: specIn(place.project) })
            yield* say(sessionId, "recall")
            assert.strictEqual(yield* sandboxes, 0)
          }
          // What the agent made in whole turns is where it works now, wherever it was made.
          const workspace = state.backend === "there" ? thereIn(place) : place.project
          const whole = new Set(
            only(told, "turn.completed").flatMap(({ data }) => (data.outcome === "completed" ? [data.turnId] : []))
          )
          const made = only(told, "turn.started").flatMap(({ data }) => {
            const word = prompts.find(({ promptId }) => promptId === data.promptId)?.word
            return word !== undefined && whole.has(data.turnId) ? [word] : []
          })
          assert.isNotEmpty(made)
          assert.deepStrictEqual(
            made.filter((word) => !existsSync(join(workspace, word))),
            []
          )
          const known = JSON.stringify(model.requests.at(-1)!.body)
          assert.deepStrictEqual(
            made.filter((word) => !known.includes(word)),
            []
          )
          assert.deepStrictEqual(bundlesIn(place), [])
        }).pipe(Effect.scoped)
      },
      240_000
    )
  killed("there")
  killed("cloud")
})
