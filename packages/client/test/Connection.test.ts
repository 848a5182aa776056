import { problem } from "@holdfast/core"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { fakeServer, type FakeServer } from "./FakeServer.ts"

const second = 1_000
const minute = 60 * second

let server: FakeServer

const phase = () => server.client.connection.current.phase
const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 })
  // The whole pause, so that times can be told.
  vi.spyOn(Math, "random").mockReturnValue(1)
})

afterEach(async () => {
  const closing = server.client.close()
  await elapse(2 * second)
  await closing
  vi.restoreAllMocks()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe("a connection", () => {
  it("is made to the live endpoint with the protocol's name and the token beside it, never in the address", async () => {
    server = fakeServer({ url: "https://holdfast.test/behind/", token: "a.b.c" })
    await elapse(0)
    assert.strictEqual(server.socket().url, "wss://holdfast.test/behind/api/v1/live")
    assert.deepStrictEqual(server.socket().protocols, ["holdfast.v1", "holdfast.token.a.b.c"])
  })

  it("tries again with pauses that double up to the longest, and says how often and when", async () => {
    server = fakeServer({ fetch: () => Promise.reject(new TypeError("refused")) })
    await elapse(0)
    assert.strictEqual(phase(), "connecting")
    const pauses: Array<number> = []
    for (let attempt = 1; attempt <= 9; attempt++) {
      assert.strictEqual(server.sockets.length, attempt)
      server.socket().drop()
      await elapse(0)
      const state = server.client.connection.current
      assert.strictEqual(state.phase, "reconnecting")
      assert.strictEqual(state.attempt, attempt)
      const pause = state.retryAt! - Date.now()
      pauses.push(pause)
      await elapse(pause)
    }
    assert.deepStrictEqual(pauses, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
  })

  it("waits a random part of the pause, so that clients do not come back together", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5)
    server = fakeServer()
    await elapse(0)
    server.socket().drop()
    await elapse(0)
    assert.strictEqual(server.client.connection.current.retryAt! - Date.now(), 125)
  })

  it("begins with the shortest pause again after a minute of health, and not before", async () => {
    server = fakeServer()
    await elapse(0)
    for (let failure = 0; failure < 3; failure++) {
      server.socket().drop()
      await elapse(0)
      await elapse(server.client.connection.current.retryAt! - Date.now())
    }
    server.socket().welcome()
    await elapse(10 * second)
    server.socket().say({ type: "ping" })
    server.socket().drop()
    assert.strictEqual(server.client.connection.current.retryAt! - Date.now(), 2000)
    await elapse(2 * second)
    server.socket().welcome({ heartbeatMs: 10 * minute })
    await elapse(minute)
    server.socket().drop()
    assert.strictEqual(server.client.connection.current.retryAt! - Date.now(), 250)
    assert.strictEqual(server.client.connection.current.attempt, 0)
  })

  it("gives up one on which no welcome comes", async () => {
    server = fakeServer()
    await elapse(10 * second + 300)
    assert.strictEqual(server.sockets.length, 2)
    assert.match(server.client.connection.current.problem!, /10 seconds/)
  })

  it("says something in each heartbeat, and answers what the server asks", async () => {
    server = fakeServer()
    await elapse(0)
    server.socket().welcome({ heartbeatMs: 10 * second })
    server.socket().say({ type: "ping" })
    assert.strictEqual(server.socket().heard("pong").length, 1)
    for (let beat = 1; beat <= 3; beat++) {
      await elapse(10 * second)
      assert.isAtLeast(server.socket().heard("ping").length, beat)
      server.socket().say({ type: "pong" })
    }
    assert.strictEqual(server.sockets.length, 1)
  })

  it("notices after 2.5 heartbeats of silence that it is dead, and makes another one", async () => {
    server = fakeServer()
    await elapse(0)
    server.socket().welcome({ heartbeatMs: 10 * second })
    await elapse(24 * second)
    assert.strictEqual(phase(), "connected")
    await elapse(second + 1)
    assert.strictEqual(phase(), "reconnecting")
    assert.match(server.client.connection.current.problem!, /nothing was heard/)
    await elapse(250)
    assert.strictEqual(server.sockets.length, 2)
  })

  it("comes back when the server said, where it says that it stops", async () => {
    server = fakeServer()
    await elapse(0)
    server.socket().welcome()
    server.socket().say({ type: "goodbye", reason: "the server stops", retryAfterMs: 5_000 })
    server.socket().drop(1001, "the server stops")
    const { problem: why, retryAt } = server.client.connection.current
    assert.strictEqual(retryAt! - Date.now(), 5_250)
    assert.strictEqual(why, "the server stops")
  })

  it("is offline where the browser says so, and tries at once when it says otherwise", async () => {
    const browser = new EventTarget()
    const network = { onLine: true }
    vi.stubGlobal("navigator", network)
    vi.stubGlobal("addEventListener", browser.addEventListener.bind(browser))
    vi.stubGlobal("removeEventListener", browser.removeEventListener.bind(browser))
    server = fakeServer()
    await elapse(0)
    server.socket().welcome()
    network.onLine = false
    browser.dispatchEvent(new Event("offline"))
    // What a browser says may be wrong: the connection has five seconds to prove it.
    assert.strictEqual(phase(), "connected")
    await elapse(5 * second)
    assert.strictEqual(phase(), "offline")
    const made = server.sockets.length
    network.onLine = true
    browser.dispatchEvent(new Event("online"))
    await elapse(0)
    assert.strictEqual(server.sockets.length, made + 1)
    server.socket().welcome()
    assert.strictEqual(phase(), "connected")
  })

  it("does not wait where the app says so", async () => {
    server = fakeServer({ reconnect: { minMs: minute, maxMs: minute } })
    await elapse(0)
    server.socket().drop()
    await elapse(0)
    server.client.reconnectNow()
    await elapse(0)
    assert.strictEqual(server.sockets.length, 2)
    // Nothing waits: it goes on.
    server.client.reconnectNow()
    await elapse(0)
    assert.strictEqual(server.sockets.length, 2)
  })

  it("is made anew where the server breaks the protocol, and says how", async () => {
    server = fakeServer()
    await elapse(0)
    server.socket().welcome()
    server.socket().say({ type: "receipt" })
    assert.strictEqual(server.sockets[0]!.closedWith, 4400)
    assert.strictEqual(phase(), "reconnecting")
    assert.match(server.client.connection.current.problem!, /commandId/)
    await elapse(250)
    server.socket().welcome()
    // A newer server's, which this version can do without.
    server.socket().say({ type: "weather" })
    assert.strictEqual(phase(), "connected")
  })

  it("does not try again where the server speaks another version, or does not let it in", async () => {
    server = fakeServer()
    await elapse(0)
    server.socket().drop(4426, "get a newer client")
    assert.strictEqual(phase(), "refused")
    assert.strictEqual(server.client.connection.current.problem, "get a newer client")
    await elapse(10 * minute)
    assert.strictEqual(server.sockets.length, 1)
    server.client.reconnectNow()
    await elapse(0)
    assert.strictEqual(phase(), "connecting")
    server.socket().drop(4403, "not from here")
    assert.strictEqual(phase(), "refused")
  })

  it("keeps a listener that throws from breaking others", async () => {
    server = fakeServer()
    const seen: Array<string> = []
    server.client.connection.subscribe(() => {
      throw new Error("mine")
    })
    const stop = server.client.connection.subscribe(() => seen.push(phase()))
    await elapse(0)
    server.socket().welcome()
    assert.deepStrictEqual(seen, ["connecting", "connected"].slice(-seen.length))
    assert.include(seen, "connected")
    assert.isNotEmpty(server.errors)
    stop()
    server.socket().drop()
    assert.notInclude(seen, "reconnecting")
  })
})

describe("a token", () => {
  it("is asked for before each connection", async () => {
    let count = 0
    server = fakeServer({ token: () => `token-${++count}` })
    await elapse(0)
    server.socket().welcome()
    server.socket().drop()
    await elapse(250)
    assert.deepStrictEqual(
      server.sockets.map(({ protocols }) => protocols[1]),
      ["holdfast.token.token-1", "holdfast.token.token-2"]
    )
  })

  it("is replaced on the living connection shortly before it expires, again and again", async () => {
    let count = 0
    server = fakeServer({ token: async () => `token-${++count}` })
    await elapse(0)
    server.socket().welcome({ you: { expiresAt: Date.now() + 10 * minute }, heartbeatMs: 60 * minute })
    await elapse(9 * minute - 1)
    assert.strictEqual(count, 1)
    await elapse(1)
    assert.deepStrictEqual(server.socket().heard("authenticate"), [{ type: "authenticate", token: "token-2" }])
    const you = { ...server.client.connection.current.you!, expiresAt: Date.now() + 2 * minute, name: "Ada L." }
    server.socket().say({ type: "authenticated", you } as never)
    assert.strictEqual(server.client.connection.current.you?.name, "Ada L.")
    // A fifth of a short life before its end.
    await elapse(96 * second)
    assert.strictEqual(server.socket().heard("authenticate").at(-1)?.token, "token-3")
    assert.strictEqual(server.sockets.length, 1)
  })

  it("is asked for again until it is another one", async () => {
    let token = "old"
    let asked = 0
    server = fakeServer({
      token: () => {
        asked++
        return token
      }
    })
    await elapse(0)
    server.socket().welcome({ you: { expiresAt: Date.now() + 10 * minute }, heartbeatMs: 60 * minute })
    await elapse(9 * minute + second)
    assert.strictEqual(asked, 2)
    assert.isEmpty(server.socket().heard("authenticate"))
    token = "new"
    await elapse(15 * second)
    assert.deepStrictEqual(server.socket().heard("authenticate"), [{ type: "authenticate", token: "new" }])
  })

  it("that is refused is asked for once more, and then the client is refused", async () => {
    let count = 0
    server = fakeServer({ token: () => `token-${++count}` })
    await elapse(0)
    server.socket().drop(4401, "expired")
    assert.strictEqual(phase(), "reconnecting")
    await elapse(250)
    assert.strictEqual(count, 2)
    const waiting = server.client.session("019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071").rename("x")
    const refused = assertRejects(waiting, "unauthenticated")
    server.socket().drop(4401, "expired as well")
    assert.strictEqual(phase(), "refused")
    await refused
    await assertRejects(server.client.session("019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071").archive(), "unauthenticated")
  })

  it("that is one text is not tried twice", async () => {
    server = fakeServer({ token: "mine" })
    await elapse(0)
    server.socket().drop(4401, "expired")
    assert.strictEqual(phase(), "refused")
  })

  it("that is refused before the socket opens, where a browser sees no reason, is found out over HTTP", async () => {
    const refusal = problem("unauthenticated", "the token has expired")
    server = fakeServer({ token: "mine", fetch: async () => Response.json(refusal, { status: 401 }) })
    await elapse(0)
    server.socket().drop(1006)
    await elapse(0)
    assert.strictEqual(phase(), "refused")
    assert.strictEqual(server.client.connection.current.problem, "the token has expired")
  })

  it("that cannot be had is asked for again later, and what is wrong is told", async () => {
    let fails = true
    server = fakeServer({
      token: () => {
        if (fails) throw new Error("the login service is down")
        return "t"
      }
    })
    await elapse(0)
    assert.strictEqual(phase(), "reconnecting")
    assert.match(server.client.connection.current.problem!, /login service is down/)
    fails = false
    await elapse(250)
    server.socket().welcome()
    assert.strictEqual(phase(), "connected")
  })
})

const assertRejects = async (promise: Promise<unknown>, kind: string): Promise<void> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason
  )
  assert.propertyVal((error as { readonly problem?: object }).problem ?? {}, "kind", kind)
}
