import { type EventRecord, makeMemory, type SessionId } from "@holdfast/core"
import { connect } from "node:net"
import { describe, expect, it } from "vitest"
import { eventually, type LiveServer, withLiveServer } from "./LiveServer.ts"
import { readEvents, type ServerSentEvent } from "./SseReader.ts"

const open = async (
  { streamUrl, token }: LiveServer,
  sessionId: SessionId,
  headers: Record<string, string> = {},
  claims = {}
) => {
  const abort = new AbortController()
  const authorization = `Bearer ${await token(claims)}`
  const response = await fetch(streamUrl(sessionId), { headers: { authorization, ...headers }, signal: abort.signal })
  return { response, events: readEvents(response), abort: () => abort.abort() }
}

const take = async (events: AsyncGenerator<ServerSentEvent>, until: (event: ServerSentEvent) => boolean) => {
  const taken: Array<ServerSentEvent> = []
  for (;;) {
    const next = await events.next()
    if (next.done === true) return taken
    taken.push(next.value)
    if (until(next.value)) return taken
  }
}

const isCaughtUp = ({ event }: ServerSentEvent) => event === "caught-up"
const seqs = (events: ReadonlyArray<ServerSentEvent>) =>
  events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]))
const title = (text: string) => ({ type: "session.rename", data: { title: text } }) as const

describe("the event stream of a session", () => {
  it("gives its events as JSON with their seq as id, and goes on where a client was cut off", () =>
    withLiveServer(async (server) => {
      const { agent, holdfast, run } = server
      const sessionId = await agent()
      const first = await open(server, sessionId)
      expect(first.response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8")
      const before = await take(first.events, isCaughtUp)
      const ids = seqs(before)
      expect(ids).toEqual(ids.map((_, index) => index + 1))
      expect(before[0]).toMatchObject({ data: { sessionId, seq: 1, type: "session.created" } })
      first.abort()
      await run(holdfast.command(sessionId, title("while away")))
      const second = await open(server, sessionId, { "last-event-id": String(ids.at(-1)) })
      const after = await take(second.events, isCaughtUp)
      expect(seqs(after)).toEqual([ids.at(-1)! + 1])
      await run(holdfast.command(sessionId, title("live")))
      const [live] = await take(second.events, ({ id }) => id !== undefined)
      expect((live!.data as EventRecord).data).toMatchObject({ title: "live" })
      second.abort()
    }))

  it("says a comment while there is nothing to tell", () =>
    withLiveServer(
      async (server) => {
        const stream = await open(server, await server.agent())
        const heard = await take(stream.events, ({ data, event, id }) => (data ?? event ?? id) === undefined)
        expect(heard.at(-1)).toEqual({})
        stream.abort()
      },
      { limits: { heartbeatMs: 50 } }
    ))

  it("ends when the session is deleted, when the token expires, and when the server stops", () =>
    withLiveServer(async (server) => {
      const { agent, holdfast, run, streams } = server
      const sessionId = await agent()
      const deleted = await open(server, sessionId)
      await run(holdfast.command(sessionId, { type: "session.close", data: {} }))
      await run(holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed"))
      await run(holdfast.remove(sessionId))
      expect((await take(deleted.events, () => false)).at(-1)).toMatchObject({
        event: "gap",
        data: { reason: "removed" }
      })

      const other = await agent()
      const expired = await open(server, other, {}, { expiresIn: 2 })
      expect((await take(expired.events, () => false)).at(-1)).toMatchObject({
        event: "end",
        data: { kind: "unauthenticated" }
      })
      const stopped = await open(server, other)
      await take(stopped.events, isCaughtUp)
      await run(streams.drain("an update", 5_000))
      expect((await take(stopped.events, () => false)).at(-1)).toMatchObject({
        event: "end",
        data: { kind: "unavailable", detail: "an update", retryAfterMs: 5_000 }
      })
      await eventually(() => streams.count() === 0)
    }))

  it("is not there for strangers, and no more often than the limit says", () =>
    withLiveServer(
      async (server) => {
        const sessionId = await server.agent()
        expect((await open(server, sessionId, {}, { org: "another" })).response.status).toBe(404)
        expect((await open(server, sessionId, { authorization: "Bearer nonsense" })).response.status).toBe(401)
        const first = await open(server, sessionId)
        await take(first.events, isCaughtUp)
        expect((await open(server, sessionId)).response.status).toBe(429)
        expect((await open(server, sessionId, {}, { sub: "bea" })).response.status).toBe(200)
        first.abort()
        await eventually(() => server.streams.count() === 1)
        expect((await open(server, sessionId)).response.status).toBe(200)
      },
      { limits: { maxEventStreamsPerParticipant: 1 } }
    ))

  it("holds a page for a reader that stalls and no more, and lets go of one that stalls for too long", () => {
    const log = makeMemory()
    let reads = 0
    const counting = {
      ...log,
      read: (...asked: Parameters<typeof log.read>) => {
        reads++
        return log.read(...asked)
      }
    }
    return withLiveServer(
      async (server) => {
        const { run, shell, streamUrl, streams, token } = server
        const sessionId = await shell("head -c 20000000 /dev/zero | tr '\\\\0' x; read x")
        await run(server.holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= 20_000_000))
        const url = new URL(streamUrl(sessionId))
        const socket = connect(Number(url.port), url.hostname)
        socket.on("error", () => undefined)
        socket.pause()
        socket.write(
          `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${await token()}\r\n\r\n`
        )
        await eventually(() => streams.count() === 1)
        await eventually(() => streams.count() === 0)
        // Twenty megabytes are three hundred pages; what the system's own buffers take is a part of them.
        expect(reads).toBeLessThan(200)
        socket.destroy()
      },
      { log: counting, limits: { stalledMs: 1_000 } }
    )
  })
})
