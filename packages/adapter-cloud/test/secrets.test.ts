/** Where the values of a session's environment can be seen, and where not, with real sandboxes of this machine. */
import { type EventLogService, makeMemory, type SessionId } from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { openCloudHouse, processProvider, testFolder } from "./support/cloudHouse.ts"

/** What a file below /proc says of each process of this machine. */
const ofProcesses = (file: "cmdline" | "environ"): ReadonlyArray<string> =>
  readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      return [readFileSync(`/proc/${pid}/${file}`, "latin1")]
    } catch {
      // It has ended meanwhile.
      return []
    }
  })

const outputOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.map(log.read(sessionId, 0, { limit: 10_000 }), (page) =>
    page.answer === "gap"
      ? ""
      : Buffer.concat(page.events.flatMap(({ bytes, type }) => (type === "terminal.output" ? [bytes!] : []))).toString()
  )

describe.each(["none", "bubblewrap"] as const)(
  "A secret of a session's environment, with isolation %s,",
  (isolation) => {
    it("is seen by its own program, and by no run, no other sandbox and nobody who lists processes", () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const secret = `s3cr3t-${randomBytes(12).toString("hex")}`
            const tokens: Array<string> = []
            const made = yield* processProvider(yield* testFolder, { isolation })
            const provider: typeof made = {
              ...made,
              create: (request) => {
                tokens.push(request.environment["HOLDFAST_BRIDGE_TOKEN"]!)
                return made.create(request)
              }
            }
            const { backend } = yield* openCloudHouse({ provider })
            const log = makeMemory()
            const holdfast = yield* makeHoldfast(log, { backends: [backend] })
            const source = 'env; echo "it is $API_KEY"; exec sleep 1000'
            const env = { pass: ["API_KEY"] }
            const spec = {
              inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", source], env } }
            }
            const [own, other] = yield* Effect.all(
              [{ ...spec, environment: { API_KEY: secret } }, spec].map((each) =>
                Effect.gen(function* () {
                  const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: each })
                  const said = outputOf(log, sessionId)
                  yield* Effect.repeat(Effect.delay(said, 20), { until: (text) => text.includes("it is ") }).pipe(
                    Effect.timeout(20_000)
                  )
                  const { sandbox } = yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
                  return { sessionId, sandboxId: sandbox!.sandboxId!, said: yield* said }
                })
              )
            )
            expect(own!.said).toContain(`it is ${secret}\r\n`)
            expect(other!.said).not.toContain(secret)
            // What lets a bridge in is the bridge's alone.
            expect(tokens).toHaveLength(2)
            for (const token of tokens) expect(`${own!.said}${other!.said}`).not.toContain(token)

            expect(
              ofProcesses("cmdline").filter((words) => [secret, ...tokens].some((one) => words.includes(one)))
            ).toEqual([])
            // Only what runs in its own sandbox was given it.
            const holders = ofProcesses("environ").filter((values) => values.includes(secret))
            expect(holders.length).toBeGreaterThan(0)
            const isOwn = (values: string) => values.includes(own!.sandboxId) || values.includes(own!.sessionId)
            expect(holders.filter((values) => !isOwn(values))).toEqual([])
            for (const { sandboxId } of [own!, other!]) {
              const { exitCode, stdout } = yield* provider.exec(sandboxId, { command: "env" })
              expect(exitCode).toBe(0)
              for (const word of [secret, ...tokens]) expect(Buffer.from(stdout).toString()).not.toContain(word)
            }
            for (const { sessionId } of [own!, other!]) {
              yield* holdfast.command(sessionId, { type: "session.close", data: { force: true } })
              yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
            }
            const told = yield* Effect.map(log.read(own!.sessionId, 0, { limit: 10_000 }), (page) =>
              JSON.stringify(page.answer === "gap" ? [] : page.events.map(({ data }) => data))
            )
            expect(told).not.toContain(secret)
          })
        )
      ))
  }
)
