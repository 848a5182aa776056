/** The process of the clients: what they cost is not the server's. It does what it is asked over IPC. */
import { encodeKeystrokes, makeCommandId, type SessionId, subprotocol, tokenSubprotocol } from "@holdfast/core"
import { Agent, request } from "node:http"
import { type Pace, rest } from "./paces.ts"
import { connectRaw, type RawSocket } from "./RawSocket.ts"

/** A subscription of ours; without one it is a bare socket that gets an event a frame. */
export interface Watch {
  readonly sessionId: SessionId
  readonly from: { readonly after: number } | { readonly latest: number }
  readonly terminal: "bytes" | "screen"
}

/** What the clients' process can be asked. */
export type ClientJob =
  /** Connects clients, of which the first `stalled` never read. With a token each, in turn. */
  | {
      readonly do: "open"
      readonly url: string
      readonly tokens: ReadonlyArray<string>
      readonly count: number
      readonly stalled: number
      readonly watch: Watch | undefined
    }
  | { readonly do: "close" }
  /** Types on the first client, and gives the milliseconds that each key took to come back. */
  | ({ readonly do: "type"; readonly sessionId: SessionId | undefined } & Omit<Pace, "name">)
  /** Opens a session on a new client: milliseconds and bytes until its screen is there. */
  | { readonly do: "look"; readonly url: string; readonly tokens: ReadonlyArray<string>; readonly watch: Watch }
  /** Posts one after the other on one connection, and gives the seconds. */
  | {
      readonly do: "post"
      readonly url: string
      readonly token: string | undefined
      readonly bodies: ReadonlyArray<string>
    }

/** What they answer. */
export interface ClientAnswers {
  readonly open: number
  readonly close: number
  readonly type: ReadonlyArray<number>
  readonly look: { readonly ms: number; readonly bytes: number }
  readonly post: number
}

/** Told each time that all clients that read have got so many events more. */
export const progressEvents = 32

/** Bytes after which a client gives credit: half a window. */
const creditBytes = 128 * 1024

const frameKinds = { page: 1, screen: 3 }

interface Client {
  readonly raw: RawSocket
  /** Events that it got. */
  position: number
  unpaid: number
}

let clients: Array<Client> = []
/** How many clients have passed each step of {@link progressEvents}. */
let passed: Array<number> = []
let told = 0
let readers = 0
let onOutput: () => void = () => {}

const advance = (client: Client, to: number) => {
  const before = Math.floor(client.position / progressEvents)
  const after = Math.floor(to / progressEvents)
  client.position = to
  for (let step = before + 1; step <= after; step++) passed[step] = (passed[step] ?? 0) + 1
  const last = told
  while ((passed[told + 1] ?? 0) >= readers) told++
  if (told > last) process.send?.({ progress: told * progressEvents })
}

/** The cursor of a page: the last but one field of its JSON, read without reading the rest. */
const cursorOf = (payload: Buffer): number => {
  const end = 9 + payload.readUInt32BE(5)
  const [, cursor] = /"cursor":(\d+)/.exec(payload.toString("latin1", Math.max(9, end - 60), end)) ?? []
  return Number(cursor)
}

const protocolsOf = (token: string | undefined): ReadonlyArray<string> =>
  token === undefined ? [subprotocol] : [subprotocol, `${tokenSubprotocol}${token}`]

const subscribe = (raw: RawSocket, watch: Watch) =>
  raw.sendText(JSON.stringify({ type: "subscribe", subscription: 1, ...watch }))

const openClient = async (job: Extract<ClientJob, { readonly do: "open" }>, index: number) => {
  const { stalled, tokens, url, watch } = job
  const begin = watch !== undefined && "after" in watch.from ? watch.from.after : 0
  let client: Client | undefined
  let caughtUp = Promise.withResolvers<void>()
  const raw = await connectRaw(
    url,
    watch === undefined ? [] : protocolsOf(tokens[index % tokens.length]),
    (payload, isBinary) => {
      if (!isBinary) {
        const text = payload.toString()
        if (text.startsWith('{"type":"unsubscribed"')) throw new Error(text)
        return
      }
      if (watch === undefined) {
        onOutput()
        return advance(client!, client!.position + 1)
      }
      client!.unpaid += payload.byteLength
      if (client!.unpaid >= creditBytes) {
        raw.sendText(`{"type":"credit","subscription":1,"bytes":${client!.unpaid}}`)
        client!.unpaid = 0
      }
      if (payload[0] !== frameKinds.page) return
      caughtUp.resolve()
      onOutput()
      const cursor = cursorOf(payload)
      if (cursor > begin) advance(client!, cursor - begin)
    }
  )
  client = { raw, position: 0, unpaid: 0 }
  clients.push(client)
  if (watch === undefined) return
  subscribe(raw, watch)
  await caughtUp.promise
  if (index < stalled) raw.socket.pause()
}

const jobs: {
  readonly [D in ClientJob["do"]]: (job: Extract<ClientJob, { readonly do: D }>) => Promise<ClientAnswers[D]>
} = {
  open: async (job) => {
    clients = []
    passed = []
    told = 0
    readers = job.count - job.stalled
    for (let from = 0; from < job.count; from += 50) {
      const some = Array.from({ length: Math.min(50, job.count - from) }, (_, index) => openClient(job, from + index))
      await Promise.all(some)
    }
    return clients.length
  },
  close: async () => {
    await Promise.all(clients.map(({ raw }) => raw.destroy()))
    return clients.length
  },
  type: async ({ everyMs, keys, sessionId, warmUp }) => {
    const { raw } = clients[0]!
    const key = new TextEncoder().encode("a")
    const times: Array<number> = []
    for (let count = 0; count < warmUp + keys; count++) {
      const echoed = new Promise<void>((resolve) => (onOutput = resolve))
      const message = sessionId === undefined ? key : encodeKeystrokes(sessionId, makeCommandId(), key)
      const started = performance.now()
      raw.sendBinary(message)
      await echoed
      times.push(performance.now() - started)
      if (count >= warmUp) await rest({ everyMs })
    }
    onOutput = () => {}
    return times.slice(warmUp)
  },
  look: async ({ tokens, url, watch }) => {
    const shown = Promise.withResolvers<void>()
    let bytes = 0
    const raw = await connectRaw(url, protocolsOf(tokens[0]), (payload, isBinary) => {
      bytes += payload.byteLength
      if (isBinary && payload[0] === frameKinds.screen) shown.resolve()
    })
    const started = performance.now()
    bytes = 0
    subscribe(raw, watch)
    await shown.promise
    const ms = performance.now() - started
    await raw.destroy()
    return { ms, bytes }
  },
  post: async ({ bodies, token, url }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const post = (body: string) =>
      new Promise<void>((resolve, reject) => {
        const headers = {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
        }
        const asked = request(url, { method: "POST", agent, headers }, (answer) => {
          let text = ""
          answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
          answer.on("end", () =>
            answer.statusCode! < 300 ? resolve() : reject(new Error(`${answer.statusCode} ${text}`))
          )
        })
        asked.on("error", reject)
        asked.end(body)
      })
    const started = performance.now()
    for (const body of bodies) await post(body)
    const seconds = (performance.now() - started) / 1000
    agent.destroy()
    return seconds
  }
}

process.on("message", (job: ClientJob) => {
  jobs[job.do](job as never).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) })
  )
})
process.on("disconnect", () => process.exit())
