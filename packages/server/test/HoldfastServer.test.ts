import { ptyBackend } from "@holdfast/adapter-pty"
import { assert, describe, it } from "@effect/vitest"
import { EventLog, layerMemory, makeSessionId, type SessionQuery } from "@holdfast/core"
import { createHoldfast, Holdfast } from "@holdfast/runtime"
import { decodeServerOptions, ListenFailed, serve, serveHoldfast, ServerOptionsInvalid } from "@holdfast/server"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { Effect, Layer, Scope, Exit } from "effect"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, request } from "node:http"
import { request as secureRequest } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LiveTestClient } from "./live/LiveTestClient.ts"
import { withHouse } from "./api/servedHouse.ts"

const inFolder = async (use: (folder: string) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-server-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const memory = () => ({
  store: layerMemory,
  backends: [
    ptyBackend(),
    scriptedBackend({ name: "agent", capabilities: { prompts: true }, openings: scriptedAgents() })
  ]
})

/** Sends the head of a request with a body; `continue` says that the server has it. */
const begin = (url: string, length: number) => {
  const asking = request(url, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": length, expect: "100-continue" }
  })
  asking.flushHeaders()
  return asking
}

const refusal = (options: object) => Effect.runSync(Effect.flip(decodeServerOptions(options)))

describe("a server's options", () => {
  it("are refused by the name of the one that is wrong", () => {
    const wrong: ReadonlyArray<readonly [options: object, field: string]> = [
      [{ port: 70_000 }, "port"],
      [{ prot: 1 }, "prot"],
      [{ limits: { maxRequests: 0 } }, "limits.maxRequests"],
      [{ live: { heartbeatMs: "often" } }, "live.heartbeatMs"],
      [{ auth: { kind: "secret", secret: "short" } }, "auth.secret"],
      [
        { auth: { kind: "jwks", url: "https://a", issuer: "a", audience: "b", algorithms: ["HS256"] } },
        "auth.algorithms.0"
      ],
      [{ allowedOrigins: ["app.example.org"] }, "allowedOrigins.0"],
      [{ owner: { participantId: "host", name: "Host" } }, "owner.participantId"]
    ]
    for (const [options, field] of wrong) {
      const error = refusal(options)
      assert.strictEqual(error.field, field, error.message)
    }
  })

  it("do not open a server that everybody owns to other machines", () => {
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.org"]) {
      const error = refusal({ host })
      assert.strictEqual(error.field, "auth")
      assert.include(error.message, "a secret or a jwks url")
    }
    for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) {
      assert.strictEqual(Effect.runSync(decodeServerOptions({ host })).host, host)
    }
    const auth = { kind: "secret" as const, secret: "a secret of the tests that has 32 bytes" }
    assert.strictEqual(Effect.runSync(decodeServerOptions({ host: "0.0.0.0", auth })).host, "0.0.0.0")
  })

  it("that cannot be had say what to do, and leave nothing open", async () => {
    const server = await serve({ port: 0, holdfast: memory() })
    const taken = await serve({ port: server.port, holdfast: memory() }).catch((error: unknown) => error)
    assert.instanceOf(taken, ListenFailed)
    assert.include(taken.message, "choose another port")
    const tls = { key: "no key", cert: "no certificate" }
    const unusable = await serve({ port: 0, tls, holdfast: memory() }).catch((error: unknown) => error)
    assert.instanceOf(unusable, ServerOptionsInvalid)
    assert.strictEqual(unusable.field, "tls")
    const page = join(tmpdir(), "no-such-folder")
    const unbuilt = await serve({ port: 0, page, holdfast: memory() }).catch((error: unknown) => error)
    assert.instanceOf(unbuilt, ServerOptionsInvalid)
    assert.strictEqual(unbuilt.field, "page")
    await server.close()
  })
})

describe("a server", () => {
  it("serves a runtime that its host keeps, and one that it opens itself", async () => {
    const holdfast = await createHoldfast(memory())
    const first = await serve({ port: 0, holdfast })
    const { sessionId } = await holdfast.create({ backend: "agent", spec: {} })
    const second = await serve({ port: 0, holdfast })
    for (const { url } of [first, second]) {
      const response = await fetch(`${url}/api/v1/sessions/${sessionId}`)
      assert.strictEqual(response.status, 200)
    }
    await first.close()
    await second.close()
    assert.strictEqual((await holdfast.summary(sessionId)).sessionId, sessionId)
    await holdfast.close()
    await first.close()
  })

  it.live("is a scope's, for hosts that use Effect", () =>
    Effect.gen(function* () {
      const services = Holdfast.layer({ backends: [] }).pipe(Layer.provideMerge(layerMemory))
      const scope = yield* Scope.make()
      const { url } = yield* serveHoldfast({ port: 0 }).pipe(Effect.provide(services), Scope.provide(scope))
      const ready = yield* Effect.promise(() => fetch(`${url}/readyz`))
      assert.strictEqual(ready.status, 200)
      yield* Scope.close(scope, Exit.void)
      const gone = yield* Effect.promise(() => fetch(`${url}/readyz`).catch((error: unknown) => error))
      assert.instanceOf(gone, Error)
    })
  )

  it("is not ready where its log does not answer", async () => {
    let answers = true
    const store = Layer.effect(
      EventLog,
      Effect.map(EventLog, (log) => ({
        ...log,
        sessions: (query?: SessionQuery) => Effect.suspend(() => (answers ? log.sessions(query) : Effect.never))
      }))
    ).pipe(Layer.provide(layerMemory))
    const server = await serve({ port: 0, holdfast: { store, backends: [] } })
    assert.strictEqual((await fetch(`${server.url}/readyz`)).status, 200)
    answers = false
    const answer = await fetch(`${server.url}/readyz`)
    assert.strictEqual(answer.status, 503)
    assert.include(await answer.text(), "the log does not answer")
    assert.strictEqual((await fetch(`${server.url}/healthz`)).status, 200)
    await server.close()
  })

  it("counts what it does for Prometheus, for those who have a token", () =>
    withHouse(
      async ({ ask, server }) => {
        const nobody = await ask("GET", "/metrics")
        assert.deepStrictEqual([nobody.status, nobody.headers.get("www-authenticate")], [401, "Bearer"])
        const link = await server.startLink()
        const start = await ask("POST", "/api/v1/auth/start", { body: { token: link.split("#start=")[1] } })
        const cookie = start.headers.get("set-cookie")!.split(";")[0]!
        const { headers, text } = await ask("GET", "/metrics", { headers: { cookie } })
        assert.match(headers.get("content-type")!, /^text\/plain; version=0\.0\.4/)
        assert.match(text, /^holdfast_http_answers\{status="4xx"\} \d+$/m)
        assert.match(text, /^holdfast_live_connections 0$/m)
      },
      { auth: { kind: "secret", secret: "a secret of the tests that has 32 bytes" } }
    ))

  it("serves a page with a policy that lets only its own scripts run", () =>
    inFolder(async (folder) => {
      mkdirSync(join(folder, "assets"))
      writeFileSync(join(folder, "index.html"), "<h1>the page</h1>")
      writeFileSync(join(folder, "assets", "app-1a2b.js"), "1")
      await withHouse(
        async ({ ask }) => {
          const page = await ask("GET", "/", { headers: { accept: "text/html" } })
          assert.strictEqual(page.text, "<h1>the page</h1>")
          assert.include(page.headers.get("content-security-policy")!, "script-src 'self';")
          assert.include(page.headers.get("content-security-policy")!, "frame-ancestors 'none'")
          assert.strictEqual(page.headers.get("x-content-type-options"), "nosniff")
          assert.strictEqual(page.headers.get("referrer-policy"), "no-referrer")
          assert.strictEqual(page.headers.get("cache-control"), "no-cache")
          const deep = await ask("GET", "/sessions/1", { headers: { accept: "text/html" } })
          assert.strictEqual(deep.text, page.text)
          const asset = await ask("GET", "/assets/app-1a2b.js")
          assert.include(asset.headers.get("cache-control")!, "immutable")
          assert.strictEqual((await ask("GET", "/assets/none.js")).json.kind, "not_found")
          assert.strictEqual((await ask("GET", "/%2e%2e/%2e%2e/etc/passwd")).status, 404)
          assert.strictEqual((await ask("POST", "/", { body: {} })).json.kind, "not_found")
          const api = await ask("GET", "/api/v1/me")
          assert.include(api.headers.get("content-security-policy")!, "default-src 'none'")
          assert.strictEqual(api.headers.get("cache-control"), "no-store")
        },
        { page: folder }
      )
    }))

  it("has a page for its API that runs nothing from elsewhere", () =>
    withHouse(async ({ ask }) => {
      const { headers, text } = await ask("GET", "/api/v1/docs")
      const policy = headers.get("content-security-policy")!
      assert.match(policy, /script-src 'sha256-[^']+';/)
      assert.include(policy, "default-src 'none'")
      assert.notMatch(text, /<(?:script|link|img)[^>]+(?:src|href)=/)
    }))

  it("speaks TLS, and says that it stays so", () =>
    inFolder(async (folder) => {
      const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")]
      execFileSync(
        "openssl",
        `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -keyout ${keyFile} -out ${certFile}`.split(
          " "
        ),
        { stdio: "ignore" }
      )
      const [key, cert] = [readFileSync(keyFile, "utf8"), readFileSync(certFile, "utf8")]
      const server = await serve({ port: 0, tls: { key, cert }, holdfast: memory() })
      assert.match(server.url, /^https:/)
      const headers = await new Promise<object>((resolve, reject) => {
        secureRequest(`${server.url}/healthz`, { ca: cert, servername: "localhost" }, (response) => {
          response.resume().on("end", () => resolve(response.headers))
        })
          .on("error", reject)
          .end()
      })
      assert.property(headers, "strict-transport-security")
      await server.close()
    }))
})

describe("a server that stops", () => {
  it("lets requests end, tells followers when to come back, and takes nobody new", () =>
    withHouse(
      async ({ server, terminal }) => {
        const sessionId = await terminal("sleep 30")
        const at = `${server.url}/api/v1/sessions/${sessionId}`
        const client = new LiveTestClient(`${server.url.replace("http", "ws")}/api/v1/live`, undefined)
        await client.message("welcome")
        const stream = await fetch(`${at}/events/stream`)
        const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
        await reader.read()

        // A request in flight: the server has its head, and its body comes only once it is told to stop.
        const body = JSON.stringify({ title: "the last one" })
        const asking = begin(`${at}/rename`, Buffer.byteLength(body))
        const answered = new Promise<string>((resolve, reject) => {
          asking.on("error", reject)
          asking.on("response", (response) => {
            response.resume().on("end", () => resolve(`${response.statusCode} ${response.headers.connection}`))
          })
        })
        await once(asking, "continue")
        const closed = server.close()
        const goodbye = await client.message("goodbye")
        assert.strictEqual(goodbye.retryAfterMs, 1234)
        asking.end(body)
        assert.strictEqual(await answered, "200 close")
        let said = ""
        for (let part = await reader.read(); !part.done; part = await reader.read()) said += part.value
        assert.match(said, /retry: 1234\n[\s\S]*event: end/)
        await closed
        const gone = await fetch(`${server.url}/healthz`).catch((error: unknown) => error)
        assert.instanceOf(gone, Error)
      },
      { retryAfterMs: 1234 }
    ))

  it("cuts what has not ended by the deadline", () =>
    withHouse(
      async ({ server }) => {
        const asking = begin(`${server.url}/api/v1/sessions`, 100)
        const ended = new Promise<string>((resolve) => asking.on("error", ({ message }) => resolve(message)))
        await once(asking, "continue")
        await server.close()
        assert.match(await ended, /hang up|ECONNRESET/)
      },
      { stopDeadlineMs: 100 }
    ))
})

describe("a server's telemetry", () => {
  it("is sent where the environment says, under the service's name, and nowhere without it", async () => {
    const received: Array<{ readonly path: string; readonly body: string }> = []
    const collector = createServer((asked, answer) => {
      let body = ""
      asked.setEncoding("utf8")
      asked.on("data", (part: string) => (body += part))
      asked.on("end", () => {
        received.push({ path: asked.url ?? "", body })
        answer.writeHead(200, { "content-type": "application/json" }).end("{}")
      })
    })
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve))
    const address = collector.address() as { readonly port: number }
    const visit = async () => {
      const server = await serve({ port: 0, holdfast: memory() })
      const at = `${server.url}/api/v1/sessions/${makeSessionId()}`
      await fetch(at)
      const command = JSON.stringify({ command: { type: "session.archive", data: {} } })
      await fetch(`${at}/commands`, { method: "POST", body: command, headers: { "content-type": "application/json" } })
      await server.close()
    }
    await visit()
    assert.deepStrictEqual(received, [])
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${address.port}`
    process.env["OTEL_SERVICE_NAME"] = "holdfast-under-test"
    try {
      await visit()
    } finally {
      delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]
      delete process.env["OTEL_SERVICE_NAME"]
    }
    collector.close()
    const traces = received
      .filter(({ path }) => path === "/v1/traces")
      .map(({ body }) => body)
      .join()
    assert.include(traces, "holdfast-under-test")
    assert.include(traces, `"/api/v1/sessions/:sessionId"`)
    assert.include(traces, `"/api/v1/sessions/:sessionId/commands"`)
    const metrics = received
      .filter(({ path }) => path === "/v1/metrics")
      .map(({ body }) => body)
      .join()
    assert.include(metrics, "holdfast.http.answers")
  })
})
