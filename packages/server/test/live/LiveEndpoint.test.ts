import { CloseCode, encodeKeystrokes, makeCommandId, type SessionId } from "@holdfast/core"
import { describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { eventually, withLiveServer } from "./LiveServer.ts"
import type { LiveTestClient } from "./LiveTestClient.ts"

const rename = (title: string) => ({ type: "session.rename", data: { title } })

const isAtHead = (client: LiveTestClient, subscription: number) =>
  client.frame("page", (frame) => {
    if (frame.subscription !== subscription) return false
    return frame.page.answer === "caught-up" || frame.page.cursor === frame.page.head
  })

const typed = (client: LiveTestClient, sessionId: SessionId, text: string) => {
  const commandId = makeCommandId()
  client.send(Buffer.from(encodeKeystrokes(sessionId, commandId, Buffer.from(text))))
  return client.frame("typed", (frame) => frame.commandId === commandId)
}

describe("a live connection", () => {
  it("gives the events of a session and then what comes, and takes keystrokes in the order in which they are typed", () =>
    withLiveServer(async ({ connect, shell }) => {
      const sessionId = await shell('read x; echo "got $x"; read y')
      const client = await connect()
      client.subscribe(1, sessionId)
      await isAtHead(client, 1)
      const text = "the quick brown fox jumps over the lazy dog"
      await Promise.all(Array.from(`${text}\r`, (key) => typed(client, sessionId, key)))
      await client.until(() => client.output(1).includes(`got ${text}`))
      const seqs = client.events(1).map(({ seq }) => seq)
      expect(seqs).toEqual(seqs.map((_, index) => index + 1))
    }))

  it("goes on with the token that it has while nobody can tell whether another one is good", () => {
    let hasKeys = true
    return withLiveServer(
      async ({ agent, connect }) => {
        const sessionId = await agent()
        const client = await connect({ expiresIn: 3_600 })
        const { you } = await client.message("welcome")
        hasKeys = false
        client.send({ type: "authenticate", token: "a newer one" })
        expect((await client.message("authenticated")).you).toEqual(you)
        await client.command(sessionId, rename("still here"))
        expect(client.closed).toBeUndefined()
        hasKeys = true
        client.send({ type: "authenticate", token: "a newer one" })
        expect((await client.close()).code).toBe(CloseCode.unauthenticated)
      },
      { hasKeys: () => hasKeys }
    )
  })

  it("answers keystrokes that nothing comes back for", () =>
    withLiveServer(async ({ connect, shell }) => {
      const sessionId = await shell("stty -echo; printf ready; read -r x; read -r y")
      const client = await connect()
      client.subscribe(1, sessionId)
      await client.until(() => client.output(1).includes("ready"))
      for (const key of "secret") await typed(client, sessionId, key)
      expect(client.output(1)).not.toContain("secret")
    }))

  it("takes keystrokes no longer from who was made to leave, nor from a token of a lower role", () =>
    withLiveServer(async ({ connect, shell, token }) => {
      const sessionId = await shell("while read -r x; do :; done")
      const [owner, guest] = [await connect(), await connect({ sub: "guest", name: "Guest", roles: ["member"] })]
      await typed(guest, sessionId, "a")
      await typed(guest, sessionId, "b")
      await owner.command(sessionId, { type: "participant.leave", data: { participantId: "guest" } })
      const refused = (client: LiveTestClient) => {
        const commandId = makeCommandId()
        client.send(Buffer.from(encodeKeystrokes(sessionId, commandId, Buffer.from("c"))))
        return client.message("rejected", (message) => message.commandId === commandId)
      }
      expect((await refused(guest)).problem.kind).toBe("forbidden")

      await typed(owner, sessionId, "a")
      owner.send({ type: "authenticate", token: await token({ roles: ["viewer"] }) })
      await owner.message("authenticated")
      expect((await refused(owner)).problem.kind).toBe("forbidden")
    }))

  it("carries out commands in the order in which they are sent, and each once", () =>
    withLiveServer(async ({ agent, connect, log, run }) => {
      const sessionId = await agent()
      const client = await connect()
      const ids = Array.from({ length: 50 }, () => makeCommandId())
      const answers = ids.map((id, index) => client.command(sessionId, rename(`title ${index}`), id))
      await Promise.all(answers)
      const other = await connect()
      const [first, again] = [await answers[7]!, await other.command(sessionId, rename("title 7"), ids[7]!)]
      expect(again).toEqual(first)
      const page = await run(log.read(sessionId, 0))
      const titles = "events" in page ? page.events.filter(({ type }) => type === "session.renamed") : []
      expect(titles.map(({ data }) => data["title"])).toEqual(ids.map((_, index) => `title ${index}`))
    }))

  it("names what is wrong with a command, and goes on", () =>
    withLiveServer(async ({ agent, connect }) => {
      const sessionId = await agent()
      const client = await connect()
      expect(await client.command(sessionId, { type: "session.rename", data: { title: 7 } })).toMatchObject({
        type: "rejected",
        problem: { kind: "invalid", field: "command.data.title" }
      })
      expect(await client.command(sessionId, { type: "session.delete", data: {} })).toMatchObject({
        type: "rejected",
        problem: { kind: "invalid" }
      })
      expect(await client.command(sessionId, { type: "terminal.write", data: { bytes: "!" } })).toMatchObject({
        problem: { kind: "invalid", field: "command.data.bytes" }
      })
      expect(await client.command(sessionId, rename("right"))).toMatchObject({ type: "receipt" })
    }))

  it("is closed when more commands wait than may, and those that were taken are carried out", () =>
    withLiveServer(
      async ({ connect, holdfast, run, shell }) => {
        const sessionId = await shell("read x")
        const client = await connect()
        for (let n = 0; n < 20; n++) void client.command(sessionId, rename(`title ${n}`)).catch(() => undefined)
        expect((await client.close()).code).toBe(CloseCode.tooMany)
        await run(holdfast.until(sessionId, ({ title }) => Number(/\d+$/.exec(title)?.[0]) >= 3))
      },
      { limits: { maxPendingCommands: 4 } }
    ))

  it("takes a flood as fast as it comes, however few messages its client may send, but not credit for crumbs", () =>
    withLiveServer(
      async ({ connect, shell }) => {
        const bytes = 2_000_000
        const sessionId = await shell(`read x; head -c ${bytes} /dev/zero | tr '\\0' x; read y`)
        const client = await connect({}, { credits: false })
        let owed = 0
        client.ws.on("message", (data: Buffer, isBinary) => {
          if (isBinary) owed += data.byteLength
          if (owed < 64 * 1024) return
          client.send({ type: "credit", subscription: 1, bytes: owed })
          owed = 0
        })
        client.subscribe(1, sessionId)
        await isAtHead(client, 1)
        await typed(client, sessionId, "\r")
        await client.until(() => client.output(1).length >= bytes)
        expect(client.closed).toBeUndefined()
        for (let crumb = 0; crumb < 40; crumb++) client.send({ type: "credit", subscription: 1, bytes: 1 })
        expect((await client.close()).code).toBe(CloseCode.tooMany)
      },
      { limits: { maxMessagesPerSecond: 2 } }
    ))

  it("says something when there is nothing to say, and is closed when the other side does not", () =>
    withLiveServer(
      async ({ connect, token, url }) => {
        const client = await connect()
        const silent = new WebSocket(url, ["holdfast.v1", `holdfast.token.${await token()}`])
        const code = await new Promise((resolve) => silent.on("close", resolve))
        expect(code).toBe(CloseCode.silent)
        expect(client.messages.filter(({ type }) => type === "ping").length).toBeGreaterThan(1)
        expect(client.closed).toBeUndefined()
      },
      { limits: { heartbeatMs: 200 } }
    ))

  it("is told when the server stops, and when to come back", () =>
    withLiveServer(async ({ connect, endpoint, run, token, url }) => {
      const clients = [await connect(), await connect()]
      const deaf = new WebSocket(url, ["holdfast.v1", `holdfast.token.${await token()}`])
      await new Promise((resolve) => deaf.once("message", resolve))
      deaf.pause()
      await run(endpoint.drain("an update", 3_000))
      for (const client of clients) {
        expect(await client.message("goodbye")).toMatchObject({ reason: "an update", retryAfterMs: 3_000 })
        expect(await client.close()).toEqual({ code: CloseCode.goingAway, reason: "an update" })
      }
      expect(endpoint.connections()).toBe(0)
      await expect(connect()).rejects.toThrow(/503/)
      deaf.terminate()
    }))

  it("is refused past the limits, and let in again when there is room", () =>
    withLiveServer(
      async ({ connect, endpoint }) => {
        const first = await connect()
        await expect(connect()).rejects.toThrow(/429/)
        const other = await connect({ sub: "bea", name: "Bea" })
        await expect(connect({ sub: "cleo", name: "Cleo" })).rejects.toThrow(/503/)
        other.end()
        first.end()
        await eventually(() => endpoint.connections() === 0)
        await connect()
      },
      { limits: { maxConnections: 2, maxConnectionsPerParticipant: 1 } }
    ))

  it("of a client that speaks another version is closed with the code that says so", () =>
    withLiveServer(async ({ token, url }) => {
      const ws = new WebSocket(url, ["holdfast.v2", `holdfast.token.${await token()}`])
      expect(await new Promise((resolve) => ws.on("close", resolve))).toBe(CloseCode.version)
    }))
})

describe("clients that come and go", () => {
  it("leave no connection, subscription, timer or descriptor behind", () =>
    withLiveServer(async ({ agent, connect, endpoint }) => {
      const sessionId = await agent()
      const come = async (how: number) => {
        const client = await connect()
        client.subscribe(1, sessionId, { latest: 10 }, "screen")
        client.send({ type: "list", subscription: 2, query: {} })
        client.send({ type: "typing", sessionId, typing: true })
        if (how % 3 !== 2) await isAtHead(client, 1)
        if (how % 2 === 0) client.ws.close()
        else client.end()
        await client.close()
      }
      const resources = () => process.getActiveResourcesInfo().toSorted().join()
      await come(0)
      await eventually(() => endpoint.connections() === 0)
      const before = resources()
      for (let round = 0; round < 100; round++) await come(round)
      await eventually(() => endpoint.connections() === 0 && endpoint.subscriptions() === 0)
      await eventually(() => resources().length <= before.length)
      const last = await connect({ sub: "bea", name: "Bea" })
      last.subscribe(1, sessionId)
      const { present } = await last.message("presence")
      expect(present.map(({ participantId }) => participantId)).toEqual(["bea"])
    }))
})

describe("a client that stalls", () => {
  it("is sent no more than its bounds, is cut off after a while, and the others do not notice", () =>
    withLiveServer(
      async ({ connect, endpoint, holdfast, run, sockets, shell }) => {
        const sessionId = await shell("read x; head -c 15000000 /dev/zero | tr '\\0' x; read y")
        const stalled = await connect({ sub: "bea", name: "Bea" })
        for (let subscription = 1; subscription <= 20; subscription++) {
          stalled.subscribe(subscription, sessionId)
          await isAtHead(stalled, subscription)
        }
        const theirs = sockets().at(-1)!
        stalled.ws.pause()
        const others = await Promise.all([connect(), connect(), connect()])
        for (const client of others) {
          client.subscribe(1, sessionId)
          await isAtHead(client, 1)
        }
        let most = 0
        const look = () => {
          most = Math.max(most, theirs.writableLength)
          // It gives credit for what it never took.
          for (let subscription = 1; subscription <= 20; subscription++) {
            stalled.send({ type: "credit", subscription, bytes: 10_000_000 })
          }
        }
        const watching = setInterval(look, 50)
        await typed(others[0]!, sessionId, "\r")
        await run(holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= 15_000_000))
        for (const client of others) {
          await client.frame("page", ({ page }) => {
            const last = "events" in page ? page.events.findLast(({ type }) => type === "terminal.output") : undefined
            return Number(last?.data["offset"]) + (last?.bytes?.byteLength ?? 0) >= 15_000_000
          })
        }
        await eventually(() => endpoint.connections() === 3)
        clearInterval(watching)
        expect(most).toBeGreaterThan(100_000)
        expect(most).toBeLessThan(700_000)
        stalled.ws.resume()
      },
      { limits: { stalledMs: 1_000, maxMessagesPerSecond: 2_000 } }
    ))
})
