import { assert, describe, it } from "@effect/vitest"
import { CloseCode, makeSessionId, type SessionId } from "@holdfast/core"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect as connectSocket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Answer, bodies, operationsOf, secretText, withAttackHouse } from "./attackHouse.ts"

/** Answered without a token: signing in and out, and whether the server lives. */
const open = ["POST /api/v1/auth/start", "POST /api/v1/auth/signout", "GET /healthz", "GET /readyz"]

/** What any caller may ask for, since it is about themselves or the server. */
const aboutNoSession = [
  "GET /api/v1/me",
  "GET /api/v1/backends",
  "GET /api/v1/sessions",
  "GET /metrics",
  "POST /api/v1/auth/tickets"
]

/** An answer without what names the session that was asked for, and without what is new in every answer. */
const bare = ({ headers, status, text }: Answer, sessionId: SessionId) => {
  const { date: _date, ...rest } = headers
  return JSON.stringify({ status, headers: rest, text }).replaceAll(sessionId, "<session>")
}

/** Sends bytes as they are, and gives what comes back until the server ends it. */
const raw = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectSocket(port, "127.0.0.1", () => socket.write(bytes))
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (part: string) => (text += part))
    socket.on("error", reject)
    socket.on("close", () => resolve(text))
  })

const shared = (claims: { readonly org?: string; readonly session?: SessionId } = {}) =>
  ({ sub: "mallory", name: "Mallory", org: "malicious", roles: ["owner"], ...claims }) as const

describe("a server under attack over HTTP", () => {
  it("answers nobody without a token, whatever they ask for", () =>
    withAttackHouse(async (house) => {
      const operations = await operationsOf(house)
      assert.isAbove(operations.length, 30)
      for (const { asked, method, name, path } of operations) {
        if (open.includes(name)) continue
        const answer = await house.http(method, path(house.terminal), asked())
        assert.strictEqual(answer.status, 401, name)
        assert.strictEqual(answer.headers["www-authenticate"], "Bearer", name)
        assert.strictEqual(answer.json.kind, "unauthenticated", name)
      }
    }))

  it("keeps another organisation's sessions as if they were not there, in every operation of its document", () =>
    withAttackHouse(async (house) => {
      const operations = await operationsOf(house)
      const named = new Set(operations.map(({ name }) => name))
      assert.deepStrictEqual(
        Object.keys(bodies).filter((name) => !named.has(name)),
        []
      )
      const before = await house.head(house.terminal)
      const attackers = [
        shared(),
        { ...shared(), org: "Analytical" },
        shared({ org: "analytical", session: makeSessionId() })
      ]
      for (const claims of [...attackers, { sub: "mallory", roles: ["owner"] as const, org: undefined as never }]) {
        const token = await house.token(claims)
        for (const { asked, method, name, path } of operations) {
          if (open.includes(name) || aboutNoSession.includes(name) || name === "POST /api/v1/sessions") continue
          if (name === "POST /api/v1/auth/tokens") continue
          const unknown = makeSessionId()
          const hidden = await house.http(method, path(house.terminal), asked(token))
          const missing = await house.http(method, path(unknown), asked(token))
          assert.strictEqual(hidden.status, 404, name)
          assert.strictEqual(bare(hidden, house.terminal), bare(missing, unknown), name)
        }
        const body = { sessionId: house.terminal, role: "viewer" }
        assert.strictEqual((await house.http("POST", "/api/v1/auth/tokens", { token, body })).status, 404)
        for (const query of ["", `?search=${house.terminal}`, "?search=cat", "?backend=pty"]) {
          assert.deepStrictEqual((await house.http("GET", `/api/v1/sessions${query}`, { token })).json.sessions, [])
        }
      }
      assert.strictEqual(await house.head(house.terminal), before)
      assert.strictEqual(readFileSync(join(house.workspace, "note.txt"), "utf8"), "a note")
    }))

  it("lets a viewer look at everything and change nothing, in every operation of its document", () =>
    withAttackHouse(async (house) => {
      const token = await house.token({ sub: "vera", roles: ["viewer"] })
      const before = await house.head(house.terminal)
      for (const { asked, method, name, path } of await operationsOf(house)) {
        if (open.includes(name) || name === "POST /api/v1/auth/tickets") continue
        if (name.endsWith("/events/stream")) continue
        const body = name === "POST /api/v1/auth/tokens" ? { body: { sessionId: house.terminal, role: "viewer" } } : {}
        const answer = await house.http(method, path(house.terminal), { ...asked(token), ...body })
        assert.strictEqual(answer.status, method === "GET" ? 200 : 403, `${name}: ${answer.text.slice(0, 200)}`)
      }
      assert.strictEqual(await house.head(house.terminal), before)
      assert.strictEqual(readFileSync(join(house.workspace, "note.txt"), "utf8"), "a note")
      assert.isFalse(existsSync(join(house.workspace, "up.txt")))
    }))

  it("holds a token for one session to that session and its role, and lets it make no other", () =>
    withAttackHouse(async (house) => {
      const share = async (body: unknown, token: string) => house.http("POST", "/api/v1/auth/tokens", { token, body })
      const ada = await house.token()
      const made = await share({ sessionId: house.agent, role: "owner", name: "Guest" }, ada)
      assert.strictEqual(made.status, 201)
      const guest = made.json.token
      assert.strictEqual((await house.http("GET", `/api/v1/sessions/${house.agent}`, { token: guest })).status, 200)
      assert.strictEqual((await house.http("GET", `/api/v1/sessions/${house.terminal}`, { token: guest })).status, 404)
      const { sessions } = (await house.http("GET", "/api/v1/sessions", { token: guest })).json
      assert.deepStrictEqual(
        sessions.map((one) => one.sessionId),
        [house.agent]
      )
      const create = { token: guest, body: { backend: "agent", spec: {} } }
      assert.strictEqual((await house.http("POST", "/api/v1/sessions", create)).status, 403)
      assert.strictEqual(
        (await house.http("POST", `/api/v1/sessions/${house.agent}/fork`, { token: guest, body: {} })).status,
        403
      )
      assert.strictEqual((await share({ sessionId: house.agent, role: "viewer" }, guest)).status, 403)

      // Nobody gives more than they have, or for longer than 30 days.
      const max = await house.token({ sub: "max", roles: ["member"] })
      assert.strictEqual((await share({ sessionId: house.agent, role: "viewer" }, max)).status, 403)
      for (const expiresInSeconds of [1, 30 * 86_400 + 1]) {
        const answer = await share({ sessionId: house.agent, role: "viewer", expiresInSeconds }, ada)
        assert.deepInclude(answer.json, { status: 400, field: "expiresInSeconds" })
      }

      // Once taken back it is good for nothing; and only an owner can take it back.
      const path = `/api/v1/auth/tokens/${encodeURIComponent(made.json.tokenId)}`
      assert.strictEqual((await house.http("DELETE", path, { token: max })).status, 403)
      assert.strictEqual((await house.http("DELETE", path, { token: await house.token(shared()) })).status, 404)
      assert.strictEqual((await house.http("DELETE", path, { token: ada })).status, 204)
      const after = await house.http("GET", `/api/v1/sessions/${house.agent}`, { token: guest })
      assert.strictEqual(after.status, 401)
      assert.include(after.json.detail, "revoked")
    }))

  it("takes the word of no header for who somebody is, and no token from a query", () =>
    withAttackHouse(async (house) => {
      const smuggled = {
        "x-user": "ada",
        "x-forwarded-user": "ada",
        "x-remote-user": "ada",
        "x-auth-request-user": "ada",
        forwarded: "for=127.0.0.1;by=ada",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "127.0.0.1",
        "x-original-url": "/healthz",
        "x-http-method-override": "GET"
      }
      const ada = await house.token()
      const path = `/api/v1/sessions/${house.terminal}`
      const tries: ReadonlyArray<readonly [string, Record<string, string>]> = [
        [path, smuggled],
        [`${path}?token=${ada}&access_token=${ada}&authorization=${ada}`, {}],
        [path, { authorization: ada }],
        [path, { authorization: `Basic ${Buffer.from(`ada:${ada}`).toString("base64")}` }],
        [path, { authorization: `Bearer ${ada} ${ada}` }],
        [path, { "x-authorization": `Bearer ${ada}` }],
        [path, { cookie: `holdfast=${ada}; holdfast-${house.server.port}=${ada}` }]
      ]
      for (const [target, headers] of tries) {
        assert.strictEqual(
          (await house.http("GET", target, { headers })).status,
          401,
          JSON.stringify(headers).slice(0, 60)
        )
      }
      // A ticket opens streams, and nothing else.
      const { ticket } = (await house.http("POST", "/api/v1/auth/tickets", { token: ada })).json
      assert.strictEqual((await house.http("GET", `${path}?ticket=${ticket}`)).status, 401)
      assert.strictEqual((await house.http("GET", `${path}/events?ticket=${ticket}`)).status, 401)

      // Nor does a body say who acts.
      const vera = await house.token({ sub: "vera", roles: ["member"] })
      const body = { title: "Vera was here", actor: "ada", owner: "ada", participantId: "ada" }
      assert.strictEqual(
        (await house.http("POST", `${path}/rename`, { token: vera, body, headers: smuggled })).status,
        200
      )
      const { events } = (await house.http("GET", `${path}/events?before=100000&limit=1`, { token: ada })).json
      assert.deepInclude(events.at(-1), { type: "session.renamed", actor: "vera" })
      for (const labels of [{ "holdfast.organisation": "malicious" }, { "holdfast.x": "y" }]) {
        const answer = await house.http("POST", "/api/v1/sessions", {
          token: ada,
          body: { backend: "agent", spec: {}, labels }
        })
        assert.strictEqual(answer.status, 400)
      }
      for (const sub of ["host", "runtime"]) {
        assert.strictEqual((await house.http("GET", path, { token: await house.token({ sub }) })).status, 401)
      }
    }))

  it("lets the cookie change things only from its own page", () =>
    withAttackHouse(
      async (house) => {
        const { port } = house.server
        const own = `http://127.0.0.1:${port}`
        const [, start] = (await house.server.startLink()).split("#start=")
        const exchange = (headers: Record<string, string>) =>
          house.http("POST", "/api/v1/auth/start", { body: { token: start }, headers })
        // Pages of elsewhere do not get to use the link up.
        assert.strictEqual((await exchange({ origin: "http://evil.example" })).status, 403)
        const signedIn = await exchange({ origin: own })
        assert.strictEqual(signedIn.status, 200)
        const given = String(signedIn.headers["set-cookie"])
        for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"]) assert.include(given, part)
        assert.notInclude(signedIn.text, given.slice(20, 60))
        assert.strictEqual((await exchange({ origin: own })).status, 401)

        const cookie = given.split(";")[0]!
        const path = `/api/v1/sessions/${house.terminal}`
        const rename = (headers: Record<string, string>) =>
          house.http("POST", `${path}/rename`, { body: { title: "x" }, headers: { cookie, ...headers } })
        assert.strictEqual((await house.http("GET", path, { headers: { cookie } })).status, 200)
        assert.strictEqual((await rename({ origin: own })).status, 200)
        for (const headers of [
          {},
          { origin: "http://evil.example" },
          { origin: "null" },
          { origin: "https://app.example.org" },
          { origin: `http://localhost:${port}` },
          { referer: `${own}/` }
        ] as ReadonlyArray<Record<string, string>>) {
          assert.strictEqual((await rename(headers)).status, 403, JSON.stringify(headers))
        }
        const foreignRead = await house.http("GET", path, { headers: { cookie, origin: "http://evil.example" } })
        assert.strictEqual(foreignRead.status, 403)

        const out = await house.http("POST", "/api/v1/auth/signout", { headers: { cookie, origin: own } })
        assert.strictEqual(out.status, 204)
        assert.include(String(out.headers["set-cookie"]), "Max-Age=0")
        assert.strictEqual((await house.http("GET", path, { headers: { cookie } })).status, 401)
      },
      { owner: { participantId: "ada", name: "Ada", organisation: "analytical" } }
    ))

  it("takes back an issuer's token by its id: by whoever has it, or by the host", () =>
    withAttackHouse(async (house) => {
      const me = async (token: string) => (await house.http("GET", "/api/v1/me", { token })).status
      const [one, two, three] = await Promise.all(["1", "2", "3"].map((jti) => house.token({ jti })))
      const live = house.dial(two)
      await live.message("welcome")
      assert.strictEqual((await house.http("POST", "/api/v1/auth/signout", { token: one! })).status, 204)
      await house.server.revoke("2")
      assert.strictEqual((await live.close()).code, CloseCode.unauthenticated)
      assert.deepStrictEqual([await me(one!), await me(two!), await me(three!)], [401, 401, 200])
    }))

  it("answers to its own names alone, page and API alike", () =>
    withAttackHouse(
      async (house) => {
        const token = await house.token()
        for (const host of ["evil.example", `evil.example:${house.server.port}`, "127.0.0.1.evil.example"]) {
          for (const path of ["/", "/api/v1/me", "/api/v1/openapi.json", "/api/v1/docs", "/metrics", "/index.html"]) {
            const answer = await house.http("GET", path, { token, headers: { host } })
            assert.oneOf(answer.status, [400, 403], `${host} ${path}`)
            assert.notInclude(answer.text, "<html")
          }
        }
        const empty = await raw(house.server.port, "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n")
        assert.match(empty, /^HTTP\/1\.1 403 /)
        const none = await raw(house.server.port, `GET /api/v1/me HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n\r\n`)
        assert.match(none, /^HTTP\/1\.1 400 /)
        const old = await raw(house.server.port, `GET /api/v1/me HTTP/1.0\r\nAuthorization: Bearer ${token}\r\n\r\n`)
        assert.match(old, /^HTTP\/1\.1 403 /)
        for (const host of ["localhost", `[::1]:${house.server.port}`, "named.example.org"]) {
          assert.strictEqual((await house.http("GET", "/api/v1/me", { token, headers: { host } })).status, 200, host)
        }
      },
      { allowedHosts: ["named.example.org"] }
    ))

  it("answers preflights of the origins on its list alone, and shows answers to those alone", () =>
    withAttackHouse(async (house) => {
      const preflight = (origin: string) =>
        house.http("OPTIONS", `/api/v1/sessions/${house.terminal}/prompts`, {
          headers: {
            origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type"
          }
        })
      const allowed = await preflight("https://app.example.org")
      assert.strictEqual(allowed.status, 204)
      assert.strictEqual(allowed.headers["access-control-allow-origin"], "https://app.example.org")
      assert.include(String(allowed.headers["access-control-allow-headers"]), "authorization")
      for (const origin of ["https://evil.example", "null", "https://app.example.org.evil.example"]) {
        const refused = await preflight(origin)
        assert.strictEqual(refused.status, 403)
        assert.isUndefined(refused.headers["access-control-allow-origin"])
      }
      const token = await house.token()
      const get = (origin: string) => house.http("GET", "/api/v1/me", { token, headers: { origin } })
      const shown = await get("https://app.example.org")
      assert.strictEqual(shown.headers["access-control-allow-origin"], "https://app.example.org")
      assert.isUndefined(shown.headers["access-control-allow-credentials"])
      assert.include(String(shown.headers.vary), "Origin")
      const hidden = await get("https://evil.example")
      assert.strictEqual(hidden.status, 403)
      assert.isUndefined(hidden.headers["access-control-allow-origin"])
    }))

  it("makes an open server's pages of elsewhere change nothing, although nobody needs a token", () =>
    withAttackHouse(
      async (house) => {
        const create = (headers: Record<string, string>) =>
          house.http("POST", "/api/v1/sessions", { body: { backend: "agent", spec: {} }, headers })
        for (const headers of [
          { origin: "http://evil.example" },
          { origin: "null" },
          { origin: "http://evil.example", "content-type": "text/plain" },
          { "sec-fetch-site": "cross-site" },
          { host: "evil.example" }
        ] as ReadonlyArray<Record<string, string>>) {
          assert.strictEqual((await create(headers)).status, 403, JSON.stringify(headers))
        }
        assert.strictEqual((await create({})).status, 201)
      },
      { auth: { kind: "open" }, allowedOrigins: [] }
    ))

  it("tells a guesser to wait after ten failures, and lets others in meanwhile", () =>
    withAttackHouse(async (house) => {
      const good = await house.token()
      const guess = (from: string) => house.http("GET", "/api/v1/me", { token: "guess", localAddress: from })
      const statuses: Array<number> = []
      for (let index = 0; index < 12; index++) statuses.push((await guess("127.0.0.2")).status)
      assert.deepStrictEqual(statuses, [...Array(10).fill(401), 429, 429])
      const limited = await guess("127.0.0.2")
      const seconds = Number(limited.headers["retry-after"])
      assert.isTrue(seconds >= 1 && seconds <= 60)
      assert.isAbove(limited.json.retryAfterMs, 0)
      assert.strictEqual((await guess("127.0.0.3")).status, 401)
      const right = await house.http("GET", "/api/v1/me", { token: good, localAddress: "127.0.0.2" })
      assert.strictEqual(right.status, 200)
      const starts: Array<number> = []
      for (let index = 0; index < 11; index++) {
        starts.push((await house.http("POST", "/api/v1/auth/start", { body: { token: `guess ${index}` } })).status)
      }
      assert.deepStrictEqual(starts, [...Array(10).fill(401), 429])
    }))

  it("keeps a session's files to its workspace", () =>
    withAttackHouse(async (house) => {
      const token = await house.token()
      const base = `/api/v1/sessions/${house.terminal}/files`
      const escapes = [
        "../secret.txt",
        "..%2Fsecret.txt",
        "%2e%2e/secret.txt",
        "./../secret.txt",
        "up/secret.txt",
        "link.txt",
        "root/etc/hostname",
        house.secretFile,
        encodeURIComponent(house.secretFile),
        "note.txt/../../secret.txt",
        "note.txt%00/../../secret.txt",
        "%00",
        "up",
        "root",
        "//etc/passwd"
      ]
      for (const path of escapes) {
        for (const target of [`${base}/content?path=${path}`, `${base}?path=${path}`]) {
          const read = await house.http("GET", target, { token })
          assert.isTrue(
            (read.status >= 400 && read.status < 500) || (!target.includes("/content") && /"link"/.test(read.text)),
            `${target}: ${read.status} ${read.text.slice(0, 100)}`
          )
          assert.notInclude(read.text, secretText)
          assert.notInclude(read.text, "root:x:0")
        }
        const headers = { "content-type": "application/octet-stream" }
        const written = await house.http("PUT", `${base}/content?path=${path}`, { token, body: "overwritten", headers })
        assert.isTrue(written.status >= 400 && written.status < 500, `PUT ${path}: ${written.status}`)
        const upload = await house.http("POST", `${base}/upload?path=${path}`, {
          token,
          body: bodies["POST /api/v1/sessions/{sessionId}/files/upload"]!() as string,
          headers: { "content-type": "multipart/form-data; boundary=edge" }
        })
        assert.isTrue(upload.status >= 400 && upload.status < 500, `upload ${path}: ${upload.status}`)
      }
      for (const name of ["../up.txt", "..\\up.txt", "/tmp/up.txt", "..", "a/b.txt", "up\u0000.txt"]) {
        const body = `--edge\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\nuploaded\r\n--edge--\r\n`
        const headers = { "content-type": "multipart/form-data; boundary=edge" }
        const answer = await house.http("POST", `${base}/upload`, { token, body, headers })
        assert.isFalse(existsSync(join(house.workspace, "..", "up.txt")), `${name}: ${answer.status}`)
      }
      const exec = (directory: string) =>
        house.http("POST", `/api/v1/sessions/${house.terminal}/exec`, { token, body: { command: "pwd", directory } })
      for (const directory of ["..", "up", "root", "/"]) {
        assert.isTrue((await exec(directory)).status >= 400, directory)
      }
      assert.strictEqual(readFileSync(house.secretFile, "utf8"), secretText)
      const good = await house.http("GET", `${base}/content?path=note.txt`, { token })
      assert.strictEqual(good.text, "a note")
    }))

  it("keeps its page to the page's folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-page-"))
    const page = join(folder, "page")
    mkdirSync(page)
    writeFileSync(join(page, "index.html"), "<html>the page</html>")
    writeFileSync(join(folder, "secret.txt"), secretText)
    try {
      await withAttackHouse(
        async ({ http, server }) => {
          assert.include((await http("GET", "/")).text, "the page")
          const paths = [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/x/../../secret.txt",
            "//etc/passwd",
            "/%00"
          ]
          for (const path of paths) {
            const answer = await http("GET", path)
            assert.notInclude(answer.text, secretText, path)
            assert.notInclude(answer.text, "root:x:0", path)
          }
          const head = "Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
          for (const target of ["/../../../../../../etc/passwd", "http://[", "//["]) {
            assert.notInclude(await raw(server.port, `GET ${target} HTTP/1.1\r\n${head}`), "root:x:0")
          }
          assert.include((await http("GET", "/")).text, "the page")
        },
        { page }
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("refuses what is too large or is no HTTP, and lives on", () =>
    withAttackHouse(async (house) => {
      const token = await house.token()
      const rename = `/api/v1/sessions/${house.terminal}/rename`
      const large = await house.http("POST", rename, { token, body: { title: "x".repeat(2 * 1024 * 1024) } })
      assert.strictEqual(large.status, 413)
      for (const [body, type] of [
        ["{", "application/json"],
        ["null", "application/json"],
        ["[]", "application/json"],
        ["\u0000", "application/json"],
        [`{"title":${"[".repeat(100_000)}`, "application/json"],
        [`{"__proto__":{"title":"x"}}`, "application/json"],
        ["title=x", "application/x-www-form-urlencoded"],
        ["<title/>", "text/xml"]
      ] as const) {
        const answer = await house.http("POST", rename, { token, body, headers: { "content-type": type } })
        assert.isTrue(answer.status >= 400 && answer.status < 500, `${body.slice(0, 20)}: ${answer.status}`)
        assert.include(String(answer.headers["content-type"]), "problem+json", body.slice(0, 20))
      }
      const { port } = house.server
      const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`
      for (const [bytes, status] of [
        ["\u0000\u0001\u0002\r\n\r\n", 400],
        [`GET / HTTP/1.1\r\n${head}X: ${"y".repeat(64 * 1024)}\r\n\r\n`, 431],
        // Two lengths, or a length and chunks: what a proxy and a server could take for different requests.
        [`POST ${rename} HTTP/1.1\r\n${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
        [`POST ${rename} HTTP/1.1\r\n${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
        [`GET / HTTP/1.1\r\n${head}X: a\nb: c\r\n\r\n`, 400]
      ] as const) {
        assert.match(await raw(port, bytes), new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 40))
      }
      const smuggled = await raw(
        port,
        `GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`
      )
      assert.match(smuggled, /^HTTP\/1\.1 (200|400|403) /)
      assert.strictEqual((await house.http("GET", "/api/v1/me", { token })).status, 200)
    }))
})
