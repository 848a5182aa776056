import { ClientMessage, CloseCode, makeCommandId, makeSessionId, subprotocol, tokenSubprotocol } from "@holdfast/core"
import * as fc from "fast-check"
import { randomBytes } from "node:crypto"
import { connect } from "node:net"
import { describe, expect, it } from "vitest"
import { type LiveServer, withLiveServer } from "./LiveServer.ts"
import type { LiveTestClient } from "./LiveTestClient.ts"

const sessionId = makeSessionId()
const commandId = makeCommandId()

const valid: ReadonlyArray<Record<string, unknown>> = [
  { type: "subscribe", subscription: 1, sessionId, from: { after: 0 }, terminal: "bytes" },
  { type: "unsubscribe", subscription: 1 },
  { type: "credit", subscription: 1, bytes: 100 },
  { type: "list", subscription: 2, query: {} },
  { type: "command", sessionId, commandId, command: { type: "session.rename", data: { title: "x" } } },
  { type: "typing", sessionId, typing: true },
  { type: "authenticate", token: "x" },
  { type: "ping" },
  { type: "pong" }
]

/** Waits until the server has answered what came before, or closed. */
const settled = async (client: LiveTestClient) => {
  client.send({ type: "ping" })
  await client.until(() => client.closed ?? client.messages.some(({ type }) => type === "pong"))
  return client.closed
}

/** A WebSocket without a library: what is written after the handshake is up to the test. Gives the close code that comes. */
const rawCode = async ({ token, url }: LiveServer, bytes: Buffer): Promise<number> => {
  const { host, hostname, pathname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const key = randomBytes(16).toString("base64")
  const protocols = `${subprotocol}, ${tokenSubprotocol}${await token()}`
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${protocols}\r\n\r\n`
  )
  let heard = Buffer.alloc(0)
  let written = false
  socket.on("error", () => undefined)
  socket.on("data", (data) => {
    heard = Buffer.concat([heard, data])
    if (written || !heard.includes('"welcome"')) return
    written = true
    // What is not a whole frame is followed by the end.
    socket.end(bytes)
  })
  await new Promise((resolve) => socket.once("close", resolve))
  // The last frame: opcode 8, its length, and two bytes of code.
  const at = heard.lastIndexOf(0x88)
  return at >= 0 && heard[at + 1]! >= 2 && at + 4 <= heard.length ? heard.readUInt16BE(at + 2) : 0
}

const masked = (opcode: number, payload: Buffer, mask = Buffer.from([1, 2, 3, 4])): Buffer => {
  const length = payload.length < 126 ? [0x80 | payload.length] : [0xfe, payload.length >> 8, payload.length & 0xff]
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length]), mask, payload.map((byte, at) => byte ^ mask[at % 4]!)])
}

describe("what the protocol does not know", () => {
  it("covers every message with an example", () => {
    expect(valid.map(({ type }) => type)).toEqual(ClientMessage.members.map(({ fields }) => fields.type.literal))
  })

  const examples: ReadonlyArray<readonly [what: string, sent: unknown, reason: RegExp]> = [
    ["no JSON", "{", /^message: expected JSON/],
    ["JSON that is no object", "7", /^message: expected an object/],
    ["an unknown type", { type: "shout" }, /^type: expected one of subscribe/],
    ["no type", {}, /^type: /],
    ["a number out of range", { type: "unsubscribe", subscription: 0 }, /^subscription: expected .*1/],
    ["a session id that is none", { ...valid[0], sessionId: "../etc" }, /^sessionId: /],
    ["a beginning that is none", { ...valid[0], from: { before: 3 } }, /^from/],
    ["too much history", { ...valid[0], from: { latest: 1e9 } }, /^from/],
    ["credit of nothing", { type: "credit", subscription: 1, bytes: 0 }, /^bytes: /],
    ["a command id that is none", { ...valid[4], commandId: "1" }, /^commandId: /],
    ["a frame of another kind", Buffer.from([1, 2, 3]), /^frame\.kind: /],
    ["an empty frame", Buffer.alloc(0), /^frame\.kind: /],
    ["keystrokes without a session", Buffer.from([16, 2, 3]), /^frame\.length: /],
    ["keystrokes with ids that are none", Buffer.alloc(40, 16), /^frame\.sessionId: /]
  ]

  it("closes the connection with a reason that names the field", () =>
    withLiveServer(async ({ connect }) => {
      for (const [what, sent, reason] of examples) {
        const client = await connect()
        client.send(sent)
        const closed = await client.close()
        expect({ what, ...closed }).toEqual({
          what,
          code: CloseCode.malformed,
          reason: expect.stringMatching(reason) as string
        })
      }
    }))

  it("has a code of its own where it is too large, or no WebSocket frame", () =>
    withLiveServer(
      async (server) => {
        const client = await server.connect()
        client.send("x".repeat(10_001))
        expect((await client.close()).code).toBe(CloseCode.tooLarge)
        expect(await rawCode(server, masked(1, Buffer.from([0xff, 0xfe])))).toBe(1007)
        expect(await rawCode(server, masked(3, Buffer.from("reserved")))).toBe(1002)
        expect(await rawCode(server, Buffer.from([0x81, 0x02, 0x68, 0x69]))).toBe(1002)
      },
      { limits: { maxMessageBytes: 10_000 } }
    ))

  it("never does more than close its own connection, whatever is sent", () =>
    withLiveServer(async (server) => {
      const witness = await server.connect()
      const codes = [undefined, CloseCode.malformed, CloseCode.unauthenticated]
      const broken = fc
        .tuple(fc.constantFrom(...valid), fc.constantFrom(...new Set(valid.flatMap(Object.keys))), fc.jsonValue())
        .map(([message, field, value]) => JSON.stringify({ ...message, [field]: value }))
      const anything = fc.oneof(
        broken,
        fc.string(),
        fc.json(),
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from([16, ...bytes]))
      )
      await fc.assert(
        fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 20 }), async (sent) => {
          const client = await server.connect()
          for (const one of sent) client.send(one)
          expect(codes).toContain((await settled(client))?.code)
          client.end()
          witness.messages.length = 0
          expect(await settled(witness)).toBeUndefined()
        }),
        { numRuns: 60 }
      )
    }))

  it("never does more than close its own connection, whatever bytes come after the handshake", () =>
    withLiveServer(async (server) => {
      const witness = await server.connect()
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
          const code = await rawCode(server, Buffer.from(bytes))
          expect([0, 1000, 1002, 1005, 1007, 1009, CloseCode.malformed]).toContain(code)
          witness.messages.length = 0
          expect(await settled(witness)).toBeUndefined()
        }),
        { numRuns: 60 }
      )
    }))
})
