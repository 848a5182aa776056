/** A WebSocket client on a bare network socket, so that what a client's library costs is in no figure. */
import { randomBytes } from "node:crypto"
import { connect, type Socket } from "node:net"

/** What a socket brings. */
export interface RawSocket {
  readonly socket: Socket
  readonly sendText: (text: string) => void
  readonly sendBinary: (bytes: Uint8Array) => void
  /** Ends the connection without a word; resolves once it is closed. */
  readonly destroy: () => Promise<void>
}

const textOpcode = 1
const binaryOpcode = 2

/** A frame as clients send it, with a mask of zeros. */
const frame = (opcode: number, payload: Uint8Array): Buffer => {
  const long = payload.byteLength > 125
  const head = Buffer.alloc(long ? 8 : 6)
  head[0] = 0x80 | opcode
  head[1] = 0x80 | (long ? 126 : payload.byteLength)
  if (long) head.writeUInt16BE(payload.byteLength, 2)
  return Buffer.concat([head, payload])
}

/** Connects and shakes hands. `onFrame` gets each whole frame from the server. */
export const connectRaw = (
  url: string,
  protocols: ReadonlyArray<string>,
  onFrame: (payload: Buffer, isBinary: boolean) => void
): Promise<RawSocket> =>
  new Promise((resolve, reject) => {
    const { host, hostname, pathname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let isOpen = false
    let rest: Buffer | undefined
    const destroy = () =>
      new Promise<void>((done) => {
        socket.once("close", () => done())
        socket.destroy()
      })
    const raw: RawSocket = {
      socket,
      sendText: (text) => void socket.write(frame(textOpcode, Buffer.from(text))),
      sendBinary: (bytes) => void socket.write(frame(binaryOpcode, bytes)),
      destroy
    }
    socket.once("error", reject)
    socket.once("connect", () =>
      socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n` +
          (protocols.length === 0 ? "\r\n" : `Sec-WebSocket-Protocol: ${protocols.join(", ")}\r\n\r\n`)
      )
    )
    socket.on("data", (chunk) => {
      let data = rest === undefined ? chunk : Buffer.concat([rest, chunk])
      rest = undefined
      if (!isOpen) {
        const end = data.indexOf("\r\n\r\n")
        if (end === -1) return void (rest = data)
        const answer = data.subarray(0, end).toString()
        if (!answer.startsWith("HTTP/1.1 101")) {
          reject(new Error(`The server did not upgrade: ${data.toString()}`))
          return void socket.destroy()
        }
        isOpen = true
        socket.off("error", reject)
        socket.on("error", () => undefined)
        resolve(raw)
        data = data.subarray(end + 4)
      }
      let at = 0
      while (data.length - at >= 2) {
        const short = data[at + 1]!
        const head = short < 126 ? 2 : short === 126 ? 4 : 10
        if (data.length - at < head) break
        const length =
          short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2))
        if (data.length - at < head + length) break
        const opcode = data[at]! & 0x0f
        const payload = data.subarray(at + head, at + head + length)
        if (opcode === textOpcode || opcode === binaryOpcode) onFrame(payload, opcode === binaryOpcode)
        at += head + length
      }
      if (at < data.length) rest = data.subarray(at)
    })
  })
