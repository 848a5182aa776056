/** Runtimes that are killed at random points, again and again, with a real agent behind them. */
import { assert, describe, it } from "@effect/vitest"
import type { SessionId } from "@holdfast/core"
import type { RecordedRequest } from "@holdfast/testkit"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { randomFrom } from "../crash/matrix.ts"
import { type AgentHouse, type AgentName, openAgentHouse } from "./agentHouse.ts"
import { eventually, only, patience, patient, startRuntime } from "./agentRuntime.ts"

/** Kills of each agent's runtime. Most of a round is the start of a process and of Opencode's server. */
const rounds: ReadonlyArray<readonly [AgentName, number]> = [
  ["codex", 10],
  ["opencode", 6]
]

/** Prompts that a runtime sends before it is killed, at most. */
const promptsARound = 3

/** Most milliseconds between the last thing that was seen and the kill: about as long as a turn takes. */
const longestPause = 250

/** Most milliseconds between the start of a process and its kill, where it is killed before it says anything. */
const longestStart = 2_500

const seed = Number(process.env["HOLDFAST_CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** A runtime in a process of its own. */
const startHost = (house: AgentHouse, session: SessionId | "new", first: number, count: number) => {
  const { model: _, ...place } = house
  const program = fileURLToPath(new URL("./agentHost.ts", import.meta.url))
  const args = ["--conditions=@holdfast/source", program, JSON.stringify(place), session, `${first}`, `${count}`]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = once(child, "exit")
  return {
    child,
    /** The next line; undefined when it has ended. */
    next: Effect.promise(async () => {
      const { done, value } = await lines.next()
      return done === true ? undefined : value
    }),
    kill: Effect.promise(async () => {
      child.kill("SIGKILL")
      await exited
    }),
    exited: Effect.promise(() => exited)
  } as const
}

const hostIn = (house: AgentHouse, session: SessionId | "new", first: number, count: number) =>
  Effect.acquireRelease(
    Effect.sync(() => startHost(house, session, first, count)),
    ({ kill }) => kill
  )

/** Waits until no process is left that was started for the agent's home. */
const nothingAtHome = ({ home }: AgentHouse) =>
  eventually("the end of the agent's processes", async () => {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
    return !pids.some((pid) => environmentOf(pid).includes(home))
  })

const environmentOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1")
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return ""
    throw error
  }
}

/** What users said in all that a model was sent. */
const userWords = ({ body }: RecordedRequest): ReadonlyArray<string> => {
  const { input, messages } = body as {
    readonly input?: ReadonlyArray<unknown>
    readonly messages?: ReadonlyArray<unknown>
  }
  return (input ?? messages ?? [])
    .filter((message) => (message as { readonly role?: unknown }).role === "user")
    .flatMap((message) => JSON.stringify(message).match(/say word\d+/g) ?? [])
}

describe.each(rounds)(`a runtime with %s, killed with SIGKILL (HOLDFAST_CRASH_SEED=${seed})`, (agent, kills) => {
  it.live(
    `leaves no process, and loses no prompt and delivers none twice, ${kills} times`,
    () => {
      const random = randomFrom(seed)
      const below = (limit: number) => Math.floor(random() * limit)
      return Effect.gen(function* () {
        const house = yield* openAgentHouse(agent)
        const acknowledged = new Set<string>()
        let session: SessionId | "new" = "new"
        let word = 1

        for (let round = 0; round < kills; round++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const host = yield* hostIn(house, session, word, promptsARound)
              word += promptsARound
              // Also while it starts; but the first has to say which session it made.
              const lines = session === "new" ? 1 + below(4) : below(6)
              for (let seen = 0; seen < lines; seen++) {
                const line = yield* host.next
                if (line === undefined) break
                const [what, which] = line.split(" ")
                if (what === "open") session = which as SessionId
                if (what === "queued") acknowledged.add(which!)
              }
              yield* Effect.sleep(below(lines === 0 ? longestStart : longestPause))
              yield* host.kill
            })
          )
          yield* nothingAtHome(house)
        }

        const { events, say } = yield* startRuntime(house, patient)
        const sessionId = session as SessionId
        yield* say(sessionId, "recall")
        const told = yield* events(sessionId)
        const prompts = only(told, "prompt.queued").map(({ data }) => ({
          promptId: data.promptId,
          text: data.content.map((block) => (block.type === "text" ? block.text : "")).join()
        }))
        assert.includeMembers(
          prompts.map(({ text }) => text.replace("say ", "")),
          [...acknowledged]
        )
        const delivered = only(told, "prompt.delivered").map(({ data }) => data.promptId)
        assert.deepStrictEqual(delivered.toSorted(), prompts.map(({ promptId }) => promptId).toSorted())
        for (const { text } of prompts) {
          const calls = house.model.requests.filter((request) => request.prompt === text && request.step === 0)
          // By conversation: one that was killed with its first prompt, before it could be resumed, was begun anew.
          const conversations = calls.map(({ conversation }) => conversation)
          assert.strictEqual(conversations.length, new Set(conversations).size, `model calls for ${text}`)
        }
        const known = userWords(house.model.requests.at(-1)!)
        assert.deepStrictEqual(
          known.toSorted(),
          prompts
            .map(({ text }) => text)
            .filter((text) => text !== "recall")
            .toSorted()
        )
        assert.lengthOf(only(told, "turn.completed"), only(told, "turn.started").length)
        assert.isEmpty(only(told, "backend.noted").filter(({ data }) => /left out|malformed/.test(data.message)))
      })
    },
    4 * patience
  )
})
