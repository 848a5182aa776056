import { makeSessionId } from "@holdfast/core"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { dockerSandboxes } from "../../src/docker.ts"

/** What an engine answers to everything. */
const answering = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socketPath: string; readonly close: () => Promise<void> }>((resume) => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-engine-"))
      const socketPath = join(folder, "engine.sock")
      const server = createServer(listener)
      const close = () =>
        new Promise<void>((resolve) => {
          server.closeAllConnections()
          server.close(() => {
            rmSync(folder, { recursive: true })
            resolve()
          })
        })
      server.listen(socketPath, () => resume(Effect.succeed({ socketPath, close })))
    }),
    ({ close }) => Effect.promise(close)
  )

const failureOf = (listener: RequestListener) =>
  Effect.gen(function* () {
    const { socketPath } = yield* answering(listener)
    return yield* Effect.flip(dockerSandboxes({ engine: { socketPath } }).list("somebody"))
  }).pipe(Effect.scoped, Effect.runPromise)

const refusing =
  (status: number, message: string, headers: Readonly<Record<string, string>> = {}): RequestListener =>
  (_, response) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify({ message }))

describe("what an engine refuses", () => {
  it.each([
    [400, "invalid reference format", { failure: "invalid", retryable: false }],
    [401, "unauthorized", { failure: "forbidden", retryable: false }],
    [403, "denied by policy", { failure: "forbidden", retryable: false }],
    [404, "no such thing", { failure: "not_found", retryable: false }],
    [409, "conflict", { failure: "invalid", retryable: false }],
    [429, "slow down", { failure: "rate_limited", retryable: true }],
    [500, "something broke", { failure: "unavailable", retryable: true }],
    [500, "write /var/lib/x: no space left on device", { failure: "exhausted", retryable: false }],
    [503, "starting", { failure: "unavailable", retryable: true }],
    [504, "took too long", { failure: "timeout", retryable: true }],
    [507, "out of room", { failure: "exhausted", retryable: false }],
    [302, "elsewhere", { failure: "unexpected", retryable: false }]
  ])("with status %i (%s) is told by its kind, with its words", async (status, message, expected) => {
    const error = await failureOf(refusing(status, message))
    expect(error).toMatchObject({ ...expected, provider: "docker", operation: "list" })
    expect(error.detail).toContain(message)
  })

  it("as too many requests says how long to wait, in seconds or until a date", async () => {
    expect((await failureOf(refusing(429, "slow", { "retry-after": "7" }))).retryAfterMs).toBe(7_000)
    const date = new Date(Date.now() + 60_000).toUTCString()
    const { retryAfterMs } = await failureOf(refusing(429, "slow", { "retry-after": date }))
    expect(retryAfterMs).toBeGreaterThan(30_000)
    expect(retryAfterMs).toBeLessThanOrEqual(60_000)
    expect((await failureOf(refusing(429, "slow", { "retry-after": "soon" }))).retryAfterMs).toBeUndefined()
  })

  it("without a word, by closing the connection, can be tried again", async () => {
    expect(await failureOf((request) => request.socket.destroy())).toMatchObject({
      failure: "unavailable",
      retryable: true
    })
  })
})

describe("an engine that answers", () => {
  it.each([
    ["no JSON", "<html>hello</html>"],
    ["another shape", JSON.stringify({ containers: [] })],
    ["wrong types", JSON.stringify([{ Id: 3, State: null, Labels: "no" }])]
  ])("%s is not understood, and not believed", async (_, body) => {
    expect(await failureOf((_request, response) => response.end(body))).toMatchObject({
      failure: "unexpected",
      retryable: false
    })
  })

  it("with more than is known loses nothing of what is", async () => {
    const sessionId = makeSessionId()
    const container = {
      Id: "a".repeat(64),
      State: "running",
      Labels: {
        "dev.holdfast.owner": "somebody",
        "dev.holdfast.session": sessionId,
        "dev.holdfast.generation": "3",
        "dev.holdfast.created": "1700000000000",
        "com.example.else": "x"
      },
      New: { deep: true }
    }
    const others = [
      { ...container, Id: "b".repeat(64), Labels: null },
      { ...container, Id: "c".repeat(64), Labels: { ...container.Labels, "dev.holdfast.session": "not-an-id" } },
      { ...container, Id: "d".repeat(64), State: "a-state-of-tomorrow" }
    ]
    const listed = Effect.gen(function* () {
      const { socketPath } = yield* answering((_, response) => response.end(JSON.stringify([container, ...others])))
      return yield* dockerSandboxes({ engine: { socketPath } }).list("somebody")
    })
    const info = { owner: "somebody", sessionId, generation: 3, createdAt: 1_700_000_000_000 }
    expect(await Effect.runPromise(Effect.scoped(listed))).toEqual([
      { ...info, sandboxId: "a".repeat(64), condition: "running" },
      { ...info, sandboxId: "d".repeat(64), condition: "stopped" }
    ])
  })
})

describe("a container that is to be destroyed", () => {
  const sandboxId = "a".repeat(64)
  const container = {
    Id: sandboxId,
    Name: "/holdfast-1",
    State: { Status: "exited" },
    Image: "sha256:1",
    Config: {
      Labels: {
        "dev.holdfast.owner": "somebody",
        "dev.holdfast.session": makeSessionId(),
        "dev.holdfast.generation": "1",
        "dev.holdfast.created": "1700000000000"
      }
    }
  }

  const destroying = async (answers: ReadonlyArray<readonly [status: number, message: string]>) => {
    let removals = 0
    const engine: RequestListener = (request, response) => {
      if (request.method !== "DELETE") {
        return response.end(JSON.stringify(request.url?.includes("/images/") === true ? [] : container))
      }
      const [status, message] = answers[Math.min(removals++, answers.length - 1)]!
      return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ message }))
    }
    const destroyed = Effect.gen(function* () {
      const { socketPath } = yield* answering(engine)
      return yield* Effect.result(dockerSandboxes({ engine: { socketPath } }).destroy(sandboxId))
    })
    return { result: await Effect.runPromise(Effect.scoped(destroyed)), removals }
  }

  it("is tried again while it ends by itself, which podman has an error for", async () => {
    const { result, removals } = await destroying([
      [500, "cannot remove container as it could not be stopped: container state improper: stopped"],
      [409, "removal is already in progress"],
      [204, ""]
    ])
    expect(result).toMatchObject({ _tag: "Success" })
    expect(removals).toBe(3)
  })
})

describe("without an engine", () => {
  it("a call says what to start", async () => {
    const error = await Effect.runPromise(
      Effect.flip(dockerSandboxes({ engine: { socketPath: "/no/such/engine.sock" } }).check)
    )
    expect(error).toMatchObject({ failure: "unavailable", retryable: true })
    expect(error.message).toMatch(/\/no\/such\/engine\.sock.*start Docker/)
  })
})
