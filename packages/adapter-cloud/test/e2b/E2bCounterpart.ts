/**
 * A COUNTERPART of E2B's API for tests, on loopback: the requests that the provider sends, answered as E2B's OpenAPI
 * description (as it is in the package `e2b` 2.51) and its published sources have it, with sandboxes that are real processes.
 * One server is API and edge: what names a sandbox by `E2b-Sandbox-Id` goes to that sandbox's daemon.
 *
 * Not verified against the service: texts of errors, its limits and their timing, how soon lists know of what was made, and
 * whatever a virtual machine does that processes do not (see {@link file://./CounterpartSandbox.ts}).
 */
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { passOn, resume, unsent } from "./CounterpartEdge.ts"
import { type CounterpartSandbox, type Daemon, startCounterpartSandbox } from "./CounterpartSandbox.ts"

/** What goes wrong with requests, in place of or after what they ask for. */
export interface Fault {
  /** Which requests: `POST /v2/sandboxes`. Of the edge: `edge GET /health`. */
  readonly on: RegExp
  /** How many of them. Default 1. */
  readonly times?: number
  /** `drop` closes the connection, `hang` never answers. */
  readonly answer:
    "drop" | "hang" | { readonly status: number; readonly headers?: Record<string, string>; readonly body: string }
  /** What was asked for is done first. */
  readonly after?: boolean
}

/** A request that came. */
export interface SeenRequest {
  readonly line: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Entry {
  readonly id: string
  readonly templateId: string
  readonly metadata: Readonly<Record<string, string>>
  readonly token: string
  readonly startedAt: number
  endAt: number
  state: "running" | "paused"
  timer: NodeJS.Timeout | undefined
  readonly sandbox: CounterpartSandbox
}

interface Snapshot {
  readonly name: string
  readonly folder: string
  readonly daemons: ReadonlyArray<Daemon>
}

/** Options of {@link startE2bCounterpart}. */
export interface CounterpartOptions {
  readonly apiKey: string
  /** Templates that exist, without snapshots. */
  readonly templates: ReadonlyArray<string>
  /** The longest that a sandbox of this account may live. Default 24 hours. */
  readonly maxLifeMs?: number
  /** Daemons go on in what is restored from a snapshot. Default true, as E2B's do. */
  readonly memory?: boolean
  /** Entries of a page at most. Default 100, E2B's own. */
  readonly pageSize?: number
}

/** The counterpart. */
export interface E2bCounterpart {
  readonly url: string
  readonly requests: Array<SeenRequest>
  readonly inject: (fault: Fault) => void
  /** What the account has. */
  readonly sandboxes: () => ReadonlyArray<{
    readonly id: string
    readonly endAt: number
    readonly metadata: Readonly<Record<string, string>>
  }>
  readonly snapshots: () => ReadonlyArray<string>
  /** Changes when a sandbox ends; past times end it at once. */
  readonly setEnd: (id: string, at: number) => Promise<void>
  /** As somebody does in E2B's dashboard. */
  readonly pause: (id: string) => void
  /** Resolves when so many requests came that fit, of those to come. Default 1. */
  readonly seen: (line: RegExp, times?: number) => Promise<void>
  /** Resolves when no request hangs any more: whoever sent them has gone. */
  readonly released: () => Promise<void>
  readonly close: () => Promise<void>
}

const team = "counterpart"
const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
const shortId = () => `i${Array.from(randomBytes(19), (byte) => letters[byte % letters.length]).join("")}`

class Refusal extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

const json = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value))

const unescape = (text: string) => decodeURIComponent(text.replaceAll("+", " "))

/** As the API filters: the whole is unescaped once more than HTTP does, then each key and value. */
const metadataFilter = (query: string | null) => {
  if (query === null) return []
  return unescape(query)
    .split("&")
    .map((pair) => {
      const parts = pair.split("=")
      if (parts.length !== 2) throw new Refusal(400, "Error parsing metadata: invalid key value pair in query")
      return parts.map(unescape) as [string, string]
    })
}

const reachable = (entry: Entry | undefined) => (entry?.state === "running" ? entry.sandbox.socket : undefined)

/** Starts it on a free port. */
export const startE2bCounterpart = async (options: CounterpartOptions): Promise<E2bCounterpart> => {
  const { maxLifeMs = 24 * 60 * 60_000, memory = true, pageSize = 100 } = options
  const folder = mkdtempSync(join(tmpdir(), "hf-e2b-api-"))
  const entries = new Map<string, Entry>()
  const snapshots = new Map<string, Snapshot>()
  const faults: Array<{ fault: Fault; left: number }> = []
  const requests: Array<SeenRequest> = []
  const waiting = new Set<{ readonly line: RegExp; left: number; readonly resolve: () => void }>()
  const hanging = new Set<ServerResponse>()

  const found = (id: string) => {
    const entry = entries.get(id)
    if (entry === undefined) throw new Refusal(404, `Sandbox "${id}" doesn't exist or you don't have access to it`)
    return entry
  }

  const kill = async (entry: Entry) => {
    clearTimeout(entry.timer)
    entries.delete(entry.id)
    await entry.sandbox.kill()
  }

  const endsAt = (entry: Entry, at: number) => {
    clearTimeout(entry.timer)
    entry.endAt = Math.min(at, entry.startedAt + maxLifeMs)
    entry.timer = setTimeout(() => void kill(entry), entry.endAt - Date.now())
  }

  const create = async (body: {
    readonly templateID?: string
    readonly metadata?: Record<string, string>
    readonly timeout?: number
  }) => {
    const { metadata = {}, templateID = "", timeout = 300 } = body
    const snapshot = snapshots.get(templateID.replace(/:default$/, ""))
    if (snapshot === undefined && !options.templates.includes(templateID)) {
      throw new Refusal(404, `template '${templateID}' not found`)
    }
    if (timeout * 1_000 > maxLifeMs) {
      throw new Refusal(400, `Timeout cannot be greater than ${Math.floor(maxLifeMs / 3_600_000)} hours`)
    }
    const [id, token] = [shortId(), `ea_${randomBytes(24).toString("hex")}`]
    const sandbox = await startCounterpartSandbox(id, token, snapshot?.folder)
    const entry: Entry = {
      id,
      templateId: templateID,
      metadata,
      token,
      startedAt: Date.now(),
      endAt: 0,
      state: "running",
      timer: undefined,
      sandbox
    }
    entries.set(id, entry)
    endsAt(entry, Date.now() + timeout * 1_000)
    if (memory) for (const daemon of snapshot?.daemons ?? []) await resume(sandbox.socket, token, daemon)
    return {
      templateID,
      sandboxID: id,
      clientID: "6532622b",
      envdVersion: "0.6.4",
      envdAccessToken: token,
      domain: null
    }
  }

  const listed = (entry: Entry) => ({
    templateID: entry.templateId,
    sandboxID: entry.id,
    clientID: "6532622b",
    startedAt: new Date(entry.startedAt).toISOString(),
    endAt: new Date(entry.endAt).toISOString(),
    cpuCount: 2,
    memoryMB: 512,
    diskSizeMB: 10_240,
    envdVersion: "0.6.4",
    state: entry.state,
    metadata: entry.metadata
  })

  /** A page, its cursor the place in the list: what is listed is not changed between the pages of a test. */
  const page = (response: ServerResponse, all: ReadonlyArray<unknown>, query: URLSearchParams) => {
    const limit = Math.min(Number(query.get("limit") ?? pageSize), pageSize)
    const from = Number(query.get("nextToken") ?? 0)
    const next = from + limit
    return json(response, 200, all.slice(from, next), next < all.length ? { "x-next-token": String(next) } : {})
  }

  const snapshotInfo = ({ name }: Snapshot) => ({ snapshotID: `${name}:default`, names: [name] })

  const routes: ReadonlyArray<
    readonly [
      RegExp,
      (match: RegExpExecArray, response: ServerResponse, query: URLSearchParams, body: string) => unknown
    ]
  > = [
    [/^POST \/v2\/sandboxes$/, async (_, response, __, body) => json(response, 201, await create(JSON.parse(body)))],
    [
      /^GET \/v2\/sandboxes$/,
      (_, response, query) => {
        const states = query.get("state")?.split(",") ?? ["running", "paused"]
        const wanted = metadataFilter(query.get("metadata"))
        const all = [...entries.values()]
          .filter(
            ({ metadata, state }) => states.includes(state) && wanted.every(([key, value]) => metadata[key] === value)
          )
          .toSorted((one, other) => other.startedAt - one.startedAt)
        return page(response, all.map(listed), query)
      }
    ],
    [
      /^GET \/sandboxes\/([^/]+)$/,
      ([, id], response) => {
        const entry = found(id!)
        return json(response, 200, { ...listed(entry), envdAccessToken: entry.token, domain: null })
      }
    ],
    [
      /^DELETE \/sandboxes\/([^/]+)$/,
      async ([, id], response) => {
        await kill(found(id!))
        return response.writeHead(204).end()
      }
    ],
    [
      /^POST \/sandboxes\/([^/]+)\/timeout$/,
      ([, id], response, _, body) => {
        endsAt(found(id!), Date.now() + Math.max((JSON.parse(body) as { timeout: number }).timeout, 0) * 1_000)
        return response.writeHead(204).end()
      }
    ],
    [
      /^POST \/sandboxes\/([^/]+)\/snapshots$/,
      async ([, id], response, _, body) => {
        const entry = found(id!)
        const { name = shortId() } = JSON.parse(body) as { name?: string }
        if (!/^[a-z0-9-_]+$/.test(name)) throw new Refusal(400, `Invalid name: invalid template ID: ${name}`)
        if (entry.state !== "running")
          throw new Refusal(409, `Sandbox '${id}' cannot be snapshotted while in '${entry.state}' state`)
        const to = mkdtempSync(join(folder, "snapshot-"))
        const snapshot = { name: `${team}/${name}`, folder: to, daemons: await entry.sandbox.store(to) }
        snapshots.set(snapshot.name, snapshot)
        return json(response, 201, snapshotInfo(snapshot))
      }
    ],
    [/^GET \/snapshots$/, (_, response, query) => page(response, [...snapshots.values()].map(snapshotInfo), query)],
    [
      /^DELETE \/templates\/([^/]+)$/,
      ([, id], response) => {
        const snapshot = snapshots.get(decodeURIComponent(id!).replace(/:default$/, ""))
        if (snapshot === undefined) throw new Refusal(404, `Template '${decodeURIComponent(id!)}' not found`)
        snapshots.delete(snapshot.name)
        rmSync(snapshot.folder, { recursive: true })
        return response.writeHead(204).end()
      }
    ]
  ]

  const perform = async (incoming: IncomingMessage, response: ServerResponse, body: Buffer) => {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://api")
    const id = incoming.headers["e2b-sandbox-id"]
    if (typeof id === "string") return passOn(reachable(entries.get(id)), id, incoming, response, body)
    if (incoming.headers["x-api-key"] !== options.apiKey) {
      throw new Refusal(401, `Invalid API key: ${String(incoming.headers["x-api-key"])}`)
    }
    const line = `${incoming.method} ${pathname}`
    for (const [pattern, handle] of routes) {
      const match = pattern.exec(line)
      if (match !== null) return handle(match, response, searchParams, body.toString())
    }
    throw new Refusal(404, `${line} is not part of this counterpart`)
  }

  const server = createServer((incoming, response) => {
    void (async () => {
      const body = Buffer.concat(await incoming.toArray())
      const [path = ""] = (incoming.url ?? "").split("?")
      const line = `${incoming.headers["e2b-sandbox-id"] === undefined ? "" : "edge "}${incoming.method} ${path}`
      requests.push({ line, headers: incoming.headers, body: body.toString("latin1").slice(0, 10_000) })
      const entry = faults.find(({ fault, left }) => left > 0 && fault.on.test(line))
      if (entry !== undefined) entry.left--
      const announce = () => {
        for (const each of waiting) {
          if (!each.line.test(line) || --each.left > 0) continue
          waiting.delete(each)
          each.resolve()
        }
      }
      if (entry === undefined) {
        announce()
        return perform(incoming, response, body)
      }
      const { after, answer } = entry.fault
      // Done, with an answer that nobody gets.
      if (after === true) await perform(incoming, unsent(incoming), body)
      announce()
      if (answer === "drop") return incoming.socket.destroy()
      if (answer === "hang") {
        hanging.add(response)
        return response.once("close", () => hanging.delete(response))
      }
      return response
        .writeHead(answer.status, { "content-type": "application/json", ...answer.headers })
        .end(answer.body)
    })().catch((error: unknown) => {
      const code = error instanceof Refusal ? error.code : 500
      json(response, code, { code, message: error instanceof Error ? error.message : String(error) })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    inject: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    sandboxes: () => [...entries.values()].map(({ endAt, id, metadata }) => ({ id, endAt, metadata })),
    snapshots: () => [...snapshots.keys()],
    setEnd: async (id, at) => {
      if (at <= Date.now()) return kill(found(id))
      endsAt(found(id), at)
    },
    pause: (id) => void (found(id).state = "paused"),
    seen: (line, times = 1) => new Promise((resolve) => void waiting.add({ line, left: times, resolve })),
    released: async () => {
      for (const response of hanging) await new Promise((resolve) => response.once("close", resolve))
    },
    close: async () => {
      for (const response of hanging) response.destroy()
      for (const entry of entries.values()) await kill(entry)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true })
    }
  }
}
