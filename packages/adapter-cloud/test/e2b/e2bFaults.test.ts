import type { SandboxProvider, SandboxProviderError } from "@holdfast/core/cloud"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { apiKey, e2bBench } from "./e2bBench.ts"

const failed = <A>(call: Effect.Effect<A, SandboxProviderError>): Promise<SandboxProviderError> =>
  Effect.runPromise(Effect.flip(call))

const json = (code: number, message: string) => JSON.stringify({ code, message })

/** What the API answers, and what it becomes. */
const answers = [
  [400, "invalid", false],
  [401, "forbidden", false],
  [403, "forbidden", false],
  [409, "unavailable", true],
  [429, "rate_limited", true],
  [500, "unavailable", true],
  [503, "unavailable", true],
  [504, "timeout", true],
  [507, "exhausted", false],
  [418, "unexpected", false]
] as const

describe("E2B's answers", () => {
  it("become errors that say what happened and whether to ask again", async () => {
    const { counterpart, provider } = await e2bBench()
    for (const [status, failure, retryable] of answers) {
      counterpart.inject({ on: /^GET \/v2\/sandboxes$/, answer: { status, body: json(status, "so it is") } })
      const error = await failed(provider.list("anybody"))
      expect({ failure: error.failure, retryable: error.retryable }, `of ${status}`).toEqual({ failure, retryable })
      expect(error.message).toContain("so it is")
      expect(error.provider).toBe("e2b")
    }
    expect(await Effect.runPromise(provider.list("anybody"))).toEqual([])
  })

  it("tell how long to wait where E2B says so, and are asked for once", async () => {
    const { counterpart, provider, request } = await e2bBench()
    const limited = (header: string) =>
      counterpart.inject({
        on: /^POST \/v2\/sandboxes$/,
        answer: { status: 429, headers: { "retry-after": header }, body: json(429, "one sandbox a second") }
      })
    limited("7")
    expect((await failed(provider.create(request()))).retryAfterMs).toBe(7_000)
    limited(new Date(Date.now() + 60_000).toUTCString())
    const { retryAfterMs } = await failed(provider.create(request()))
    expect(retryAfterMs).toBeGreaterThan(50_000)
    expect(retryAfterMs).toBeLessThanOrEqual(60_000)
    limited("soon")
    expect(await failed(provider.create(request()))).not.toHaveProperty("retryAfterMs")
    expect(counterpart.requests.filter(({ line }) => line === "POST /v2/sandboxes")).toHaveLength(3)
    expect(counterpart.sandboxes()).toEqual([])
  })

  it("that make no sense are told as such", async () => {
    const { counterpart, provider } = await e2bBench()
    for (const body of ["[{}]", `{"sandboxes":[]}`, `[{"sandboxID":7}]`, "<html>", '[{"sandboxID":"a"', "null"]) {
      counterpart.inject({ on: /^GET \/v2\/sandboxes$/, answer: { status: 200, body } })
      const { failure } = await failed(provider.list("anybody"))
      expect({ body, failure }).toEqual({ body, failure: "unexpected" })
    }
    counterpart.inject({ on: /./, answer: { status: 502, body: "<html>Bad Gateway</html>" } })
    expect((await failed(provider.list("anybody"))).failure).toBe("unavailable")
    counterpart.inject({ on: /./, answer: "drop" })
    expect((await failed(provider.list("anybody"))).failure).toBe("unavailable")
  })

  it("are read page by page", async () => {
    const { counterpart, provider } = await e2bBench()
    const { makeSessionId } = await import("@holdfast/core")
    const listed = (sandboxID: string, owner: string) => ({
      sandboxID,
      metadata: { "holdfast-owner": owner, "holdfast-session": makeSessionId(), "holdfast-generation": "3" },
      startedAt: "2026-01-01T00:00:00Z",
      endAt: "2099-01-01T00:00:00Z",
      state: "paused",
      somethingNew: true
    })
    const page = (entries: ReadonlyArray<unknown>, headers: Record<string, string>) =>
      counterpart.inject({
        on: /^GET \/v2\/sandboxes$/,
        answer: { status: 200, headers, body: JSON.stringify(entries) }
      })
    page([listed("a", "mine"), listed("b", "theirs")], { "x-next-token": "more" })
    page([listed("c", "mine"), { ...listed("d", "mine"), metadata: { "holdfast-owner": "mine" } }], {})
    for (const id of ["a", "c", "d"]) {
      const body = JSON.stringify({
        ...listed(id, "mine"),
        envdVersion: "0.6.4",
        ...(id === "d" ? { metadata: {} } : {})
      })
      counterpart.inject({ on: new RegExp(`^GET /sandboxes/${id}$`), answer: { status: 200, body } })
    }
    const found = await Effect.runPromise(provider.list("mine"))
    expect(found.map(({ condition, generation, sandboxId }) => ({ sandboxId, generation, condition }))).toEqual([
      { sandboxId: "a", generation: 3, condition: "stopped" },
      { sandboxId: "c", generation: 3, condition: "stopped" }
    ])
  })

  it("that never come end with the call's own deadline, and the connection with it", async () => {
    const { counterpart, provider } = await e2bBench()
    const calls: ReadonlyArray<readonly [RegExp, Effect.Effect<unknown, SandboxProviderError>]> = [
      [/^GET \/v2\/sandboxes$/, provider.check],
      [/^GET \/v2\/sandboxes$/, provider.list("anybody")],
      [/^GET \/sandboxes\/x$/, provider.status("x")],
      [/^GET \/sandboxes\/x$/, provider.exec("x", { command: "true" })],
      [/^GET \/sandboxes\/x$/, provider.getFile("x", "/f")],
      [/^GET \/sandboxes\/x$/, provider.snapshot("x")],
      [/^GET \/snapshots$/, provider.snapshots("anybody")],
      [/^DELETE \/sandboxes\/x$/, provider.destroy("x")]
    ]
    for (const [line, call] of calls) {
      counterpart.inject({ on: line, answer: "hang" })
      const arrived = counterpart.seen(line)
      const error = await Effect.runPromise(
        Effect.gen(function* () {
          const asking = yield* Effect.forkChild(Effect.flip(call))
          yield* Effect.promise(() => arrived)
          yield* TestClock.adjust("10 minutes")
          return yield* Fiber.join(asking)
        }).pipe(Effect.provide(TestClock.layer()))
      )
      expect({ failure: error.failure, retryable: error.retryable }).toEqual({ failure: "timeout", retryable: true })
    }
    await counterpart.released()
  })
})

describe("a sandbox", () => {
  it("that never answers a run ends it with the run's own deadline", async () => {
    const { counterpart, provider, request } = await e2bBench()
    const { sandboxId } = await Effect.runPromise(provider.create(request()))
    const line = /^edge POST \/process.Process\/Start$/
    counterpart.inject({ on: line, times: 2, answer: "hang" })
    const [run, reaping] = [counterpart.seen(line), counterpart.seen(line, 2)]
    const error = await Effect.runPromise(
      Effect.gen(function* () {
        const running = yield* Effect.forkChild(Effect.flip(provider.exec(sandboxId, { command: "true" })))
        yield* Effect.promise(() => run)
        yield* TestClock.adjust("2 minutes")
        // What it may have started is to be ended, which is not answered either.
        yield* Effect.promise(() => reaping)
        yield* TestClock.adjust("2 minutes")
        return yield* Fiber.join(running)
      }).pipe(Effect.provide(TestClock.layer()))
    )
    expect({ failure: error.failure, retryable: error.retryable }).toEqual({ failure: "timeout", retryable: true })
    await counterpart.released()
  })

  it("may have a login shell that talks, and is left where it does not stop", async () => {
    const { provider, request, sh } = await e2bBench()
    const { sandboxId } = await Effect.runPromise(provider.create(request()))
    await Effect.runPromise(sh(sandboxId, `echo 'echo welcome; printf "no line end"' >~/.bash_profile`))
    expect(await Effect.runPromise(sh(sandboxId, "echo heard"))).toBe("heard\n")
    await Effect.runPromise(sh(sandboxId, "echo 'yes' >~/.bash_profile"))
    await expect(Effect.runPromise(sh(sandboxId, "echo heard"))).rejects.toMatchObject({
      failure: "unexpected",
      detail: expect.stringContaining("more than was asked for")
    })
  })
})

describe("the account's key", () => {
  const everyCall = (provider: SandboxProvider) => [
    provider.check,
    provider.list("anybody"),
    provider.status("x"),
    provider.exec("x", { command: "true" }),
    provider.snapshot("x"),
    provider.destroy("x")
  ]

  it("is in no error, whatever E2B answers", async () => {
    const { counterpart, provider } = await e2bBench({ apiKey: `${apiKey}-old` })
    // The counterpart says which key it was, as some services do.
    for (const call of everyCall(provider)) {
      const error = await failed(call)
      expect(error.failure).toBe("forbidden")
      expect(error.detail).toContain("[secret]")
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(apiKey)
    }
    expect(counterpart.requests[0]?.headers["x-api-key"]).toBe(`${apiKey}-old`)
  })

  it("is in no error where E2B cannot be reached", async () => {
    const { provider } = await e2bBench({ apiUrl: "http://127.0.0.1:9" })
    for (const call of everyCall(provider)) {
      const error = await failed(call)
      expect({ failure: error.failure, retryable: error.retryable }).toEqual({
        failure: "unavailable",
        retryable: true
      })
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(apiKey)
    }
  })

  it("may come from the environment, and its absence is told before anything is asked", async () => {
    const { counterpart } = await e2bBench()
    const { e2bSandboxes } = await import("../../src/e2b.ts")
    const provider = e2bSandboxes({ template: "holdfast", apiUrl: counterpart.url, bridge: { installed: ["true"] } })
    const before = process.env["E2B_API_KEY"]
    try {
      delete process.env["E2B_API_KEY"]
      const error = await failed(provider.check)
      expect(error.failure).toBe("forbidden")
      expect(error.detail).toContain("E2B_API_KEY")
      expect(counterpart.requests).toEqual([])
      process.env["E2B_API_KEY"] = apiKey
      await Effect.runPromise(provider.check)
    } finally {
      if (before === undefined) delete process.env["E2B_API_KEY"]
      else process.env["E2B_API_KEY"] = before
    }
  })
})

describe("making a sandbox", () => {
  it("waits until E2B's edge knows it", async () => {
    const { counterpart, provider, request } = await e2bBench()
    const body = JSON.stringify({ sandboxId: "x", message: "The sandbox was not found", code: 502 })
    counterpart.inject({ on: /^edge GET \/health$/, times: 3, answer: { status: 502, body } })
    const { sandboxId } = await Effect.runPromise(provider.create(request()))
    expect(await Effect.runPromise(provider.status(sandboxId))).toBe("running")
    expect(counterpart.requests.filter(({ line }) => line === "edge GET /health")).toHaveLength(4)
  })

  it("finds the one whose making was never answered, and ends what it made when it cannot go on", async () => {
    const { counterpart, provider, request } = await e2bBench()
    const asked = request({ owner: "a b&c=d/%25+" })
    counterpart.inject({ on: /^POST \/v2\/sandboxes$/, answer: "drop", after: true })
    expect((await failed(provider.create(asked))).failure).toBe("unavailable")
    const [made] = counterpart.sandboxes()
    expect(await Effect.runPromise(provider.list(asked.owner)), "it is listed").toMatchObject([
      { sandboxId: made!.id, sessionId: asked.sessionId, condition: "starting" }
    ])

    // The program of one that was left unfinished is started, and started once.
    const { sandboxId } = await Effect.runPromise(provider.create(asked))
    expect(sandboxId).toBe(made!.id)
    expect(await Effect.runPromise(provider.status(sandboxId))).toBe("running")

    counterpart.inject({ on: /^edge POST \/process.Process\/Start$/, answer: { status: 503, body: json(503, "busy") } })
    expect((await failed(provider.create(request()))).retryable).toBe(true)
    expect(counterpart.sandboxes().map(({ id }) => id)).toEqual([sandboxId])
  })

  it("ends one that it was about to make when it is interrupted", async () => {
    const { counterpart, provider, request } = await e2bBench()
    counterpart.inject({ on: /^edge GET \/health$/, answer: "hang" })
    const arrived = counterpart.seen(/^edge GET \/health$/)
    await Effect.runPromise(
      Effect.gen(function* () {
        const making = yield* Effect.forkChild(provider.create(request()))
        yield* Effect.promise(() => arrived)
        yield* Fiber.interrupt(making)
      })
    )
    expect(counterpart.sandboxes()).toEqual([])
  })

  it("asks E2B nothing where the control plane cannot be reached from there", async () => {
    const { counterpart, provider, request } = await e2bBench({ anyControlPlane: false })
    for (const controlPlane of [
      "http://127.0.0.1:4747",
      "https://localhost",
      "http://example.com",
      "unix:/run/x.sock"
    ]) {
      const error = await failed(provider.create(request({ controlPlane })))
      expect(error.failure).toBe("invalid")
      expect(error.detail).toMatch(/https/)
    }
    expect(counterpart.requests).toEqual([])
    counterpart.inject({ on: /^POST \/v2\/sandboxes$/, answer: { status: 500, body: json(500, "reached") } })
    expect((await failed(provider.create(request({ controlPlane: "https://holdfast.example.com" })))).detail).toContain(
      "reached"
    )
  })
})
