import { assert, describe, it } from "@effect/vitest"
import { encodeKeystrokes, makeCommandId, type SessionId } from "@holdfast/core"
import { type AttackHouse, withAttackHouse } from "./attackHouse.ts"

const people = {
  ada: { sub: "ada", name: "Ada", roles: ["owner"] },
  charles: { sub: "charles", name: "Charles", roles: ["member"] },
  vera: { sub: "vera", name: "Vera", roles: ["viewer"] }
} as const

const prompt = (text: string) => ({ type: "prompt.send", data: { content: [{ type: "text", text }] } })

/** All events of a session's log. */
const logOf = async ({ http, token }: AttackHouse, sessionId: SessionId) =>
  (await http("GET", `/api/v1/sessions/${sessionId}/events?limit=10000`, { token: await token() })).json
    .events as ReadonlyArray<{
    readonly type: string
    readonly actor?: string
    readonly data: { readonly [field: string]: unknown }
  }>

describe("several people on one session", () => {
  it("each have their prompts under their own name, and see each other's", () =>
    withAttackHouse(async (house) => {
      const ada = await house.connect(people.ada)
      const charles = await house.connect(people.charles)
      for (const client of [ada, charles]) client.subscribe(1, house.agent)
      await ada.command(house.agent, prompt("from Ada"))
      await charles.command(house.agent, prompt("from Charles"))
      const seen = (client: typeof ada) =>
        client.until(() => {
          const queued = client.events(1).filter(({ type }) => type === "prompt.queued")
          return queued.length === 2 && queued.map(({ actor }) => actor)
        })
      assert.deepStrictEqual(await seen(ada), ["ada", "charles"])
      assert.deepStrictEqual(await seen(charles), ["ada", "charles"])
      const joined = (await logOf(house, house.agent)).filter(({ type }) => type === "participant.joined")
      assert.deepStrictEqual(
        joined.map(({ data }) => data),
        [
          { participantId: "ada", name: "Ada", role: "owner" },
          { participantId: "charles", name: "Charles", role: "member" }
        ]
      )
    }))

  it("answer a request once: the first answer wins, it has its author, and the other is told", () =>
    withAttackHouse(async (house) => {
      const ada = await house.connect(people.ada)
      const charles = await house.connect(people.charles)
      for (const client of [ada, charles]) client.subscribe(1, house.agent)
      await charles.command(house.agent, prompt("ask permission"))
      const asked = await ada.until(() => ada.events(1).find(({ type }) => type === "permission.requested"))
      const requestId = asked.data["requestId"]
      const answers = await Promise.all(
        [ada, charles].map((client, index) =>
          client.command(house.agent, {
            type: "permission.resolve",
            data: { requestId, outcome: { outcome: "selected", optionId: index === 0 ? "allow" : "reject" } }
          })
        )
      )
      assert.deepStrictEqual(answers.map(({ type }) => type).toSorted(), ["receipt", "rejected"])
      const winner = answers[0]!.type === "receipt" ? "ada" : "charles"
      const lost = answers.find(({ type }) => type === "rejected")
      assert.strictEqual(lost?.type === "rejected" && lost.problem.kind, "not_found")
      for (const client of [ada, charles]) {
        const resolved = await client.until(() => client.events(1).find(({ type }) => type === "permission.resolved"))
        assert.strictEqual(resolved.actor, winner)
        assert.deepInclude(resolved.data, { requestId, by: "answer" })
      }
      const resolved = (await logOf(house, house.agent)).filter(({ type }) => type === "permission.resolved")
      assert.lengthOf(resolved, 1)
    }))

  it("type into one terminal: what they typed arrives, and the log has who typed and nothing of what", () =>
    withAttackHouse(async (house) => {
      const ada = await house.connect(people.ada)
      const charles = await house.connect(people.charles)
      ada.subscribe(1, house.terminal)
      const type = async (client: typeof ada, text: string) => {
        const commandId = makeCommandId()
        client.send(Buffer.from(encodeKeystrokes(house.terminal, commandId, Buffer.from(text))))
        await client.frame("typed", (frame) => frame.commandId === commandId)
      }
      await type(ada, "one\r")
      await type(charles, "two\r")
      await type(ada, "three\r")
      await ada.until(() => ["one", "two", "three"].every((word) => ada.output(1).includes(word)))
      const bursts = (await logOf(house, house.terminal)).filter((event) => event.type === "terminal.typed")
      assert.deepStrictEqual(
        bursts.map(({ actor }) => actor),
        ["ada", "charles", "ada"].slice(0, bursts.length)
      )
      assert.includeMembers(
        bursts.map(({ actor }) => actor),
        ["ada", "charles"]
      )
      assert.notMatch(JSON.stringify(bursts), /one|two|three/)
    }))

  it("see who is here and who types, with names and roles, until they go", () =>
    withAttackHouse(async (house) => {
      const ada = await house.connect(people.ada)
      ada.subscribe(1, house.agent)
      const charles = await house.connect(people.charles)
      const vera = await house.connect(people.vera)
      charles.subscribe(1, house.agent)
      vera.subscribe(1, house.agent)
      charles.send({ type: "typing", sessionId: house.agent, typing: true })
      const { present } = await ada.message(
        "presence",
        (message) => message.present.length === 3 && message.present.some(({ typing }) => typing)
      )
      assert.deepStrictEqual(
        present.toSorted((one, other) => one.participantId.localeCompare(other.participantId)),
        [
          { participantId: "ada", name: "Ada", role: "owner", typing: false },
          { participantId: "charles", name: "Charles", role: "member", typing: true },
          { participantId: "vera", name: "Vera", role: "viewer", typing: false }
        ]
      )
      charles.end()
      vera.end()
      const told = ada.messages.length
      await ada.message("presence", (message) => ada.messages.indexOf(message) >= told && message.present.length === 1)
      // Nothing of it is in the log.
      assert.notInclude(JSON.stringify(await logOf(house, house.agent)), "vera")
    }))

  it("let somebody in by a link for one session, under the name that it was made for, and out again", () =>
    withAttackHouse(async (house) => {
      const ada = await house.token()
      const made = await house.http("POST", "/api/v1/auth/tokens", {
        token: ada,
        body: { sessionId: house.agent, role: "member", name: "Grace" }
      })
      const grace = house.dial(made.json.token)
      const { you } = await grace.message("welcome")
      assert.deepInclude(you, { name: "Grace", role: "member", sessionId: house.agent, organisation: "analytical" })
      assert.strictEqual((await grace.command(house.agent, prompt("from Grace"))).type, "receipt")
      const queued = (await logOf(house, house.agent)).find(({ type }) => type === "prompt.queued")
      assert.strictEqual(queued?.actor, you.participantId)

      // Made to leave, they may look on, and do nothing any more.
      const path = `/api/v1/sessions/${house.agent}/participants/${encodeURIComponent(you.participantId)}`
      assert.strictEqual((await house.http("DELETE", path, { token: ada })).status, 200)
      const answer = await grace.command(house.agent, prompt("again"))
      assert.strictEqual(answer.type === "rejected" && answer.problem.kind, "forbidden")
      const exec = { token: made.json.token, body: { command: "true" } }
      assert.strictEqual((await house.http("POST", `/api/v1/sessions/${house.agent}/exec`, exec)).status, 403)
      grace.subscribe(1, house.agent)
      await grace.frame("page")
    }))
})
