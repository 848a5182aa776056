import { assert, describe, it } from "@effect/vitest"
import {
  CloseCode,
  encodeKeystrokes,
  makeCommandId,
  makeSessionId,
  subprotocol,
  tokenSubprotocol
} from "@holdfast/core"
import { request } from "node:http"
import { connect } from "node:net"
import { type AttackHouse, withAttackHouse } from "./attackHouse.ts"

/** The HTTP status with which a connection was refused. */
const refused = async (client: ReturnType<AttackHouse["dial"]>) => (await client.close()).status

const keystrokes = (sessionId: Parameters<typeof encodeKeystrokes>[0], text: string) => {
  const commandId = makeCommandId()
  return { commandId, frame: Buffer.from(encodeKeystrokes(sessionId, commandId, Buffer.from(text))) }
}

describe("a live endpoint under attack", () => {
  it("lets nobody in without a good token, and does not take one from the URL", () =>
    withAttackHouse(async (house) => {
      const good = await house.token()
      const expired = await house.token({ expiresIn: -5 })
      assert.strictEqual(await refused(house.dial(undefined)), 401)
      assert.strictEqual(await refused(house.dial("guess")), 401)
      assert.strictEqual(await refused(house.dial(expired)), 401)
      for (const query of [`?token=${good}`, `?access_token=${good}`, `?ticket=${good}`, "?ticket=guess"]) {
        assert.strictEqual(await refused(house.dial(undefined, { query })), 401, query.slice(0, 12))
      }
      assert.strictEqual(
        await refused(house.dial(undefined, { headers: { "x-user": "ada", cookie: `holdfast=${good}` } })),
        401
      )
      await house.dial(undefined, { headers: { authorization: `Bearer ${good}` } }).message("welcome")
      // The answer names the version that is spoken, and never the token.
      const client = house.dial(good)
      await client.message("welcome")
      assert.strictEqual(client.ws.protocol, subprotocol)
    }))

  it("takes a ticket once", () =>
    withAttackHouse(async (house) => {
      const { ticket } = (await house.http("POST", "/api/v1/auth/tickets", { token: await house.token() })).json
      const query = `?ticket=${ticket}`
      const clients = [1, 2, 3].map(() => house.dial(undefined, { query }))
      const outcomes = await Promise.all(
        clients.map((client) => client.until(() => client.closed?.status ?? (client.messages.length > 0 && 101)))
      )
      assert.deepStrictEqual(outcomes.toSorted(), [101, 401, 401])
    }))

  it("refuses pages of other origins and rebound names before anybody is asked who they are", () =>
    withAttackHouse(async (house) => {
      const token = await house.token()
      for (const headers of [
        { origin: "http://evil.example" },
        { origin: "null" },
        { origin: `http://localhost:${house.server.port}` },
        { host: "evil.example" },
        { host: `evil.example:${house.server.port}`, origin: `http://evil.example:${house.server.port}` }
      ] as ReadonlyArray<Record<string, string>>) {
        assert.strictEqual(await refused(house.dial(token, { headers })), 403, JSON.stringify(headers))
      }
      for (const origin of ["https://app.example.org", `http://127.0.0.1:${house.server.port}`]) {
        await house.dial(token, { headers: { origin } }).message("welcome")
      }
    }))

  it("takes the cookie from its own page alone", () =>
    withAttackHouse(async (house) => {
      const own = `http://127.0.0.1:${house.server.port}`
      const [, start] = (await house.server.startLink()).split("#start=")
      const signedIn = await house.http("POST", "/api/v1/auth/start", {
        body: { token: start },
        headers: { origin: own }
      })
      const cookie = String(signedIn.headers["set-cookie"]).split(";")[0]!
      for (const headers of [{}, { origin: "https://app.example.org" }, { origin: "http://evil.example" }]) {
        assert.strictEqual(await refused(house.dial(undefined, { headers: { cookie, ...headers } })), 403)
      }
      const client = house.dial(undefined, { headers: { cookie, origin: own } })
      await client.message("welcome")
      await house.http("POST", "/api/v1/auth/signout", { headers: { cookie, origin: own } })
      assert.strictEqual((await client.close()).code, CloseCode.unauthenticated)
    }))

  it("knows no session of another organisation, nor any other than a token's own", () =>
    withAttackHouse(async (house) => {
      const strangers = [
        { sub: "mallory", org: "malicious" },
        { sub: "guest", session: makeSessionId() }
      ]
      for (const claims of strangers) {
        const client = await house.connect(claims)
        const unknown = makeSessionId()
        const before = await house.head(house.terminal)
        const told: Array<string> = []
        for (const [index, sessionId] of [house.terminal, unknown].entries()) {
          const subscription = index + 1
          client.subscribe(subscription, sessionId)
          const ended = await client.message("unsubscribed", (message) => message.subscription === subscription)
          assert.strictEqual(ended.problem.kind, "not_found")
          const answer = await client.command(sessionId, { type: "session.rename", data: { title: "x" } })
          assert.strictEqual(answer.type, "rejected")
          const typed = keystrokes(sessionId, "typed by a stranger\n")
          client.send(typed.frame)
          const rejected = await client.message("rejected", ({ commandId }) => commandId === typed.commandId)
          client.send({ type: "typing", sessionId, typing: true })
          told.push(
            JSON.stringify([ended.problem, answer.type === "rejected" && answer.problem, rejected.problem]).replaceAll(
              sessionId,
              ""
            )
          )
        }
        assert.strictEqual(told[0], told[1])
        client.send({ type: "list", subscription: 9, query: {} })
        const list = await client.message("sessions", ({ caughtUp }) => caughtUp)
        assert.deepStrictEqual(list.changed, [])
        assert.strictEqual(await house.head(house.terminal), before)
        assert.isFalse(client.messages.some(({ type }) => type === "presence"))
      }
      const stream = await house.http("GET", `/api/v1/sessions/${house.terminal}/events/stream`, {
        token: await house.token(strangers[0])
      })
      assert.strictEqual(stream.status, 404)
    }))

  it("lets a viewer watch, and neither type nor do anything else", () =>
    withAttackHouse(async (house) => {
      const client = await house.connect({ sub: "vera", roles: ["viewer"] })
      const before = await house.head(house.terminal)
      client.subscribe(1, house.terminal)
      await client.frame("page")
      for (const command of [
        { type: "prompt.send", data: { content: [{ type: "text", text: "x" }] } },
        { type: "session.close", data: {} },
        { type: "terminal.resize", data: { cols: 10, rows: 10 } },
        { type: "participant.join", data: { participantId: "eve", name: "Eve", role: "owner" } },
        { type: "participant.leave", data: { participantId: "ada" } },
        { type: "terminal.write", data: { bytes: Buffer.from("x").toString("base64") } }
      ]) {
        const answer = await client.command(house.terminal, command)
        assert.strictEqual(answer.type === "rejected" && answer.problem.kind, "forbidden", command.type)
      }
      const typed = keystrokes(house.terminal, "typed by a viewer\n")
      client.send(typed.frame)
      const rejected = await client.message("rejected", ({ commandId }) => commandId === typed.commandId)
      assert.strictEqual(rejected.problem.kind, "forbidden")
      assert.strictEqual(await house.head(house.terminal), before)
      // What only hosts and the runtime may send is no command at all.
      const owner = await house.connect()
      for (const type of ["session.create", "session.fork", "session.move", "request.expire"]) {
        const answer = await owner.command(house.terminal, { type, data: {} })
        assert.strictEqual(answer.type === "rejected" && answer.problem.kind, "invalid", type)
      }
    }))

  it("closes a connection within a second of its token's expiry or revocation, and gives it nothing afterwards", () =>
    withAttackHouse(async (house) => {
      const brief = await house.connect({ sub: "brief", expiresIn: 2 })
      const welcome = await brief.message("welcome")
      const expired = await brief.close()
      assert.strictEqual(expired.code, CloseCode.unauthenticated)
      assert.include(expired.reason, "expired")
      const late = Date.now() - welcome.you.expiresAt!
      assert.isTrue(late >= 0 && late < 1_000, `${late} ms after its expiry`)

      const ada = await house.token()
      const made = await house.http("POST", "/api/v1/auth/tokens", {
        token: ada,
        body: { sessionId: house.terminal, role: "member" }
      })
      const guests = [house.dial(made.json.token), house.dial(made.json.token)]
      for (const [index, guest] of guests.entries()) {
        await guest.message("welcome")
        guest.subscribe(index + 1, house.terminal)
        await guest.frame("page")
      }
      const streamed = new Promise<string>((resolve, reject) => {
        const asking = request(
          {
            host: "127.0.0.1",
            port: house.server.port,
            path: `/api/v1/sessions/${house.terminal}/events/stream`,
            headers: { authorization: `Bearer ${made.json.token}` }
          },
          (response) => {
            let text = ""
            response.setEncoding("utf8")
            response.on("data", (part: string) => {
              if (text === "") began()
              text += part
            })
            response.on("error", reject)
            response.on("end", () => resolve(text))
          }
        )
        asking.on("error", reject)
        asking.end()
      })
      let began = (): void => undefined
      await new Promise<void>((resolve) => (began = resolve))
      const revokedAt = Date.now()
      await house.http("DELETE", `/api/v1/auth/tokens/${encodeURIComponent(made.json.tokenId)}`, { token: ada })
      for (const guest of guests) {
        const closed = await guest.close()
        assert.strictEqual(closed.code, CloseCode.unauthenticated)
        assert.include(closed.reason, "revoked")
      }
      assert.include(await streamed, "revoked")
      assert.isBelow(Date.now() - revokedAt, 1_000)
      assert.strictEqual(await refused(house.dial(made.json.token)), 401)
      const frames = guests[0]!.frames.length
      await house.http("POST", `/api/v1/sessions/${house.terminal}/rename`, { token: ada, body: { title: "later" } })
      assert.strictEqual(guests[0]!.frames.length, frames)
    }))

  it("takes a newer token of the same person on a connection, and of nobody else", () =>
    withAttackHouse(async (house) => {
      const client = await house.connect({ expiresIn: 30 })
      client.send({ type: "authenticate", token: await house.token({ expiresIn: 60 }) })
      await client.message("authenticated")
      for (const token of [await house.token({ sub: "mallory" }), await house.token({ org: "malicious" }), "guess"]) {
        const other = await house.connect()
        other.send({ type: "authenticate", token })
        assert.strictEqual((await other.close()).code, CloseCode.unauthenticated)
      }
    }))

  it("closes on what it cannot read and says what that was, and goes on for everybody else", () =>
    withAttackHouse(async (house) => {
      const bystander = await house.connect({ sub: "bystander" })
      const messages: ReadonlyArray<readonly [string | Buffer, number]> = [
        ["{", CloseCode.malformed],
        ["null", CloseCode.malformed],
        ["[]", CloseCode.malformed],
        ['"subscribe"', CloseCode.malformed],
        ['{"type":"welcome"}', CloseCode.malformed],
        ['{"type":"__proto__"}', CloseCode.malformed],
        ['{"type":"constructor"}', CloseCode.malformed],
        ['{"type":"credit","subscription":1,"bytes":-1}', CloseCode.malformed],
        ['{"type":"credit","subscription":1,"bytes":1e999}', CloseCode.malformed],
        ['{"type":"subscribe","subscription":0,"sessionId":"x"}', CloseCode.malformed],
        [`{"type":"ping","x":${"[".repeat(50_000)}`, CloseCode.malformed],
        [Buffer.alloc(0), CloseCode.malformed],
        [Buffer.from([16]), CloseCode.malformed],
        [Buffer.from([1, 0, 0, 0, 1]), CloseCode.malformed],
        [Buffer.from([255, ...Array(40).fill(0)]), CloseCode.malformed],
        [Buffer.from([16, ...Array(32).fill(255)]), CloseCode.malformed],
        [Buffer.alloc(9 * 1024 * 1024, 16), CloseCode.tooLarge],
        [`{"type":"authenticate","token":"${"x".repeat(9 * 1024 * 1024)}"}`, CloseCode.tooLarge]
      ]
      for (const [message, code] of messages) {
        const client = await house.connect()
        client.send(message)
        const closed = await client.close()
        assert.strictEqual(closed.code, code, `${String(message).slice(0, 40)}: ${JSON.stringify(closed)}`)
        assert.isAtMost(Buffer.byteLength(closed.reason), 123)
      }
      bystander.subscribe(1, house.terminal)
      await bystander.frame("page")
    }))

  it("stops a client that floods, at what the limits say, without the others' notice", () =>
    withAttackHouse(
      async (house) => {
        const bystander = await house.connect({ sub: "bystander" })
        const flooding = async (sub: string, flood: (client: Awaited<ReturnType<AttackHouse["connect"]>>) => void) => {
          const client = await house.connect({ sub })
          flood(client)
          return client
        }
        const pings = await flooding("pings", (client) => {
          for (let index = 0; index < 1_000; index++) client.send({ type: "ping" })
        })
        assert.strictEqual((await pings.close()).code, CloseCode.tooMany)

        const subscriptions = await flooding("subscriptions", (client) => {
          for (let index = 1; index <= 12; index++) client.subscribe(index, house.terminal)
        })
        const over = await subscriptions.message("unsubscribed")
        assert.strictEqual(over.problem.kind, "busy")
        assert.isUndefined(subscriptions.closed)

        // Credit that nobody gave buys nothing but what is there to be sent.
        const credit = await flooding("credit", (client) => {
          for (let index = 0; index < 50; index++) client.send({ type: "credit", subscription: 7, bytes: 2 ** 52 })
        })
        credit.subscribe(7, house.terminal)
        await credit.until(() => credit.closed !== undefined || credit.frames.length > 0)

        const pending = await flooding("pending", (client) => {
          for (let index = 0; index < 64; index++) {
            const command = { type: "session.rename", data: { title: `${index}` } }
            client.send({ type: "command", sessionId: house.terminal, commandId: makeCommandId(), command })
          }
        })
        const outcome = await pending.until(
          () =>
            pending.closed ??
            pending.messages.filter(({ type }) => type === "receipt" || type === "rejected").length === 64
        )
        if (typeof outcome === "object") assert.strictEqual(outcome.code, CloseCode.tooMany)

        const many = Array.from({ length: 6 }, () => house.dial(undefined, { headers: {} }))
        for (const client of many) assert.strictEqual(await refused(client), 401)
        const token = await house.token({ sub: "sockets" })
        const opened = Array.from({ length: 8 }, () => house.dial(token))
        const answers = await Promise.all(
          opened.map((client) => client.until(() => client.closed?.status ?? (client.messages.length > 0 && 101)))
        )
        assert.deepStrictEqual(answers.toSorted(), [101, 101, 101, 101, 101, 429, 429, 429])

        bystander.subscribe(1, house.terminal)
        await bystander.frame("page")
      },
      {
        live: {
          maxMessagesPerSecond: 20,
          maxSubscriptions: 10,
          maxPendingCommands: 16,
          maxConnectionsPerParticipant: 5
        }
      }
    ))

  it("outlives upgrades that are none", () =>
    withAttackHouse(async (house) => {
      const token = await house.token()
      const upgrade = (target: string, more = "") =>
        `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`
      const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      const protocols = `Sec-WebSocket-Protocol: ${subprotocol}, ${tokenSubprotocol}${token}\r\n`
      for (const bytes of [
        upgrade("//["),
        upgrade("http://["),
        upgrade("*"),
        upgrade("/api/v1/live%00", key + protocols),
        upgrade("/api/v1/live/../me", key + protocols),
        upgrade("/api/v1/live"),
        upgrade("/api/v1/live", protocols),
        upgrade("/api/v1/live", `${protocols}Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: short\r\n`),
        upgrade("/api/v1/live", `${key}Sec-WebSocket-Protocol: ,,,;;\r\n`),
        upgrade("/api/v1/live", `${key}Sec-WebSocket-Protocol: ${tokenSubprotocol}\r\n`),
        `GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n${protocols}\r\n`
      ]) {
        const answer = await new Promise<string>((resolve) => {
          const socket = connect(house.server.port, "127.0.0.1", () => socket.write(bytes))
          socket.once("data", (data) => {
            socket.destroy()
            resolve(data.toString())
          })
          socket.on("error", () => resolve(""))
          socket.on("close", () => resolve(""))
        })
        assert.notInclude(answer.slice(0, 20), " 101 ", bytes.slice(0, 60))
      }
      // Nor do clients that go away in the middle of it.
      for (let index = 0; index < 20; index++) {
        const socket = connect(house.server.port, "127.0.0.1", () => {
          socket.write(upgrade("/api/v1/live", key + protocols))
          socket.destroy()
        })
        socket.on("error", () => undefined)
      }
      await house.connect()
    }))
})
