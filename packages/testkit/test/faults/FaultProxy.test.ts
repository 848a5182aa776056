import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import {
  describeSchedule,
  type FaultProxyOptions,
  type FaultSchedule,
  faultSchedule,
  FaultWaitExpired,
  makeFaultProxy,
  makeFaultSchedule,
  type ProxiedConnection,
  startFaultProxy
} from "../../src/index.ts"

interface Heard {
  readonly socket: Socket
  readonly bytes: () => Buffer
  /** Sizes of what came at once. */
  readonly pieces: Array<number>
  readonly ended: Promise<"fin" | "rst">
  readonly until: (length: number) => Promise<void>
}

const hear = (socket: Socket): Heard => {
  const parts: Array<Buffer> = []
  const pieces: Array<number> = []
  let length = 0
  let look = () => {}
  socket.on("data", (bytes: Buffer) => {
    parts.push(bytes)
    pieces.push(bytes.byteLength)
    length += bytes.byteLength
    look()
  })
  const ended = new Promise<"fin" | "rst">((resolve) => {
    socket.once("end", () => resolve("fin"))
    socket.on("error", () => resolve("rst"))
  })
  const until = (wanted: number) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (length >= wanted) resolve()
      }
      look()
    })
  return { socket, bytes: () => Buffer.concat(parts), pieces, ended, until }
}

/** A server that greets its connections, and keeps them in the order in which they came. */
const startTarget = async (greeting?: Buffer) => {
  const sockets: Array<Heard> = []
  let came = () => {}
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(hear(socket))
    if (greeting !== undefined) socket.write(greeting)
    came()
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const nth = (number: number) =>
    new Promise<Heard>((resolve) => {
      came = () => {
        const found = sockets[number - 1]
        if (found !== undefined) resolve(found)
      }
      came()
    })
  const close = async () => {
    for (const { socket } of sockets) socket.destroy()
    server.close()
    await once(server, "close")
  }
  return { port: (server.address() as AddressInfo).port, sockets, nth, [Symbol.asyncDispose]: close }
}

const start = async ({ greeting, ...options }: Omit<FaultProxyOptions, "target"> & { greeting?: Buffer } = {}) => {
  const target = await startTarget(greeting)
  const proxy = await startFaultProxy({ ...options, target: { port: target.port } })
  const clients: Array<Socket> = []
  const dial = (): Heard => {
    const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    clients.push(socket)
    return hear(socket)
  }
  const dispose = async () => {
    for (const client of clients) client.destroy()
    await proxy.close()
    await target[Symbol.asyncDispose]()
  }
  return { target, proxy, dial, [Symbol.asyncDispose]: dispose }
}

const plan = (...connections: FaultSchedule["connections"]): { readonly schedule: FaultSchedule } => ({
  schedule: { connections }
})

const cycle = Buffer.from(Array.from({ length: 251 }, (_, index) => index))
const numbered = (length: number) => Buffer.alloc(length, cycle)
const hashOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")

describe("a fault proxy", () => {
  it("without faults passes every byte and both ends on", async () => {
    await using lab = await start()
    const client = lab.dial()
    const server = await lab.target.nth(1)
    const large = numbered(3_000_000)
    client.socket.end(large)
    assert.strictEqual(await server.ended, "fin")
    assert.strictEqual(hashOf(server.bytes()), hashOf(large))
    // The other direction is still open.
    server.socket.end("answer")
    assert.strictEqual(await client.ended, "fin")
    assert.strictEqual(client.bytes().toString(), "answer")
    await lab.proxy.waitUntil(([connection]) => connection?.phase === "closed")
    assert.deepStrictEqual(lab.proxy.connections(), [
      {
        number: 1,
        phase: "closed",
        up: { passed: large.byteLength, swallowed: 0 },
        down: { passed: 6, swallowed: 0 }
      }
    ])
    assert.deepStrictEqual(lab.proxy.injected, [])
  })

  for (const how of ["fin", "rst"] as const) {
    it(`cuts both sides after exactly so many bytes of one direction (${how})`, async () => {
      await using lab = await start(plan({ down: { end: { after: 1_000, how } } }))
      const client = lab.dial()
      const server = await lab.target.nth(1)
      server.socket.write(numbered(5_000))
      assert.strictEqual(await client.ended, how)
      assert.strictEqual(await server.ended, how)
      if (how === "fin") assert.strictEqual(hashOf(client.bytes()), hashOf(numbered(1_000)))
      assert.deepStrictEqual(lab.proxy.injected, [{ connection: 1, what: how, direction: "down", passed: 1_000 }])
    })
  }

  it("cuts by command, one connection or all", async () => {
    await using lab = await start()
    const [one, two, three] = [lab.dial(), lab.dial(), lab.dial()]
    await lab.proxy.waitUntil((all) => all.length === 3)
    await lab.target.nth(3)
    assert.strictEqual(lab.proxy.cut("rst", 2), 1)
    await Promise.race([one.ended, two.ended, three.ended])
    assert.strictEqual(lab.proxy.connections().filter(({ phase }) => phase === "open").length, 2)
    assert.strictEqual(lab.proxy.cut("fin"), 2)
    assert.deepStrictEqual((await Promise.all([one.ended, two.ended, three.ended])).toSorted(), ["fin", "fin", "rst"])
    assert.strictEqual(lab.proxy.cut("fin", 99), 0)
  })

  it("lets a direction fall silent while the other one goes on, and tells the sender nothing", async () => {
    await using lab = await start(plan({ down: { end: { after: 4, how: "swallow" } } }))
    const client = lab.dial()
    const server = await lab.target.nth(1)
    server.socket.end("heard, and not heard")
    await lab.proxy.waitUntil(([connection]) => connection?.down.swallowed === 16)
    client.socket.write("are you there?")
    await server.until(14)
    assert.strictEqual(client.bytes().toString(), "hear")
    assert.isFalse(client.socket.readableEnded)
    // The silent side's reset is not told either.
    client.socket.end()
    assert.strictEqual(await server.ended, "fin")
  })

  it("stalls a sender once the buffers are full, holding little, and goes on where it stopped", async () => {
    await using lab = await start(plan({ up: { end: { after: 10, how: "stall" } } }))
    const client = lab.dial()
    const server = await lab.target.nth(1)
    const large = numbered(64 * 1024 * 1024)
    let isSent = false
    client.socket.write(large, () => (isSent = true))
    await server.until(10)
    const before = process.memoryUsage().arrayBuffers
    // The other direction works: it takes a round through the proxy, and nothing more of the first one comes.
    server.socket.write("still here")
    await client.until(10)
    assert.strictEqual(server.bytes().byteLength, 10)
    assert.isFalse(isSent)
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 4 * 1024 * 1024)
    lab.proxy.heal()
    await server.until(large.byteLength)
    assert.strictEqual(hashOf(server.bytes()), hashOf(large))
  })

  it("breaks a stream into other pieces, and changes none of its bytes", async () => {
    await using lab = await start(plan({ up: { split: [1, 7, 100] } }))
    const client = lab.dial()
    const server = await lab.target.nth(1)
    client.socket.end(numbered(3_000))
    assert.strictEqual(await server.ended, "fin")
    assert.strictEqual(hashOf(server.bytes()), hashOf(numbered(3_000)))
    // Some may have come together on their way; one read would have taken all of it.
    assert.isAbove(server.pieces.length, 10)
  })

  it("delays and slows, within what the bytes need", async () => {
    await using lab = await start(plan({ up: { delayMs: [80] } }, { up: { bytesPerSecond: 20_000 } }))
    const late = lab.dial()
    const first = await lab.target.nth(1)
    const sent = performance.now()
    late.socket.write("late")
    await first.until(4)
    assert.isAtLeast(performance.now() - sent, 79)

    const slow = lab.dial()
    const second = await lab.target.nth(2)
    const begun = performance.now()
    slow.socket.write(numbered(4_000))
    await second.until(4_000)
    assert.isAtLeast(performance.now() - begun, 170)
    assert.strictEqual(hashOf(second.bytes()), hashOf(numbered(4_000)))
  })

  it("delivers what came on several connections in another order", async () => {
    // Of what waits, always the last to have come.
    await using lab = await start({ schedule: { connections: [], reorder: { windowMs: 600, picks: [3, 2, 1, 0] } } })
    const order: Array<number> = []
    const clients = []
    for (let number = 1; number <= 4; number++) {
      clients.push(lab.dial())
      const { socket } = await lab.target.nth(number)
      socket.on("data", () => order.push(number))
    }
    for (const { socket } of clients) {
      socket.write("x")
      await new Promise((resolve) => setImmediate(resolve))
    }
    await lab.proxy.waitUntil((all) => all.length === 4 && all.every(({ up }) => up.passed === 1))
    await Promise.all(lab.target.sockets.map(({ until }) => until(1)))
    assert.deepStrictEqual(order, [4, 3, 2, 1])
  })

  it("refuses for a time, and then no longer", async () => {
    await using lab = await start()
    lab.proxy.refuse()
    assert.strictEqual(await lab.dial().ended, "rst")
    await lab.proxy.waitUntil((all) => all[0]?.phase === "refused")
    assert.strictEqual(lab.target.sockets.length, 0)
    lab.proxy.heal()
    lab.dial().socket.write("now")
    await (await lab.target.nth(1)).until(3)
    assert.deepStrictEqual(lab.proxy.injected, [{ connection: 1, what: "refused", direction: null, passed: 0 }])
  })

  it("resets a client whose target is not there", async () => {
    await using lab = await start()
    await using nowhere = await startFaultProxy({ target: { port: await unusedPort() } })
    const socket = connect(nowhere.port, "127.0.0.1")
    assert.strictEqual(await hear(socket).ended, "rst")
    await nowhere.waitUntil(([connection]) => connection?.phase === "closed")
    assert.strictEqual(lab.proxy.connections().length, 0)
  })

  it("tells what it was waiting for, and what there was, when a wait expires", async () => {
    await using lab = await start()
    lab.dial()
    await lab.target.nth(1)
    const error = await lab.proxy.waitUntil((all) => all.length === 2, { timeoutMs: 20 }).catch((cause) => cause)
    assert.instanceOf(error, FaultWaitExpired)
    assert.include(error.message, `"number":1`)
  })

  it("rejects a wait with what its condition throws, whoever's bytes it was asked about", async () => {
    await using lab = await start()
    const thrown = new Error("no such connection")
    const waiting = lab.proxy.waitUntil(([connection]) => {
      if (connection !== undefined) throw thrown
      return false
    })
    lab.dial()
    assert.strictEqual(await waiting.catch((cause) => cause), thrown)
    assert.strictEqual((await lab.target.nth(1)).socket.destroyed, false)
  })

  it("names the field of a schedule that is out of its bounds", async () => {
    const error = await startFaultProxy({
      target: { port: 1 },
      schedule: { connections: [{ up: { split: [0] } }] }
    }).catch((cause) => cause)
    assert.match(String(error), /up.*split/su)
  })

  it.live("ends with its scope, connections and all", () =>
    Effect.gen(function* () {
      const target = yield* Effect.acquireRelease(
        Effect.promise(() => startTarget()),
        (started) => Effect.promise(() => started[Symbol.asyncDispose]())
      )
      const client = yield* Effect.scoped(
        Effect.gen(function* () {
          const proxy = yield* makeFaultProxy({ target: { port: target.port } })
          const dialled = hear(connect(proxy.port, "127.0.0.1"))
          yield* Effect.promise(() => target.nth(1))
          return dialled
        })
      )
      yield* Effect.promise(() => client.ended)
      client.socket.destroy()
    })
  )
})

describe("any schedule", () => {
  it("is data, and says itself in words", () => {
    fc.assert(
      fc.property(faultSchedule, (schedule) => {
        assert.deepStrictEqual(JSON.parse(JSON.stringify(schedule)), schedule)
        assert.strictEqual(describeSchedule(schedule).split("\n").length >= schedule.connections.length + 1, true)
      })
    )
    assert.deepStrictEqual(makeFaultSchedule(7), makeFaultSchedule(7))
    assert.notDeepEqual(makeFaultSchedule(7), makeFaultSchedule(8))
  })

  it("never changes, adds or swaps a byte of a direction, and spares those that try often enough", async () => {
    const up = numbered(20_000)
    const down = numbered(30_000)
    await fc.assert(
      fc.asyncProperty(faultSchedule, async (schedule) => {
        await using lab = await start({ schedule, greeting: down })
        const isWhole = (connection: ProxiedConnection) =>
          connection.up.passed === up.byteLength && connection.down.passed === down.byteLength
        for (let number = 1; ; number++) {
          const client = lab.dial()
          client.socket.write(up)
          const tried = (all: ReadonlyArray<ProxiedConnection>) => all.find((one) => one.number === number)
          const isFaulted = () => lab.proxy.injected.some((fault) => fault.connection === number)
          await lab.proxy.waitUntil(
            (all) => {
              const connection = tried(all)
              return connection !== undefined && (connection.phase !== "open" || isWhole(connection) || isFaulted())
            },
            { timeoutMs: 60_000 }
          )
          if (isWhole(tried(lab.proxy.connections())!) && !isFaulted()) {
            // It has been greeted, so the target knows it, and none came after it.
            await Promise.all([client.until(down.byteLength), lab.target.sockets.at(-1)!.until(up.byteLength)])
            assert.isTrue(client.bytes().equals(down))
            assert.isTrue(lab.target.sockets.at(-1)!.bytes().equals(up))
            break
          }
          lab.proxy.cut("rst")
          client.socket.destroy()
          assert.isTrue(client.bytes().equals(down.subarray(0, client.bytes().byteLength)))
        }
        for (const { bytes } of lab.target.sockets) assert.isTrue(bytes().equals(up.subarray(0, bytes().byteLength)))
      }),
      { numRuns: 15 }
    )
  })
})

const unusedPort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
