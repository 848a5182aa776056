import { assert, describe, it } from "@effect/vitest"
import { makeCommandId, makeSessionId } from "@holdfast/core"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Parsed, withHouse } from "./servedHouse.ts"

describe("sessions over HTTP", () => {
  it("are made once, however often the request is repeated", () =>
    withHouse(async ({ ask }) => {
      const body = { backend: "agent", spec: {}, title: "Once", sessionId: makeSessionId(), commandId: makeCommandId() }
      const first = await ask("POST", "/api/v1/sessions", { body })
      const again = await ask("POST", "/api/v1/sessions", { body })
      assert.deepStrictEqual([first.status, again.status], [201, 201])
      assert.deepStrictEqual(again.json, first.json)
      const { json } = await ask("GET", "/api/v1/sessions")
      assert.deepStrictEqual(
        json.sessions.map(({ title }: { title: string }) => title),
        ["Once"]
      )
    }))

  it("are made without being opened where that is asked for, and opened by the first prompt", () =>
    withHouse(async ({ ask, until }) => {
      const made = await ask("POST", "/api/v1/sessions", { body: { backend: "agent", spec: {}, open: false } })
      assert.strictEqual(made.status, 201)
      const { sessionId } = made.json
      const { json } = await ask("GET", `/api/v1/sessions/${sessionId}`)
      assert.strictEqual(json.state.chart.lifecycle, "created")
      await ask("POST", `/api/v1/sessions/${sessionId}/prompts`, { body: { text: "hello" } })
      await until(sessionId, ({ chart, lastTurnId }) => chart.lifecycle === "open" && lastTurnId !== null)
    }))

  it("are listed a page at a time, the newest first, and by what is searched", () =>
    withHouse(async ({ ask }) => {
      for (const title of ["apple", "banana", "cherry", "apple pie", "elder"]) {
        await ask("POST", "/api/v1/sessions", { body: { backend: "agent", spec: {}, title } })
      }
      const seen: Array<string> = []
      let cursor: string | undefined
      do {
        const { json } = await ask("GET", `/api/v1/sessions?limit=2${cursor === undefined ? "" : `&cursor=${cursor}`}`)
        assert.isAtMost(json.sessions.length, 2)
        seen.push(...json.sessions.map(({ title }: { title: string }) => title))
        cursor = json.next
      } while (cursor !== undefined)
      assert.deepStrictEqual(seen, ["elder", "apple pie", "cherry", "banana", "apple"])
      const found = await ask(
        "GET",
        "/api/v1/sessions?search=APPLE&archived=false&backend=agent&status=idle&status=working"
      )
      assert.strictEqual(found.json.sessions.length, 2)
    }))

  it("are looked at, renamed, archived, interrupted, suspended, opened, forked, closed and deleted", () =>
    withHouse(async ({ agent, ask, until }) => {
      const sessionId = await agent()
      const at = `/api/v1/sessions/${sessionId}`
      const commandId = makeCommandId()
      const renamed = await ask("POST", `${at}/rename`, { body: { title: "Named", commandId } })
      assert.strictEqual(renamed.json.commandId, commandId)
      assert.deepStrictEqual(
        (await ask("POST", `${at}/rename`, { body: { title: "Other", commandId } })).json,
        renamed.json
      )
      const { json } = await ask("GET", at)
      assert.strictEqual(json.summary.title, "Named")
      assert.strictEqual(json.state.title, "Named")
      assert.strictEqual(json.state.seq, json.summary.seq)

      assert.strictEqual((await ask("POST", `${at}/archive`, { body: {} })).status, 200)
      assert.strictEqual((await ask("GET", "/api/v1/sessions?archived=true")).json.sessions.length, 1)
      assert.strictEqual((await ask("POST", `${at}/unarchive`, { body: {} })).status, 200)

      assert.strictEqual((await ask("POST", `${at}/interrupt`, { body: {} })).json.kind, "illegal_state")
      await ask("POST", `${at}/prompts`, { body: { text: "wait" } })
      await until(sessionId, ({ turn }) => turn !== null)
      assert.strictEqual((await ask("POST", `${at}/interrupt`, { body: {} })).status, 200)
      await until(sessionId, ({ turn }) => turn === null)

      assert.strictEqual((await ask("POST", `${at}/suspend`, { body: { reason: "lunch" } })).status, 200)
      await until(sessionId, ({ chart }) => chart.lifecycle === "suspended")
      assert.strictEqual((await ask("POST", `${at}/open`, { body: {} })).status, 200)
      await until(sessionId, ({ chart }) => chart.lifecycle === "open")

      const fork = { into: makeSessionId(), title: "Branch", commandId: makeCommandId() }
      const branch = await ask("POST", `${at}/fork`, { body: fork })
      assert.strictEqual(branch.status, 201)
      assert.strictEqual(branch.json.sessionId, fork.into)
      assert.deepStrictEqual((await ask("POST", `${at}/fork`, { body: fork })).json, branch.json)
      const branched = await ask("GET", `/api/v1/sessions/${fork.into}`)
      assert.strictEqual(branched.json.summary.forkedFrom.sessionId, sessionId)

      assert.strictEqual((await ask("DELETE", at)).json.kind, "illegal_state")
      assert.strictEqual((await ask("POST", `${at}/close`, { body: { force: true, reason: "over" } })).status, 200)
      await until(sessionId, ({ chart }) => chart.lifecycle === "closed")
      const removed = await ask("DELETE", at)
      assert.deepStrictEqual([removed.status, removed.text], [204, ""])
      assert.strictEqual((await ask("GET", at)).json.kind, "not_found")
    }))

  it("are moved to another folder with what is in their workspace, if their program may be started anew", () =>
    withHouse(async ({ ask, server, terminal, until, workspace }) => {
      const sessionId = await terminal("cat")
      const at = `/api/v1/sessions/${sessionId}/handoff`
      writeFileSync(join(workspace, "file"), "mine")
      const there = join(workspace, "..", "elsewhere")
      const to = { backend: "pty", spec: { profile: "command", command: "cat", cwd: there } }
      assert.strictEqual((await ask("POST", at, { body: to })).json.kind, "unsupported")
      assert.strictEqual((await ask("POST", at, { body: { ...to, backend: "none" } })).json.field, "backend")
      const commandId = makeCommandId()
      const moved = await ask("POST", at, { body: { ...to, restart: true, commandId } })
      assert.deepInclude(moved.json, { sessionId, commandId })
      const state = await until(sessionId, ({ chart, generation }) => generation === 2 && chart.lifecycle === "open")
      assert.strictEqual(state.left?.workspace, workspace)
      assert.strictEqual(readFileSync(join(there, "file"), "utf8"), "mine")
      assert.deepStrictEqual((await ask("POST", at, { body: { ...to, restart: true, commandId } })).json, moved.json)
      assert.strictEqual((await server.holdfast.summary(sessionId)).workspace, there)
    }))

  it("take any command, keystrokes in base64 among them", () =>
    withHouse(async ({ ask, server, terminal }) => {
      const sessionId = await terminal("read line; echo got $line; cat")
      const at = `/api/v1/sessions/${sessionId}`
      const typed = { type: "terminal.write", data: { bytes: Buffer.from("hello\r").toString("base64") } }
      assert.strictEqual((await ask("POST", `${at}/commands`, { body: { command: typed } })).status, 200)
      for await (const page of server.holdfast.follow(sessionId, 0)) {
        if (page.answer === "gap" || page.answer === "caught-up") continue
        const output = page.events.map(({ bytes }) => Buffer.from(bytes ?? []).toString()).join("")
        if (output.includes("got hello")) break
      }
      const screen = await ask("GET", `${at}/screen`)
      assert.include(screen.json.lines, "got hello")
      const resize = { type: "terminal.resize", data: { cols: 100, rows: 30 } }
      await ask("POST", `${at}/commands`, { body: { command: resize } })
      const after = (await ask("GET", `${at}/screen`)).json
      assert.deepStrictEqual([after.cols, after.rows], [100, 30])
      const before = (await ask("GET", `${at}/screen?at=1`)).json
      assert.deepStrictEqual([before.seq, before.cols, before.lines.join("")], [1, 80, ""])
      assert.strictEqual((await ask("GET", `${at}/screen?at=999`)).json.field, "at")
    }))
})

describe("what an agent is asked and asks", () => {
  it("waits in the order in which it was sent, can be changed and withdrawn, and has the id of its command", () =>
    withHouse(async ({ agent, ask, until }) => {
      const sessionId = await agent()
      const at = `/api/v1/sessions/${sessionId}`
      const first = await ask("POST", `${at}/prompts`, { body: { text: "wait" } })
      assert.strictEqual(first.status, 201)
      const { turn } = await until(sessionId, (state) => state.turn !== null)
      const ids: Array<string> = []
      for (const text of ["one", "two", "three"]) {
        ids.push((await ask("POST", `${at}/prompts`, { body: { text } })).json.commandId)
      }
      const page = (await ask("GET", `${at}/prompts?limit=2`)).json
      assert.deepStrictEqual(
        page.prompts.map(({ promptId }: { promptId: string }) => promptId),
        ids.slice(0, 2)
      )
      const rest = (await ask("GET", `${at}/prompts?limit=2&cursor=${page.next}`)).json
      assert.deepStrictEqual([rest.prompts.length, rest.prompts[0].promptId, rest.next], [1, ids[2], undefined])

      const content = [{ type: "text", text: "second" }]
      assert.strictEqual((await ask("PATCH", `${at}/prompts/${ids[1]}`, { body: { content } })).status, 200)
      assert.strictEqual((await ask("DELETE", `${at}/prompts/${ids[0]}?reason=never+mind`)).status, 200)
      const left = (await ask("GET", `${at}/prompts`)).json.prompts
      assert.deepStrictEqual(left[0].content, content)
      assert.strictEqual(left.length, 2)

      const steered = await ask("POST", `${at}/prompts`, {
        body: { text: "go on", delivery: "steer", turnId: turn!.turnId }
      })
      assert.strictEqual(steered.status, 201)
      await until(sessionId, (state) => state.prompts.length === 0 && state.turn === null)
      assert.strictEqual(
        (await ask("PATCH", `${at}/prompts/${ids[2]}`, { body: { text: "late" } })).json.kind,
        "not_found"
      )
      assert.strictEqual((await ask("POST", `${at}/prompts`, { body: {} })).status, 400)
    }))

  it("is told with its options or questions, and answered by whoever is first", () =>
    withHouse(async ({ agent, ask, until }) => {
      const sessionId = await agent()
      const at = `/api/v1/sessions/${sessionId}`
      const waiting = (state: { requests: object }) => Object.keys(state.requests).length === 1
      await ask("POST", `${at}/prompts`, { body: { text: "ask permission" } })
      await until(sessionId, waiting)
      const [permission] = (await ask("GET", `${at}/requests`)).json.requests
      assert.strictEqual(permission.kind, "permission")
      assert.isString(permission.title)
      assert.deepStrictEqual(
        permission.options.map(({ optionId }: { optionId: string }) => optionId),
        ["allow", "reject"]
      )
      const outcome = { outcome: "selected", optionId: "allow" }
      const resolve = `${at}/permissions/${encodeURIComponent(permission.requestId)}`
      const answered = await Promise.all([
        ask("POST", resolve, { body: { outcome } }),
        ask("POST", resolve, { body: { outcome } })
      ])
      assert.deepStrictEqual(answered.map(({ status }) => status).toSorted(), [200, 404])
      await until(sessionId, (state) => state.turn === null)

      await ask("POST", `${at}/prompts`, { body: { text: "ask question" } })
      await until(sessionId, waiting)
      const [question] = (await ask("GET", `${at}/requests`)).json.requests
      assert.strictEqual(question.kind, "question")
      const { questionId } = question.questions[0]
      const answer = { outcome: "answered", answers: { [questionId]: ["blue"] } }
      const how = `${at}/questions/${encodeURIComponent(question.requestId)}`
      assert.strictEqual((await ask("POST", how, { body: { outcome: answer } })).status, 200)
      await until(sessionId, (state) => state.turn === null)
      assert.deepStrictEqual((await ask("GET", `${at}/requests`)).json, { requests: [] })
    }))
})

describe("who takes part, and what the work led to", () => {
  it("is added, changed and left, and listed a page at a time", () =>
    withHouse(async ({ agent, ask }) => {
      const at = `/api/v1/sessions/${await agent()}`
      for (const participantId of ["ada", "ben", "cy"]) {
        const body = { participantId, name: participantId.toUpperCase(), role: "member" }
        assert.strictEqual((await ask("POST", `${at}/participants`, { body })).status, 201)
      }
      const page = (await ask("GET", `${at}/participants?limit=3`)).json
      assert.deepStrictEqual(
        page.participants.map(({ participantId }: { participantId: string }) => participantId),
        ["owner", "ada", "ben"]
      )
      assert.strictEqual((await ask("PATCH", `${at}/participants/ada`, { body: { role: "viewer" } })).status, 200)
      assert.strictEqual((await ask("DELETE", `${at}/participants/ben`)).status, 200)
      const all = (await ask("GET", `${at}/participants`)).json.participants
      assert.deepStrictEqual(all[1], { participantId: "ada", name: "ADA", role: "viewer", present: true })
      assert.strictEqual(all[2].present, false)
      assert.strictEqual((await ask("GET", `${at}/participants?cursor=nobody`)).json.field, "cursor")
    }))

  it("is added, replaced and listed", () =>
    withHouse(async ({ agent, ask }) => {
      const at = `/api/v1/sessions/${await agent()}`
      const artifact = { kind: "pull_request", title: "Fix", url: "https://example.org/1", state: "open" }
      const added = await ask("POST", `${at}/artifacts`, { body: { artifact } })
      assert.strictEqual(added.status, 201)
      const artifactId = added.json.commandId
      const merged = { ...artifact, state: "merged" }
      assert.strictEqual(
        (await ask("PUT", `${at}/artifacts/${artifactId}`, { body: { artifact: merged } })).status,
        200
      )
      assert.deepStrictEqual((await ask("GET", `${at}/artifacts`)).json.artifacts, [{ artifactId, artifact: merged }])
      assert.strictEqual((await ask("PUT", `${at}/artifacts/none`, { body: { artifact } })).json.kind, "not_found")
    }))
})

describe("the repository that a session works in", () => {
  it("is committed to in the name of who asks, and told as an event", () =>
    withHouse(async ({ agent, ask }) => {
      const at = `/api/v1/sessions/${await agent()}`
      const body = { do: "commit", message: "Fix the build" }
      const { json, status } = await ask("POST", `${at}/workspace`, { body })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(json, { done: "commit", sha: "1".padStart(40, "0") })
      const { json: log } = await ask("GET", `${at}/events`)
      const committed = log.events.find(({ type }: Parsed) => type === "workspace.committed")
      assert.deepStrictEqual(committed.data, { sha: json.sha, message: "Fix the build", author: "Owner" })
    }))

  it("says what is wrong: with the action, with the backend, with the session", () =>
    withHouse(async ({ agent, ask, terminal, until }) => {
      const sessionId = await agent()
      const at = `/api/v1/sessions/${sessionId}`
      const bad = await ask("POST", `${at}/workspace`, { body: { do: "commit", message: "" } })
      assert.strictEqual(bad.status, 400)
      assert.strictEqual((await ask("POST", `${at}/workspace`, { body: { do: "rebase" } })).status, 400)
      const refused = await ask("POST", `${at}/workspace`, { body: { do: "push" } })
      assert.strictEqual(refused.status, 422)
      assert.match(refused.json.detail, /the remote refuses push/)
      const none = await ask("POST", `/api/v1/sessions/${await terminal()}/workspace`, { body: { do: "push" } })
      assert.deepInclude(none.json, { status: 422, kind: "unsupported" })
      await ask("POST", `${at}/close`, { body: {} })
      await until(sessionId, ({ chart }) => chart.lifecycle === "closed")
      const over = await ask("POST", `${at}/workspace`, { body: { do: "branches" } })
      assert.include([409, 503], over.status)
      const { json } = await ask("POST", `/api/v1/sessions/${makeSessionId()}/workspace`, { body: { do: "push" } })
      assert.strictEqual(json.kind, "not_found")
    }))
})
