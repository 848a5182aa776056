/** Cloud sessions in real containers: a terminal's whole life, and the death of a container. */
import { type EventLogService, makeMemory, type SessionId } from "@holdfast/core"
import { makeHoldfast } from "@holdfast/runtime"
import { type ContainerEngine, makeContainerEngine } from "@holdfast/testkit"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { buildLocalImage, dockerSandboxes } from "../src/docker.ts"
import { sandboxesOn } from "./docker/engineOfTests.ts"
import { bridgeFile } from "../../bridge/test/support/bridgeFile.ts"
import { openCloudHouse } from "./support/cloudHouse.ts"

const scope = Scope.makeUnsafe()
let engine: ContainerEngine
beforeAll(async () => {
  const made = Effect.gen(function* () {
    engine = yield* makeContainerEngine
    const program = yield* Effect.promise(bridgeFile)
    yield* buildLocalImage({ engine: { socketPath: engine.socketPath }, program })
  })
  await Effect.runPromise(Scope.provide(made, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const shell = (source: string) => ({
  inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", `stty -opost -echo; ${source}`] } }
})

const openHouse = Effect.gen(function* () {
  const provider = dockerSandboxes(sandboxesOn(engine))
  const { backend } = yield* openCloudHouse({ provider, host: "0.0.0.0", policy: { lingerMs: 100 } })
  const log = makeMemory()
  const holdfast = yield* makeHoldfast(log, { backends: [backend] })
  return { holdfast, log, provider }
})

const outputOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.map(log.read(sessionId, 0, { limit: 10_000 }), (page) =>
    page.answer === "gap"
      ? ""
      : Buffer.concat(page.events.flatMap(({ bytes, type }) => (type === "terminal.output" ? [bytes!] : []))).toString()
  )

describe("A terminal in a container", () => {
  it("gives every byte, takes what is typed, tells its exit, and leaves no container", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { holdfast, log, provider } = yield* openHouse
          const source = `seq 20000; pwd; read x; echo "got $x"; exit 3`
          const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: shell(source) })
          // Its terminal echoes nothing by now.
          yield* holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > 0)
          const bytes = new TextEncoder().encode("word\n")
          yield* holdfast.command(sessionId, { type: "terminal.write", data: { bytes } })
          const state = yield* Effect.timeout(
            holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
            30_000
          )
          expect(state.end).toMatchObject({ exitCode: 3 })
          const numbers = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join("")
          expect(yield* outputOf(log, sessionId)).toBe(`${numbers}/workspace\ngot word\n`)
          expect(yield* provider.list("test")).toEqual([])
          expect(yield* engine.containers).toEqual([])
        })
      )
    ))

  it("ends with the reason when its container is killed, of which nothing is left", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { holdfast, provider } = yield* openHouse
          const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: shell("seq 1 1000; sleep 1000") })
          const open = yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
          yield* engine.podman("kill", open.sandbox!.sandboxId!)
          const state = yield* Effect.timeout(
            holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
            30_000
          )
          expect(state.end?.reason).toContain("its sandbox has ended")
          while ((yield* provider.list("test")).length > 0) yield* Effect.sleep(50)
        })
      )
    ))
})
