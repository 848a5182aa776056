import { assert, describe, it } from "@effect/vitest"
import { Problem } from "@holdfast/core"
import { Schema } from "effect"
import { connect } from "node:net"
import { type Answered, withHouse } from "./servedHouse.ts"

const decode = Schema.decodeUnknownSync(Problem)

/** The problem of an answer, which says the same in its status, its headers and its body. */
const problemOf = ({ headers, json, status }: Answered) => {
  assert.strictEqual(headers.get("content-type"), "application/problem+json")
  const said = decode(json)
  assert.strictEqual(said.status, status)
  assert.strictEqual(said.type, `urn:holdfast:problem:${said.kind}`)
  return { status, kind: said.kind, field: said.field }
}

/** What the server answers to bytes. */
const raw = (port: number, bytes: string) =>
  new Promise<string>((resolve, reject) => {
    let text = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.on("data", (chunk) => (text += chunk))
    socket.on("close", () => resolve(text))
    socket.on("error", reject)
  })

describe("what goes wrong over HTTP", () => {
  it("is a problem that names the field, whatever is wrong with a request", () =>
    withHouse(async ({ agent, ask }) => {
      const sessions = "/api/v1/sessions"
      const at = `${sessions}/${await agent()}`
      const post = (path: string, body: unknown) => ask("POST", path, { body })
      const cases: ReadonlyArray<readonly [() => Promise<Answered>, number, string, string | undefined]> = [
        [() => post(sessions, "{"), 400, "invalid", undefined],
        [() => post(sessions, ""), 400, "invalid", undefined],
        [() => post(sessions, []), 400, "invalid", undefined],
        [() => post(sessions, { backend: "agent" }), 400, "invalid", "spec"],
        [() => post(sessions, { backend: "none", spec: {} }), 400, "invalid", "backend"],
        [() => post(sessions, { backend: "pty", spec: {} }), 400, "invalid", "spec.profile"],
        [() => post(sessions, { backend: "agent", spec: {}, commandId: "7" }), 400, "invalid", "commandId"],
        [
          () => post(`${at}/commands`, { command: { type: "prompt.send", data: {} } }),
          400,
          "invalid",
          "command.data.content"
        ],
        [() => post(`${at}/commands`, { command: { type: "no.such", data: {} } }), 400, "invalid", "command"],
        [() => post(`${at}/commands`, { command: { type: "request.expire", data: {} } }), 400, "invalid", "command"],
        [() => post(`${at}/rename`, { title: "" }), 400, "invalid", "title"],
        [() => post(`${at}/interrupt`, {}), 409, "illegal_state", undefined],
        [() => post(`${at}/exec`, { command: "ls" }), 404, "not_found", undefined],
        [() => ask("GET", `${at}/prompts/x`), 405, "invalid", "method"],
        [() => ask("PATCH", `${at}/prompts/x`, { body: {} }), 400, "invalid", "promptId"],
        [() => ask("GET", `${sessions}?limit=0`), 400, "invalid", "limit"],
        [() => ask("GET", `${sessions}?status=asleep`), 400, "invalid", "status[0]"],
        [() => ask("GET", `${sessions}/nonsense`), 400, "invalid", "sessionId"],
        [() => ask("GET", "/api/v1/nowhere"), 404, "not_found", undefined],
        [() => ask("GET", "/nowhere"), 404, "not_found", undefined],
        [() => ask("PUT", sessions, { body: {} }), 405, "invalid", "method"],
        [() => ask("DELETE", "/healthz"), 405, "invalid", "method"],
        [
          () => ask("POST", sessions, { body: "<a/>", headers: { "content-type": "text/xml" } }),
          415,
          "invalid",
          "content-type"
        ]
      ]
      for (const [answer, status, kind, field] of cases) {
        const answered = await answer()
        assert.deepStrictEqual<object>(problemOf(answered), { status, kind, field }, answered.text)
      }
      assert.strictEqual((await ask("PUT", sessions, { body: {} })).headers.get("allow"), "GET, HEAD, POST")
    }))

  it("is a problem where a body is larger than the server takes, whether it says so or not", () =>
    withHouse(
      async ({ ask, server }) => {
        const large = await ask("POST", "/api/v1/sessions", { body: { backend: "x".repeat(5_000), spec: {} } })
        assert.deepStrictEqual(problemOf(large), { status: 413, kind: "too_large", field: undefined })
        const chunk = "y".repeat(4_096)
        const chunked =
          "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
          `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${"1000\r\n"}${chunk}\r\n1000\r\n${chunk}\r\n0\r\n\r\n`
        assert.match(await raw(server.port, chunked), /^HTTP\/1\.1 413 [\s\S]*"kind":"too_large"/)
      },
      { limits: { maxRequestBytes: 4_000 } }
    ))

  it("is a problem where it is not even HTTP", () =>
    withHouse(async ({ server }) => {
      assert.match(await raw(server.port, "hello\r\n\r\n"), /^HTTP\/1\.1 400 [\s\S]*"kind":"invalid"/)
      const huge = `GET / HTTP/1.1\r\nHost: localhost\r\nX-Huge: ${"x".repeat(40_000)}\r\n\r\n`
      assert.match(await raw(server.port, huge), /^HTTP\/1\.1 431 [\s\S]*"kind":"too_large"/)
    }))

  it("is a problem where more is asked at once than may be, and passes", () =>
    withHouse(
      async ({ agent, ask, server }) => {
        const stream = new URL(`/api/v1/sessions/${await agent()}/events/stream`, server.url)
        const open = new AbortController()
        const first = await fetch(stream, { signal: open.signal })
        assert.strictEqual(first.status, 200)
        const busy = await ask("GET", "/api/v1/me")
        assert.deepStrictEqual(problemOf(busy), { status: 429, kind: "busy", field: undefined })
        assert.strictEqual(busy.headers.get("retry-after"), "1")
        assert.strictEqual((await ask("GET", "/healthz")).status, 200)
        open.abort()
        while ((await ask("GET", "/api/v1/me")).status === 429) await new Promise((done) => setImmediate(done))
      },
      { limits: { maxRequests: 1 } }
    ))
})
