import { assert, describe, it } from "@effect/vitest"
import { makeCommandId, makeSessionId } from "@holdfast/core"
import { once } from "node:events"
import { connect } from "node:net"
import { type Answer, type Asked, withAttackHouse } from "../attackHouse.ts"

/** What an answer tells, but for when, and for ids that the server made. */
const told = ({ headers, json, status, text }: Answer) => {
  const { date: _, ...rest } = headers
  return status === 200 ? { status, headers: rest, fields: Object.keys(json) } : { status, headers: rest, text }
}

const rename = (title: string, more: object = {}) => ({ command: { type: "session.rename", data: { title } }, ...more })

describe("a command over HTTP", () => {
  it("is answered the same in whatever form it comes, be it good or not", () =>
    withAttackHouse(async ({ agent, http, token }) => {
      const ada = await token()
      const commandId = makeCommandId()
      const cases: ReadonlyArray<readonly [session: string, asked: Asked, status: number]> = [
        [agent, { token: ada, body: rename("One") }, 200],
        [agent, { token: ada, body: rename("Two", { commandId }) }, 200],
        [agent, { token: ada, body: rename("Tëxt \u{1F600}") }, 200],
        [agent, { token: ada, body: rename("One"), headers: { origin: "https://app.example.org" } }, 200],
        [agent, { token: ada, body: "{" }, 400],
        [agent, { token: ada, body: "" }, 400],
        [agent, { token: ada, body: "[]" }, 400],
        [agent, { token: ada, body: "\u{FEFF}{}" }, 400],
        [agent, { token: ada, body: rename("x", { commandId: "7" }) }, 400],
        [agent, { token: ada, body: { command: { type: "no.such", data: {} } } }, 400],
        [agent, { token: ada, body: { command: { type: "session.rename", data: { title: 7 } } } }, 400],
        [agent, { token: ada, body: rename("x"), headers: { "content-type": "text/plain" } }, 415],
        [agent, { token: ada, body: { command: { type: "turn.interrupt", data: {} } } }, 409],
        [makeSessionId(), { token: ada, body: rename("x") }, 404],
        ["nonsense", { token: ada, body: rename("x") }, 400],
        [agent, { token: await token({ org: "other" }), body: rename("x") }, 404],
        [agent, { token: await token({ roles: ["viewer"] }), body: rename("x") }, 403],
        [agent, { token: ada, body: rename("x"), headers: { origin: "https://evil.example.org" } }, 403],
        [agent, { token: ada, body: rename("x"), headers: { host: "evil.example.org" } }, 403],
        [agent, { body: rename("x") }, 401],
        [agent, { token: "nonsense", body: rename("x") }, 401],
        [agent, { token: ada, body: rename("x".repeat(5_000)) }, 413]
      ]
      for (const [session, asked, status] of cases) {
        const path = `/api/v1/sessions/${session}/commands`
        const plain = await http("POST", path, asked)
        const other = await http("POST", `${path}?other=form`, asked)
        const label = `${session} ${JSON.stringify(asked)}`
        assert.strictEqual(plain.status, status, `${label} ${plain.text}`)
        assert.deepStrictEqual(told(plain), told(other), label)
        if (status === 401) assert.strictEqual(plain.headers["www-authenticate"], "Bearer")
      }
    }, limits))

  it("has one effect however often it is sent, and the first receipt", () =>
    withAttackHouse(async ({ agent, head, http, token }) => {
      const asked = { token: await token(), body: rename("Once", { commandId: makeCommandId() }) }
      const path = `/api/v1/sessions/${agent}/commands`
      const first = await http("POST", path, asked)
      const after = await head(agent)
      assert.deepStrictEqual((await http("POST", path, asked)).json, first.json)
      assert.deepStrictEqual((await http("POST", `${path}?other=form`, asked)).json, first.json)
      assert.strictEqual(await head(agent), after)
    }))

  it("whose sender goes away in its middle is none, and makes room for the next", () =>
    withAttackHouse(
      async ({ agent, head, http, server, token }) => {
        const path = `/api/v1/sessions/${agent}/commands`
        const bearer = await token()
        const before = await head(agent)
        const socket = connect(server.port, "127.0.0.1")
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${bearer}\r\nExpect: 100-continue\r\n` +
            `Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"command":`
        )
        await once(socket, "data")
        const full = await http("POST", path, { token: bearer, body: rename("Full") })
        assert.strictEqual(full.status, 429, full.text)
        socket.destroy()
        let next = full
        while (next.status === 429) next = await http("POST", path, { token: bearer, body: rename("Next") })
        assert.strictEqual(next.status, 200, next.text)
        assert.strictEqual(await head(agent), before + 1)
      },
      { limits: { maxRequests: 1 } }
    ))
})

const limits = { limits: { maxRequestBytes: 4_000 } }
