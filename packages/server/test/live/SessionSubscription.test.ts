import { type EventRecord, makeSessionId, type SessionId } from "@holdfast/core"
import { createdEvent, newEvent } from "@holdfast/testkit"
import { describe, expect, it } from "vitest"
import { type LiveServer, withLiveServer } from "./LiveServer.ts"
import type { LiveTestClient } from "./LiveTestClient.ts"

const keys = (text: string) => ({ type: "terminal.write", data: { bytes: Buffer.from(text).toString("base64") } })

const logged = async ({ log, run }: LiveServer, sessionId: SessionId): Promise<Array<EventRecord>> => {
  const events: Array<EventRecord> = []
  for (let cursor = 0; ;) {
    const page = await run(log.read(sessionId, cursor))
    if ("events" in page) events.push(...page.events)
    cursor = page.cursor
    if (cursor >= page.head) return events
  }
}

const isOutput = ({ type }: EventRecord) => type === "terminal.output" || type === "terminal.snapshot"
const seqs = (events: ReadonlyArray<EventRecord>) => events.map(({ seq }) => seq)

/** A session of events of a size, that nobody owns. */
const written = async ({ log, run }: LiveServer, count: number, size: number) => {
  const sessionId = makeSessionId()
  await run(log.append(sessionId, 0, [createdEvent()]))
  const events = Array.from({ length: count }, () => newEvent("some.thing", {}, { bytes: new Uint8Array(size) }))
  if (count > 0) await run(log.append(sessionId, 1, events))
  return sessionId
}

/** Waits until what the server had to say before is said. */
const settled = async (client: LiveTestClient) => {
  for (let round = 0; round < 5; round++) {
    const heard = client.messages.filter(({ type }) => type === "pong").length
    client.send({ type: "ping" })
    await client.until(() => client.messages.filter(({ type }) => type === "pong").length > heard)
  }
}

describe("a subscription", () => {
  it("to the latest begins with state, history and screen, and goes on with exactly the next event", () =>
    withLiveServer(async (server) => {
      const { connect, holdfast, run, shell } = server
      const sessionId = await shell("printf before; read x; printf after; read y")
      await run(holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= 6))
      const client = await connect()
      client.subscribe(1, sessionId, { latest: 100 }, "screen")
      const { cursor, state, summary } = await client.message("subscribed")
      expect(state).toMatchObject({ sessionId, seq: cursor })
      expect(summary.sessionId).toBe(sessionId)
      const history = await client.frame("history")
      expect(history.page.after).toBe(0)
      const until = (await logged(server, sessionId)).filter(({ seq }) => seq <= cursor)
      expect(history.page.events).toEqual(until.filter((event) => !isOutput(event)))
      const { ansi, screen } = await client.frame("screen")
      expect(Buffer.from(ansi).toString()).toContain("before")
      expect(screen).toMatchObject({ seq: cursor, offset: 6, why: "opened" })
      await client.command(sessionId, keys("\r"))
      await client.until(() => client.output(1).includes("after"))
      const got = seqs(client.events(1))
      expect(got).toEqual(got.map((_, index) => cursor + 1 + index))
    }))

  it("gives everybody the same events under the number that they chose, whatever their size", () =>
    withLiveServer(async (server) => {
      const { connect, log, run } = server
      const sessionId = await written(server, 0, 0)
      const clients = [await connect(), await connect(), await connect()]
      const chosen = [[1], [1, 70_000], [9, 1]]
      for (const [index, client] of clients.entries()) {
        for (const number of chosen[index]!) client.subscribe(number, sessionId, { after: 1 })
        for (const number of chosen[index]!) {
          await client.frame("page", ({ page, subscription }) => subscription === number && page.cursor === 1)
        }
      }
      const sizes = [0, 10, 5_000, 70_000, 100, 3_900]
      for (const [index, size] of sizes.entries()) {
        const bytes = new Uint8Array(size).fill(65 + index)
        await run(log.append(sessionId, 1 + index, [newEvent("some.thing", { index }, { bytes })]))
      }
      const told = (events: ReadonlyArray<EventRecord>) =>
        events.map(({ bytes, data, seq }) => ({ seq, data, size: bytes?.byteLength, of: [...new Set(bytes)] }))
      const all = told((await logged(server, sessionId)).slice(1))
      for (const [index, client] of clients.entries()) {
        for (const number of chosen[index]!) {
          await client.until(() => client.events(number).length === sizes.length)
          expect(told(client.events(number))).toEqual(all)
        }
      }
    }))

  it("has a history of the newest events where there are more than it takes", () =>
    withLiveServer(async (server) => {
      const client = await server.connect()
      const sessionId = await written(server, 300, 1_000)
      client.subscribe(1, sessionId, { latest: 50 })
      client.subscribe(2, sessionId, { latest: 2_000 })
      const few = await client.frame("history", ({ subscription }) => subscription === 1)
      expect(few.page.after).toBe(251)
      expect(seqs(few.page.events)).toEqual(Array.from({ length: 50 }, (_, index) => 252 + index))
      const many = await client.frame("history", ({ subscription }) => subscription === 2)
      expect(many.bytes).toBeGreaterThan(150_000)
      expect(many.bytes).toBeLessThan(300_000)
      const got = seqs(many.page.events)
      expect(got).toEqual(got.map((_, index) => many.page.after + 1 + index))
      expect(got.at(-1)).toBe(301)
    }))

  it("that watches gets the screen instead of output that it is too far behind, and every other event", () =>
    withLiveServer(async (server) => {
      const { connect, holdfast, run, shell } = server
      const flood = `for n in 1 2 3 4 5 6; do printf '\\033]2;part %s\\007' $n; head -c 1000000 /dev/zero | tr '\\0' "$n"; done`
      const sessionId = await shell(`read x; ${flood}; printf 'the end'; read y; printf 'more'; read z`)
      const client = await connect({}, { credits: false })
      client.subscribe(1, sessionId, { after: 0 }, "screen")
      await client.message("subscribed")
      await client.command(sessionId, keys("\r"))
      // The echo, six parts with their titles, and the end.
      const outputBytes = 2 + 6 * (11 + 1_000_000) + 7
      await run(holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= outputBytes))
      client.resumeCredits()
      const { screen } = await client.frame("screen", ({ ansi }) => Buffer.from(ansi).toString().includes("the end"))
      expect(screen.why).toBe("resync")
      await client.command(sessionId, keys("\r"))
      await client.until(() => client.output(1).endsWith("more"))
      const sent = client.frames.reduce((bytes, frame) => bytes + frame.bytes, 0)
      expect(sent).toBeLessThan(2_500_000)
      const all = await logged(server, sessionId)
      const got = client.events(1).filter((event) => !isOutput(event))
      const last = got.at(-1)!.seq
      expect(seqs(got)).toEqual(seqs(all.filter((event) => !isOutput(event) && event.seq <= last)))
      const next = client.events(1).find(({ seq, type }) => type === "terminal.output" && seq > screen.seq)
      expect(next?.data["offset"]).toBe(screen.offset)
    }))

  it("that takes bytes gets all of them, whatever it is behind", () =>
    withLiveServer(async ({ connect, holdfast, run, shell }) => {
      const sessionId = await shell("head -c 1500000 /dev/urandom | base64 -w 0; read x")
      await run(holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= 2_000_000))
      const client = await connect()
      client.subscribe(1, sessionId)
      await client.until(() => client.output(1).length === 2_000_000)
      expect(client.frames.some(({ kind }) => kind === "screen")).toBe(false)
    }))

  it("is sent its window and a page, and nothing more until there is credit", () =>
    withLiveServer(
      async (server) => {
        const client = await server.connect({}, { credits: false })
        const sessionId = await written(server, 2_000, 1_000)
        client.subscribe(1, sessionId)
        const bytes = () => client.frames.reduce((sum, frame) => sum + frame.bytes, 0)
        await client.until(() => bytes() >= 100_000)
        await settled(client)
        expect(bytes()).toBeLessThan(100_000 + 135_000)
        client.send({ type: "credit", subscription: 1, bytes: 1 })
        await settled(client)
        expect(bytes()).toBeLessThan(100_000 + 135_000)
        client.resumeCredits()
        await client.until(() => client.events(1).length === 2_001)
      },
      { limits: { windowBytes: 100_000 } }
    ))

  it("takes an event that is larger than its window whole", () =>
    withLiveServer(async (server) => {
      const client = await server.connect()
      const sessionId = await written(server, 1, 3_000_000)
      client.subscribe(1, sessionId)
      await client.until(() => client.events(1).length === 2)
      expect(client.events(1)[1]!.bytes!.byteLength).toBe(3_000_000)
    }))

  it("says that a cursor is from another log, and goes on from the start", () =>
    withLiveServer(async (server) => {
      const client = await server.connect()
      const sessionId = await written(server, 3, 10)
      client.subscribe(1, sessionId, { after: 100 })
      await client.frame("page", ({ page }) => page.answer === "gap" && page.reason === "ahead")
      await client.until(() => seqs(client.events(1)).join() === "1,2,3,4")
    }))

  it("says once that it is caught up, and again only where no page says so", () =>
    withLiveServer(async (server) => {
      const { connect, log, run } = server
      const client = await connect()
      const sessionId = await written(server, 0, 0)
      client.subscribe(1, sessionId, { after: 1 })
      await client.frame("page", ({ page }) => page.answer === "caught-up" && page.cursor === 1)
      for (let seq = 1; seq < 5; seq++) {
        await run(log.append(sessionId, seq, [newEvent("some.thing", {})]))
        await client.frame("page", ({ page }) => "head" in page && page.cursor === seq + 1 && page.head === seq + 1)
      }
      expect(client.frames).toHaveLength(5)
    }))

  it("ends with the session: a gap, then the problem", () =>
    withLiveServer(async (server) => {
      const client = await server.connect()
      const sessionId = await written(server, 3, 10)
      client.subscribe(7, sessionId)
      await client.until(() => client.events(7).length === 4)
      await server.run(server.log.remove(sessionId))
      await client.frame("page", ({ page }) => page.answer === "gap" && page.reason === "removed")
      const { problem } = await client.message("unsubscribed", ({ subscription }) => subscription === 7)
      expect(problem.kind).toBe("not_found")
      client.subscribe(7, await written(server, 0, 0))
      await client.message("subscribed", ({ cursor }) => cursor === 0)
    }))

  it("does not begin where there are as many as a connection may have, until one ends", () =>
    withLiveServer(
      async (server) => {
        const client = await server.connect()
        const sessionId = await written(server, 3, 10)
        for (const subscription of [1, 2, 3]) client.subscribe(subscription, sessionId)
        const { problem, subscription } = await client.message("unsubscribed")
        expect([subscription, problem.kind]).toEqual([3, "busy"])
        client.send({ type: "unsubscribe", subscription: 1 })
        client.subscribe(4, sessionId)
        await client.until(() => client.events(4).length === 4)
        expect(server.endpoint.subscriptions()).toBe(2)
      },
      { limits: { maxSubscriptions: 2 } }
    ))

  it("does not begin for a session that is not there, and the connection stays", () =>
    withLiveServer(async ({ connect }) => {
      const client = await connect()
      client.subscribe(1, makeSessionId())
      const { problem } = await client.message("unsubscribed")
      expect(problem.kind).toBe("not_found")
      await settled(client)
    }))
})

describe("the list of sessions", () => {
  it("is given whole, then its changes and what is gone", () =>
    withLiveServer(async (server) => {
      const { connect, log, run } = server
      const first = await written(server, 0, 0)
      const client = await connect()
      client.send({ type: "list", subscription: 1, query: {} })
      await client.message("sessions", ({ caughtUp }) => caughtUp)
      const changed = () => client.messages.flatMap((message) => (message.type === "sessions" ? message.changed : []))
      expect(changed().map(({ sessionId }) => sessionId)).toEqual([first])
      const second = await written(server, 0, 0)
      await client.until(() => changed().some(({ sessionId }) => sessionId === second))
      await run(log.remove(second))
      await client.message("sessions", ({ gone }) => gone.includes(second))
    }))

  it("joins what changes within a moment", () =>
    withLiveServer(async (server) => {
      const { agent, connect, holdfast, run } = server
      const sessionId = await agent()
      const client = await connect()
      client.send({ type: "list", subscription: 1, query: {} })
      await client.message("sessions", ({ caughtUp }) => caughtUp)
      for (let n = 0; n < 200; n++) {
        await run(holdfast.command(sessionId, { type: "session.rename", data: { title: `title ${n}` } }))
      }
      await client.message("sessions", ({ changed }) => changed.some(({ title }) => title === "title 199"))
      expect(client.messages.filter(({ type }) => type === "sessions").length).toBeLessThan(60)
    }))
})
