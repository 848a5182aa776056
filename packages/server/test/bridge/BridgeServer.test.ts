import { layerMemory } from "@holdfast/core"
import { bridgeBounds, BridgeRefused } from "@holdfast/core/cloud"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe } from "vitest"
import {
  type BridgeServerOptions,
  makeBridgeServer,
  type PlainBridgeServer,
  type PlainServer,
  serve,
  serveBridges
} from "../../src/index.ts"
import { dialIn, refusedAt, testGateway, type TestGateway } from "./BridgeDialler.ts"

/** Runs a test against a listener, and ends it after. */
const withBridges = async (
  use: (bridges: PlainBridgeServer, gateway: TestGateway) => Promise<void>,
  given: Partial<BridgeServerOptions> & { readonly gateway?: TestGateway } = {}
): Promise<void> => {
  const { gateway = testGateway(), ...options } = given
  const bridges = await serveBridges({ gateway, ...options })
  try {
    await use(bridges, gateway)
  } finally {
    await bridges.close()
  }
}

const why = (why: BridgeRefused["why"]) =>
  testGateway(() => Effect.fail(new BridgeRefused({ why, detail: `it is ${why}` })))

describe("who may come in", () => {
  it("lets a bridge in whose token is good, and hands its frames over in order", () =>
    withBridges(async ({ connections, url }, gateway) => {
      const { closed, ws } = await dialIn(url)
      assert.strictEqual(connections(), 1)
      ws.send("hello")
      ws.send(Buffer.from([1, 2, 3]))
      ws.send("again")
      assert.strictEqual((await gateway.next("text")).text, "hello")
      assert.deepStrictEqual([...(await gateway.next("binary")).bytes], [1, 2, 3])
      assert.strictEqual((await gateway.next("text")).text, "again")
      const heard = once(ws, "message")
      gateway.sockets[0]!.send("welcome")
      assert.strictEqual(String((await heard)[0]), "welcome")
      ws.close(1000, "done")
      await closed
      assert.deepInclude(await gateway.next("close"), { code: 1000, reason: "done" })
    }))

  it("answers an unknown token with 401, before there is a connection", () =>
    withBridges(async ({ url }, gateway) => {
      const { problem, status } = await refusedAt(url, { token: "guessed" })
      assert.strictEqual(status, 401)
      assert.deepInclude(problem, { kind: "unauthenticated", detail: "no such token" })
      assert.lengthOf(gateway.sockets, 0)
    }))

  it("answers no token, and one that is far too long, with 401 without asking anybody", () =>
    withBridges(async ({ url }, gateway) => {
      assert.strictEqual((await refusedAt(url, { token: null })).status, 401)
      assert.strictEqual((await refusedAt(url, { token: "t".repeat(513) })).status, 401)
      assert.strictEqual(gateway.asked(), 0)
    }))

  it("answers a session that is over with 410, however often it is asked", () =>
    withBridges(
      async ({ url }) => {
        for (let dials = 0; dials < 15; dials++) assert.strictEqual((await refusedAt(url)).status, 410)
      },
      { gateway: why("gone") }
    ))

  it("answers a session that nobody took up yet with 503 and when to dial again, without counting it as a guess", () =>
    withBridges(
      async ({ url }) => {
        for (let dials = 0; dials < 15; dials++) {
          const { headers, problem, status } = await refusedAt(url)
          assert.strictEqual(status, 503)
          assert.strictEqual(headers["retry-after"], "2")
          assert.strictEqual(headers["content-type"], "application/problem+json")
          assert.strictEqual(problem["retryAfterMs"], 2_000)
        }
      },
      { gateway: why("not_ready") }
    ))

  it("tells who guesses tokens to wait, and still lets a good one in", () =>
    withBridges(async ({ url }) => {
      for (let guesses = 0; guesses < 10; guesses++) {
        assert.strictEqual((await refusedAt(url, { token: `guess-${guesses}` })).status, 401)
      }
      const { headers, status } = await refusedAt(url, { token: "guess-10" })
      assert.strictEqual(status, 429)
      assert.isAbove(Number(headers["retry-after"]), 0)
      const { ws } = await dialIn(url)
      ws.terminate()
    }))

  it("does not ask by what name it is called, because a sandbox has its own for its host", () =>
    withBridges(async ({ url }) => {
      const { ws } = await dialIn(url, { headers: { host: "host.docker.internal:4747" } })
      ws.terminate()
    }))

  it("refuses pages, whatever their origin", () =>
    withBridges(async ({ url }, gateway) => {
      const { problem, status } = await refusedAt(url, { headers: { origin: url } })
      assert.strictEqual(status, 403)
      assert.deepInclude(problem, { field: "origin" })
      assert.strictEqual(gateway.asked(), 0)
    }))

  it("takes no connection without the bridge's subprotocol, and says which version it speaks", () =>
    withBridges(async ({ url }) => {
      assert.strictEqual((await refusedAt(url, { protocols: [] })).status, 400)
      assert.strictEqual((await refusedAt(url, { protocols: ["holdfast.v1"] })).status, 400)
      const { problem, status } = await refusedAt(url, { protocols: ["holdfast.bridge.v2"] })
      assert.strictEqual(status, 426)
      assert.match(String(problem["detail"]), /holdfast\.bridge\.v1/)
    }))

  it("has nothing else: other paths and plain requests are answered with 404", () =>
    withBridges(async ({ url }) => {
      assert.strictEqual((await refusedAt(url, { path: "/api/v1/live" })).status, 404)
      const response = await fetch(`${url}/api/v1/bridge`)
      assert.strictEqual(response.status, 404)
      assert.strictEqual(((await response.json()) as { kind: string }).kind, "not_found")
    }))
})

describe("what it costs", () => {
  it("tells a bridge beyond the limit of connections to dial again", () =>
    withBridges(
      async ({ url }) => {
        const first = await dialIn(url)
        assert.strictEqual((await refusedAt(url)).status, 503)
        first.ws.terminate()
        await first.closed
      },
      { maxConnections: 1 }
    ))

  it.effect("looks at so many tokens at once, each for 5 s, and tells the others to dial again", () =>
    Effect.gen(function* () {
      const gateway = testGateway(() => Effect.never)
      const { url } = yield* makeBridgeServer({ gateway, maxAdmitting: 1 })
      const first = refusedAt(url)
      yield* Effect.promise(async () => {
        while (gateway.asked() === 0) await new Promise((resolve) => setImmediate(resolve))
      })
      assert.strictEqual((yield* Effect.promise(() => refusedAt(url))).status, 503)
      yield* TestClock.adjust(5_000)
      const { problem, status } = yield* Effect.promise(() => first)
      assert.strictEqual(status, 503)
      assert.match(String(problem["detail"]), /in time/)
    })
  )

  it("closes with 1009 on a frame of more than 4 MiB, and takes one of just 4 MiB", () =>
    withBridges(async ({ url }, gateway) => {
      const { closed, ws } = await dialIn(url)
      ws.send(Buffer.alloc(bridgeBounds.frameBytes))
      assert.strictEqual((await gateway.next("binary")).bytes.byteLength, bridgeBounds.frameBytes)
      ws.send(Buffer.alloc(bridgeBounds.frameBytes + 1))
      assert.strictEqual((await closed).code, 1009)
      await gateway.next("close")
    }))

  it("reads nothing while the gateway holds the bridge back, and goes on where it stopped", () => {
    const frame = Buffer.alloc(256 * 1024, 7)
    let held = true
    const gateway = testGateway(undefined, (told, socket) => {
      if (told.on === "binary" && held) socket.pause()
    })
    return withBridges(
      async ({ url }) => {
        const { ws } = await dialIn(url)
        const frames = 200
        for (let count = 0; count < frames; count++) ws.send(frame)
        await gateway.next("binary")
        // What the system's buffers take is taken; the rest waits at the sender.
        let waiting = ws.bufferedAmount
        for (let still = 0; still < 20; still = ws.bufferedAmount === waiting ? still + 1 : 0) {
          waiting = ws.bufferedAmount
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        assert.isAbove(waiting, frame.byteLength)
        assert.isBelow(gateway.told.length, frames)
        held = false
        gateway.sockets[0]!.resume()
        for (let count = 1; count < frames; count++) await gateway.next("binary")
        ws.terminate()
      },
      { gateway }
    )
  })

  it("closes a bridge that is held back, too", () =>
    withBridges(async ({ url }, gateway) => {
      const { closed, ws } = await dialIn(url)
      ws.send("one")
      await gateway.next("text")
      gateway.sockets[0]!.pause()
      ws.send("two")
      gateway.sockets[0]!.close(4429, "too much")
      assert.deepStrictEqual(await closed, { code: 4429, reason: "too much" })
      assert.deepInclude(await gateway.next("close"), { code: 4429, reason: "too much" })
      assert.deepStrictEqual(
        gateway.told.filter(({ on }) => on === "text").map((one) => (one as { text: string }).text),
        ["one"]
      )
    }))

  it("answers a bridge's pings", () =>
    withBridges(async ({ url }) => {
      const { ws } = await dialIn(url)
      const pong = once(ws, "pong")
      ws.ping("there?")
      assert.strictEqual(String((await pong)[0]), "there?")
      ws.terminate()
    }))
})

describe("its own faults and ends", () => {
  it("closes with 1011 where the gateway throws, and serves the others", () => {
    const gateway = testGateway(undefined, (told) => {
      if (told.on === "text" && told.text === "bad") throw new Error("a defect of the gateway")
    })
    return withBridges(
      async ({ url }) => {
        const [one, other] = [await dialIn(url), await dialIn(url)]
        one.ws.send("bad")
        assert.strictEqual((await one.closed).code, 1011)
        other.ws.send("good")
        while ((await gateway.next("text")).text !== "good");
        other.ws.terminate()
      },
      { gateway }
    )
  })

  it("answers 500 where the gateway has a fault before the upgrade", () =>
    withBridges(
      async ({ url }) => {
        assert.strictEqual((await refusedAt(url)).status, 500)
      },
      { gateway: testGateway(() => Effect.die(new Error("a defect of the gateway"))) }
    ))

  it("tells bridges to dial again when it stops, and the gateway how each connection ended", async () => {
    const gateway = testGateway()
    const bridges = await serveBridges({ gateway })
    const { closed } = await dialIn(bridges.url)
    const ended = bridges.close()
    assert.strictEqual((await closed).code, 1001)
    await ended
    assert.strictEqual((await gateway.next("close")).code, 1001)
    assert.strictEqual(bridges.connections(), 0)
  })

  it("cuts a bridge that does not answer when it stops", async () => {
    const gateway = testGateway()
    const bridges = await serveBridges({ gateway, stopDeadlineMs: 50 })
    const { closed, ws } = await dialIn(bridges.url)
    ws.pause()
    await bridges.close()
    ws.resume()
    await closed
    await gateway.next("close")
  })

  it("says which option is not valid", async () => {
    const gateway = testGateway()
    for (const [field, options] of [
      ["bridges.maxConnections", { maxConnections: 0 }],
      ["bridges.maxAdmitting", { maxAdmitting: 1.5 }],
      ["socket", { socket: `/tmp/${"s".repeat(120)}` }]
    ] as const) {
      const error = await serveBridges({ gateway, ...options }).catch((error: unknown) => error)
      assert.deepInclude(error, { _tag: "ServerOptionsInvalid", field })
    }
  })
})

describe("on a server's port", () => {
  const withServer = async (use: (server: PlainServer, gateway: TestGateway) => Promise<void>): Promise<void> => {
    const gateway = testGateway()
    const server = await serve({
      holdfast: { store: layerMemory, backends: [] },
      port: 0,
      auth: { kind: "secret", secret: "a secret of the tests that has 32 bytes" },
      bridges: { gateway }
    })
    try {
      await use(server, gateway)
    } finally {
      await server.close()
    }
  }

  it("lets bridges in by whatever name they call it, while everything else keeps its guards", () =>
    withServer(async ({ url }, gateway) => {
      const headers = { host: "host.docker.internal:4747" }
      const { ws } = await dialIn(url, { headers })
      ws.send("hello")
      assert.strictEqual((await gateway.next("text")).text, "hello")
      ws.terminate()
      assert.strictEqual((await refusedAt(url, { path: "/api/v1/live", headers })).status, 403)
      assert.strictEqual((await refusedAt(url, { token: "guessed", headers })).status, 401)
    }))

  it("takes a sandbox's token for nothing but its bridge", () =>
    withServer(async ({ url }) => {
      const asked = await fetch(`${url}/api/v1/sessions`, { headers: { authorization: "Bearer good" } })
      assert.strictEqual(asked.status, 401)
      assert.strictEqual((await refusedAt(url, { path: "/api/v1/live", protocols: ["holdfast.v1"] })).status, 401)
    }))

  it("tells bridges to dial again when it stops", () =>
    withServer(async (server) => {
      const { closed } = await dialIn(server.url)
      await server.close()
      assert.strictEqual((await closed).code, 1001)
    }))

  it("has no such place without a gateway", async () => {
    await using server = await serve({ holdfast: { store: layerMemory, backends: [] }, port: 0 })
    assert.strictEqual((await refusedAt(server.url)).status, 404)
  })

  it("says that a gateway is needed where bridges are to be taken", async () => {
    const error = await serve({
      holdfast: { store: layerMemory, backends: [] },
      port: 0,
      bridges: {} as never
    }).catch((error: unknown) => error)
    assert.deepInclude(error, { _tag: "ServerOptionsInvalid", field: "bridges.gateway" })
  })
})

describe("on a Unix socket", () => {
  const inFolder = async (use: (socket: string, folder: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-bridges-"))
    try {
      await use(join(folder, "b.sock"), folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it("lets bridges in that dial there, and nobody but its user near it", () =>
    inFolder((socket) =>
      withBridges(
        async ({ port, url }, gateway) => {
          assert.strictEqual(url, `unix:${socket}`)
          assert.strictEqual(port, 0)
          assert.strictEqual(statSync(socket).mode & 0o777, 0o600)
          const { ws } = await dialIn(url)
          ws.send("hello")
          assert.strictEqual((await gateway.next("text")).text, "hello")
          ws.terminate()
        },
        { socket }
      )
    ))

  it("takes the place of a socket that was left behind, and never of one that is listened on or of a file", () =>
    inFolder(async (socket, folder) => {
      const { spawnSync } = await import("node:child_process")
      const listening = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9))`
      spawnSync(process.execPath, ["-e", listening, socket])
      assert.isTrue(statSync(socket).isSocket())
      await withBridges(async ({ url }) => (await dialIn(url)).ws.terminate(), { socket })

      const other = createServer().listen(socket)
      await once(other, "listening")
      const taken = await serveBridges({ gateway: testGateway(), socket }).catch((error: unknown) => error)
      assert.deepInclude(taken, { _tag: "ListenFailed", code: "EADDRINUSE", socket })
      await new Promise((resolve) => other.close(resolve))

      const file = join(folder, "notes")
      writeFileSync(file, "keep me")
      const inTheWay = await serveBridges({ gateway: testGateway(), socket: file }).catch((error: unknown) => error)
      assert.deepInclude(inTheWay, { _tag: "ListenFailed" })
      assert.strictEqual(statSync(file).size, 7)
    }))
})
