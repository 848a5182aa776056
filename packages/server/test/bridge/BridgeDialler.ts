/** A bridge as far as its endpoint sees it, and a gateway that notes what it is told. */
import type { SessionId } from "@holdfast/core"
import {
  type BridgeAdmission,
  type BridgeGateway,
  bridgePath,
  BridgeRefused,
  type BridgeSocket,
  bridgeSubprotocol
} from "@holdfast/core/cloud"
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import { WebSocket } from "ws"

/** What came of dialling: a connection, or the answer before there was one. */
export type Dialled =
  | { readonly ws: WebSocket; readonly closed: Promise<{ readonly code: number; readonly reason: string }> }
  | { readonly status: number; readonly headers: IncomingMessage["headers"]; readonly problem: Record<string, unknown> }

/** How to dial. */
export interface DialOptions {
  readonly token?: string | null
  readonly protocols?: ReadonlyArray<string>
  readonly headers?: Readonly<Record<string, string>>
  readonly path?: string
}

/** Dials. `url` is as a listener says it: `http://…` or `unix:/…`. */
export const dial = (url: string, options: DialOptions = {}): Promise<Dialled> => {
  const { headers, path = bridgePath, protocols = [bridgeSubprotocol], token = "good" } = options
  const target = url.startsWith("unix:")
    ? `ws+unix:${url.slice("unix:".length)}:${path}`
    : `${url.replace(/^http/, "ws")}${path}`
  const ws = new WebSocket(target, [...protocols], {
    perMessageDeflate: false,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers }
  })
  const closed = new Promise<{ readonly code: number; readonly reason: string }>((resolve) =>
    ws.once("close", (code, reason) => resolve({ code, reason: reason.toString() }))
  )
  return new Promise((resolve, reject) => {
    ws.once("open", () => resolve({ ws, closed }))
    ws.once("unexpected-response", (_, response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          problem: JSON.parse(Buffer.concat(chunks).toString())
        })
      )
    })
    ws.once("error", (error) => (/Unexpected server response/.test(error.message) ? undefined : reject(error)))
  })
}

/** Dials, and expects to be let in. */
export const dialIn = async (
  url: string,
  options?: DialOptions
): Promise<Extract<Dialled, { readonly ws: WebSocket }>> => {
  const dialled = await dial(url, options)
  if ("status" in dialled) throw new Error(`not let in: ${dialled.status} ${JSON.stringify(dialled.problem)}`)
  return dialled
}

/** Dials, and expects to be refused. */
export const refusedAt = async (
  url: string,
  options?: DialOptions
): Promise<Extract<Dialled, { readonly status: number }>> => {
  const dialled = await dial(url, options)
  if ("ws" in dialled) {
    dialled.ws.terminate()
    throw new Error("it was let in")
  }
  return dialled
}

/** One thing that the gateway was told. */
export type Told =
  | { readonly on: "text"; readonly text: string }
  | { readonly on: "binary"; readonly bytes: Uint8Array }
  | { readonly on: "close"; readonly code: number; readonly reason: string }

/** A gateway that lets `good` in. */
export interface TestGateway extends BridgeGateway {
  /** The connections that it was handed, in order. */
  readonly sockets: ReadonlyArray<BridgeSocket>
  readonly told: ReadonlyArray<Told>
  /** The next thing that it is told of a kind, from now on or the last one. */
  readonly next: <O extends Told["on"]>(on: O) => Promise<Extract<Told, { readonly on: O }>>
  /** How many tokens it was asked about. */
  readonly asked: () => number
}

/** Makes one. `answer` says what it does about a token; `hear` may throw or hold back. */
export const testGateway = (
  answer: (token: string) => Effect.Effect<void, BridgeRefused> = (token) =>
    token === "good" ? Effect.void : Effect.fail(new BridgeRefused({ why: "unknown", detail: "no such token" })),
  hear: (told: Told, socket: BridgeSocket) => void = () => undefined
): TestGateway => {
  const sockets: Array<BridgeSocket> = []
  const told: Array<Told> = []
  const taken = new Map<string, number>()
  const waiting = new Map<string, Array<(one: Told) => void>>()
  let asked = 0
  const tell = (one: Told, socket: BridgeSocket): void => {
    told.push(one)
    const waiter = waiting.get(one.on)?.shift()
    if (waiter !== undefined) {
      taken.set(one.on, (taken.get(one.on) ?? 0) + 1)
      waiter(one)
    }
    hear(one, socket)
  }
  const admission: BridgeAdmission = {
    sessionId: "ses_bridge" as SessionId,
    generation: 1,
    connect: (socket) => {
      sockets.push(socket)
      return {
        onText: (text) => tell({ on: "text", text }, socket),
        onBinary: (bytes) => tell({ on: "binary", bytes }, socket),
        onClose: (code, reason) => tell({ on: "close", code, reason }, socket)
      }
    }
  }
  return {
    sockets,
    told,
    asked: () => asked,
    admit: (token) => {
      asked++
      return Effect.as(answer(token), admission)
    },
    next: (on) =>
      new Promise((resolve) => {
        const already = told.filter((one) => one.on === on)[taken.get(on) ?? 0]
        if (already === undefined) {
          waiting.set(on, [...(waiting.get(on) ?? []), resolve as (one: Told) => void])
        } else {
          taken.set(on, (taken.get(on) ?? 0) + 1)
          resolve(already as never)
        }
      })
  }
}
