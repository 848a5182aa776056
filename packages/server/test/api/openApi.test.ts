import { assert, describe, it } from "@effect/vitest"
import { makeCommandId, makeSessionId } from "@holdfast/core"
import { HoldfastApi } from "@holdfast/server"
import { Schema, SchemaRepresentation } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Answered, type Asking, type Parsed, type ServedHouse, withHouse } from "./servedHouse.ts"

interface Documented {
  readonly method: string
  readonly path: string
  readonly operation: {
    readonly operationId: string
    readonly summary?: string
    readonly responses: { readonly [status: string]: { readonly content?: { readonly [type: string]: Parsed } } }
  }
}

const operationsOf = (document: Parsed): ReadonlyArray<Documented> =>
  Object.entries<Parsed>(document.paths).flatMap(([path, operations]) =>
    Object.entries<Parsed>(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }))
  )

/** Says whether a body fits what the document says of an answer. */
const makeChecker = (document: Parsed) => {
  const local = (schema: unknown) => JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "#/$defs/"))
  const definitions = local(document.components.schemas)
  return (schema: Parsed, body: unknown): void => {
    const imported = SchemaRepresentation.fromJsonSchemaDocument(
      { dialect: "draft-2020-12", schema: local(schema), definitions },
      { patterns: "apply" }
    )
    Schema.decodeUnknownSync(imported as Schema.Codec<unknown>, { onExcessProperty: "error" })(body)
  }
}

/** For each operation, a request that succeeds; in an order in which one makes what the next needs. */
const requests = async (
  house: ServedHouse
): Promise<ReadonlyArray<readonly [operation: string, path: string, asking?: Asking]>> => {
  const { agent, ask, server, terminal, until, workspace } = house
  const shell = `/api/v1/sessions/${await terminal()}`
  const chat = await agent()
  const at = `/api/v1/sessions/${chat}`
  writeFileSync(join(workspace, "note.txt"), "a note")
  const requested = async (text: string) => {
    await ask("POST", `${at}/prompts`, { body: { text } })
    const { requests: open } = await until(chat, ({ requests: waiting }) => Object.keys(waiting).length > 0)
    return Object.keys(open)[0]!
  }
  const idle = () => until(chat, ({ prompts, turn }) => turn === null && prompts.length === 0)
  const gone = await agent()
  await ask("POST", `/api/v1/sessions/${gone}/close`, { body: {} })
  await until(gone, ({ chart }) => chart.lifecycle === "closed")

  // What waits for an answer, before what needs nobody to wait.
  const permission = await requested("ask permission")
  const answered: Array<Answered> = [
    await ask("GET", `${at}/requests`),
    await ask("POST", `${at}/permissions/${permission}`, { body: { outcome: { outcome: "cancelled" } } })
  ]
  await idle()
  const question = await requested("ask question")
  answered.push(await ask("POST", `${at}/questions/${question}`, { body: { outcome: { outcome: "cancelled" } } }))
  await idle()
  await ask("POST", `${at}/prompts`, { body: { text: "wait" } })
  await until(chat, ({ turn }) => turn !== null)
  const waiting = async () => (await ask("POST", `${at}/prompts`, { body: { text: "later" } })).json.commandId
  const [edited, withdrawn] = [await waiting(), await waiting()]
  const form = new FormData()
  form.append("files", new Blob(["up"]), "up.txt")
  const token = await ask("POST", "/api/v1/auth/tokens", { body: { sessionId: chat, role: "viewer" } })
  const start = (await server.startLink()).split("#start=")[1]
  assert.deepStrictEqual(
    answered.map(({ status }) => status),
    [200, 200, 200]
  )
  const artifact = { kind: "url", title: "x" }
  return [
    ["server.me", "/api/v1/me"],
    ["server.backends", "/api/v1/backends"],
    ["sessions.list", "/api/v1/sessions?limit=1"],
    ["sessions.create", "/api/v1/sessions", { body: { backend: "agent", spec: {}, sessionId: makeSessionId() } }],
    ["sessions.get", at],
    ["sessions.remove", `/api/v1/sessions/${gone}`],
    ["sessions.command", `${at}/commands`, { body: { command: { type: "session.rename", data: { title: "x" } } } }],
    ["sessions.rename", `${at}/rename`, { body: { title: "y", commandId: makeCommandId() } }],
    ["sessions.archive", `${at}/archive`, { body: {} }],
    ["sessions.unarchive", `${at}/unarchive`, { body: {} }],
    ["prompts.list", `${at}/prompts`],
    ["prompts.send", `${at}/prompts`, { body: { text: "hello" } }],
    ["prompts.edit", `${at}/prompts/${edited}`, { body: { text: "changed" } }],
    ["prompts.withdraw", `${at}/prompts/${withdrawn}`],
    ["requests.list", `${at}/requests`],
    ["participants.list", `${at}/participants`],
    ["participants.join", `${at}/participants`, { body: { participantId: "ben", name: "Ben", role: "member" } }],
    ["participants.change", `${at}/participants/ben`, { body: { role: "viewer" } }],
    ["participants.leave", `${at}/participants/ben`],
    ["artifacts.add", `${at}/artifacts`, { body: { artifactId: "a", artifact } }],
    ["artifacts.list", `${at}/artifacts`],
    ["artifacts.update", `${at}/artifacts/a`, { body: { artifact } }],
    ["sessions.interrupt", `${at}/interrupt`, { body: {} }],
    ["sessions.fork", `${at}/fork`, { body: {} }],
    ["log.events", `${at}/events?limit=5`],
    ["log.timeline", `${at}/timeline`],
    ["log.screen", `${shell}/screen`],
    ["log.export", `${at}/export?format=jsonl`],
    ["files.list", `${shell}/files`],
    ["files.read", `${shell}/files/content?path=note.txt`],
    ["files.write", `${shell}/files/content?path=new.txt`, { body: new Uint8Array([1]) }],
    ["files.upload", `${shell}/files/upload`, { body: form }],
    ["files.exec", `${shell}/exec`, { body: { command: "true" } }],
    [
      "sessions.handoff",
      `${shell}/handoff`,
      { body: { backend: "pty", spec: { profile: "command", command: "cat", cwd: workspace }, restart: true } }
    ],
    ["workspace.perform", `${at}/workspace`, { body: { do: "branches" } }],
    ["sessions.suspend", `${at}/suspend`, { body: {} }],
    ["sessions.open", `${at}/open`, { body: {} }],
    ["sessions.close", `${at}/close`, { body: {} }],
    ["signIn.start", "/api/v1/auth/start", { body: { token: start } }],
    ["signIn.signOut", "/api/v1/auth/signout"],
    ["auth.ticket", "/api/v1/auth/tickets"],
    ["auth.issueToken", "/api/v1/auth/tokens", { body: { sessionId: chat, role: "member", expiresInSeconds: 60 } }],
    ["auth.revokeToken", `/api/v1/auth/tokens/${token.json.tokenId}`],
    ["health.health", "/healthz"],
    ["health.ready", "/readyz"],
    ["health.metrics", "/metrics"]
  ]
}

/** Answered before the others, or with no end. */
const askedBefore = ["requests.resolve", "requests.answer", "log.stream"]

describe("the OpenAPI document", () => {
  it("names every route of the server, each with a summary and an id of its own", () =>
    withHouse(async ({ ask }) => {
      const document = (await ask("GET", "/api/v1/openapi.json")).json
      const documented = operationsOf(document)
      const routes = Object.values(HoldfastApi.groups).flatMap((group) =>
        Object.values(group.endpoints).map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`)
      )
      assert.sameMembers(
        documented.map(({ method, path }) => `${method} ${path}`),
        routes
      )
      for (const { operation } of documented) assert.isNotEmpty(operation.summary, operation.operationId)
      // And nothing else answers: a route that is not in it would have to be made here.
      for (const path of ["/api/v1/sessions/x/secret", "/api/v1/live", "/api/v2/sessions", "/api/v1/docs/x"]) {
        assert.strictEqual((await ask("GET", path)).status, 404, path)
      }
    }))

  it("says what every operation answers, when it succeeds", () =>
    withHouse(async (house) => {
      const document = (await house.ask("GET", "/api/v1/openapi.json")).json
      const fits = makeChecker(document)
      const documented = new Map(operationsOf(document).map((one) => [one.operation.operationId, one]))
      const asked = new Set(askedBefore)
      assert.throws(() => fits({ $ref: "#/components/schemas/Receipt" }, { sessionId: 7 }))
      const settle: { readonly [operation: string]: string } = {
        "sessions.suspend": "suspended",
        "sessions.open": "open",
        "sessions.close": "closed"
      }
      for (const [operationId, path, asking] of await requests(house)) {
        const { method, operation } = documented.get(operationId)!
        asked.add(operationId)
        const answer = await house.ask(method, path, asking)
        assert.isBelow(answer.status, 300, `${operationId}: ${answer.text}`)
        const said = operation.responses[answer.status]
        assert.isDefined(said, `${operationId} answers ${answer.status}`)
        const type = answer.headers.get("content-type")
        if (said!.content === undefined) assert.strictEqual(answer.text, "", operationId)
        else {
          const names = Object.keys(said!.content)
          const name = names.find((one) => type?.startsWith(one.split(";", 1)[0]!) === true)
          assert.isDefined(name, `${operationId} answers ${type}, of ${names.join(", ")}`)
          if (name === "application/json") fits(said!.content[name].schema, answer.json)
        }
        const lifecycle = settle[operationId]
        if (lifecycle !== undefined) {
          await house.until(path.split("/")[4] as never, ({ chart }) => chart.lifecycle === lifecycle)
        }
      }
      assert.sameMembers([...asked], [...documented.keys()])
    }))

  it("says what every operation answers, when it is asked for nonsense", () =>
    withHouse(async ({ ask }) => {
      const document = (await ask("GET", "/api/v1/openapi.json")).json
      const fits = makeChecker(document)
      const nobody = makeSessionId()
      for (const { method, operation, path } of operationsOf(document)) {
        for (const id of [nobody, "nonsense"]) {
          const at = path.replace("{sessionId}", id).replaceAll(/\{\w+\}/g, id)
          const answer = await ask(method, at, method === "GET" ? {} : { body: '{"title":7}' })
          const said = operation.responses[answer.status]
          assert.isDefined(said, `${method} ${at} answers ${answer.status}: ${answer.text}`)
          if (answer.status < 400) continue
          assert.strictEqual(answer.headers.get("content-type"), "application/problem+json", at)
          fits(said!.content!["application/problem+json"].schema, answer.json)
        }
      }
    }))
})
