/** What the answers of a server mean, in every form that it gives them. */
import { Effect, Result, Schema, type Scope } from "effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import { makeOpencodeClient, type OpencodeClient } from "../src/OpencodeClient.ts"

const test = (name: string, run: () => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it(name, () => Effect.runPromise(Effect.scoped(run())))

/** A client of a server that answers so, and the number of requests that reached it. */
const clientOf = (answer: RequestListener) =>
  Effect.gen(function* () {
    const counted = { requests: 0 }
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const started = createServer((request, response) => {
          counted.requests += 1
          answer(request, response)
        })
        started.listen(0, "127.0.0.1", () => resume(Effect.succeed(started)))
      }),
      (started) =>
        Effect.callback<void>((resume) => {
          started.close(() => resume(Effect.void))
          started.closeAllConnections()
        })
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const client: OpencodeClient = yield* makeOpencodeClient({ url, password: "s3cr3t" })
    return { client, counted }
  })

const json = { "content-type": "application/json; charset=utf-8" }

const cases: ReadonlyArray<
  readonly [name: string, status: number, headers: Record<string, string>, body: string, reason: string, words: string]
> = [
  ["a session that is not there", 404, json, `{"name":"NotFoundError","data":{"message":"no x"}}`, "not found", "no x"],
  [
    "a permission that is not there",
    404,
    json,
    `{"_tag":"PermissionNotFoundError","message":"gone"}`,
    "not found",
    "gone"
  ],
  ["a session that is busy", 409, json, `{"_tag":"SessionBusyError","message":"busy y"}`, "busy", "busy y"],
  ["a body of another shape", 400, json, `{"name":"BadRequest","data":{"message":"bad z"}}`, "refused", "bad z"],
  ["a bad request without words", 400, json, `{"_tag":"BadRequest"}`, "refused", "BadRequest"],
  ["a body that is no JSON", 415, { "content-type": "text/plain" }, "no json", "refused", "no json"],
  [
    "an error inside the server",
    500,
    json,
    `{"name":"UnknownError","data":{"message":"ref err_1"}}`,
    "failed",
    "err_1"
  ],
  ["an error page", 502, { "content-type": "text/html" }, "<h1>Bad gateway</h1>", "failed", "Bad gateway"],
  ["a wrong password", 401, {}, "", "unauthorized", "wrong username or password"],
  ["a route that does not exist", 200, { "content-type": "text/html" }, "<html>", "unexpected", "no such route"],
  ["JSON that is broken", 200, json, "{", "unexpected", "not JSON"],
  ["JSON of another shape", 200, json, `{"id":5}`, "unexpected", "not as expected"]
]

describe("an answer of the server", () => {
  for (const [name, status, headers, body, reason, words] of cases) {
    test(`that means ${name} is told as "${reason}", with the server's own words`, () =>
      Effect.gen(function* () {
        const { client, counted } = yield* clientOf((_, response) => response.writeHead(status, headers).end(body))
        const Session = Schema.Struct({ id: Schema.String })
        for (const request of [client.get("/session/x", Session), client.send("POST", "/session/x", Session)]) {
          const error = yield* Effect.flip(request)
          expect(error).toMatchObject({ _tag: "OpencodeError", reason })
          expect(error.message).toContain(words)
          expect(error.message).not.toContain("s3cr3t")
        }
        expect(counted.requests).toBe(2)
      }))
  }

  test("without a body is as good as any", () =>
    Effect.gen(function* () {
      const { client, counted } = yield* clientOf((_, response) => response.writeHead(204).end())
      expect(yield* client.send("POST", "/session/x/prompt_async", Schema.Unknown, { body: {} })).toBe(undefined)
      expect(counted.requests).toBe(1)
    }))

  test("that breaks off is read again where that changes nothing, and otherwise is told as unknown", () =>
    Effect.gen(function* () {
      const { client, counted } = yield* clientOf((_, response) => {
        if (counted.requests > 1) return void response.writeHead(200, json).end("[1]")
        response.writeHead(200, { ...json, "content-length": "100" }).write("[")
        setImmediate(() => response.destroy())
      })
      expect(yield* client.get("/session", Schema.Unknown)).toEqual([1])
      counted.requests = 0
      const sent = yield* Effect.result(client.send("POST", "/session", Schema.Unknown))
      expect(Result.isFailure(sent) ? sent.failure : undefined).toMatchObject({ reason: "unreachable" })
      expect(counted.requests).toBe(1)
    }))

  test("that never comes is given up after the deadline", () =>
    Effect.gen(function* () {
      const { client } = yield* clientOf(() => undefined)
      const error = yield* Effect.flip(client.send("POST", "/session", Schema.Unknown, { deadlineMs: 50 }))
      expect(error).toMatchObject({ reason: "deadline" })
      expect(error.message).toContain("50 ms")
    }))

  test("longer than 64 MiB is not taken in", () =>
    Effect.gen(function* () {
      const piece = Buffer.alloc(1024 * 1024, " ")
      const { client } = yield* clientOf((_, response) => {
        response.writeHead(200, json)
        const more = (): void => {
          if (response.write(piece)) setImmediate(more)
          else response.once("drain", more)
        }
        more()
      })
      const error = yield* Effect.flip(client.send("POST", "/session", Schema.Unknown))
      expect(error).toMatchObject({ reason: "unexpected" })
    }))
})

describe("a request", () => {
  test("carries who asks, and neither a trace nor the password in its address", () =>
    Effect.gen(function* () {
      let seen: { readonly url: string | undefined; readonly headers: Record<string, unknown> } | undefined
      const { client } = yield* clientOf((request, response) => {
        seen = { url: request.url, headers: request.headers }
        response.writeHead(200, json).end("{}")
      })
      const call = { directory: "/a b", query: { limit: 5 } }
      yield* Effect.withSpan(client.get("/session", Schema.Unknown, call), "span")
      expect(seen?.url).toBe("/session?limit=5&directory=%2Fa+b")
      expect(seen?.headers["authorization"]).toBe(`Basic ${Buffer.from("opencode:s3cr3t").toString("base64")}`)
      expect(seen?.headers).not.toHaveProperty("traceparent")
    }))
})
