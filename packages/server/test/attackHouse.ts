/** A whole server with sessions worth attacking, and requests as no browser would send them. */
import { ptyBackend } from "@holdfast/adapter-pty"
import { layerMemory, makeSessionId, type Role, type SessionId } from "@holdfast/core"
import { type PlainServer, serve, type ServerOptions } from "@holdfast/server"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { SignJWT } from "jose"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from "node:fs"
import { request, type OutgoingHttpHeaders } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ClientOptions, LiveTestClient } from "./live/LiveTestClient.ts"

/** What a token says. */
export interface Claims {
  readonly sub?: string
  readonly name?: string
  readonly org?: string
  readonly roles?: ReadonlyArray<Role>
  readonly session?: SessionId
  readonly jti?: string
  /** Seconds from now. */
  readonly expiresIn?: number
}

/** What answers that tests look into have, each its part of it. */
export interface AnswerJson {
  readonly kind: string
  readonly detail: string
  readonly status: number
  readonly field: string
  readonly retryAfterMs: number
  readonly paths: { readonly [path: string]: { readonly [method: string]: unknown } }
  readonly sessions: ReadonlyArray<{ readonly sessionId: SessionId }>
  readonly events: ReadonlyArray<{ readonly type: string; readonly actor?: string }>
  readonly token: string
  readonly tokenId: string
  readonly ticket: string
}

/** An answer. */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
  readonly text: string
  /** Empty where it is no JSON. */
  readonly json: AnswerJson
}

/** A request. */
export interface Asked {
  readonly token?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: unknown
  readonly localAddress?: string
}

/** What is under attack. */
export interface AttackHouse {
  readonly server: PlainServer
  /** Ada's organisation's session: a terminal in `workspace`. */
  readonly terminal: SessionId
  /** Ada's organisation's session: an agent. */
  readonly agent: SessionId
  /** Has `note.txt`, and links that lead out. */
  readonly workspace: string
  /** A file beside the workspace. */
  readonly secretFile: string
  readonly token: (claims?: Claims) => Promise<string>
  /** The path is sent as it is. */
  readonly http: (method: string, path: string, asked?: Asked) => Promise<Answer>
  /** A live client that may be refused: look at `closed`. */
  readonly dial: (token: string | undefined, options?: ClientOptions & { readonly query?: string }) => LiveTestClient
  /** A live client that is welcome. */
  readonly connect: (claims?: Claims, options?: ClientOptions) => Promise<LiveTestClient>
  /** Count of events of a session. */
  readonly head: (sessionId: SessionId) => Promise<number>
}

/** What is in the file beside the workspace. */
export const secretText = "the secret beside the workspace"

const secret = "a secret of the tests that has 32 bytes"

/** Opens it, lets a test attack it, and closes it. */
export const withAttackHouse = async (
  attack: (house: AttackHouse) => Promise<void>,
  options: ServerOptions = {}
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-attack-"))
  const workspace = join(folder, "workspace")
  const secretFile = join(folder, "secret.txt")
  mkdirSync(workspace)
  writeFileSync(secretFile, secretText)
  writeFileSync(join(workspace, "note.txt"), "a note")
  symlinkSync(secretFile, join(workspace, "link.txt"))
  symlinkSync(folder, join(workspace, "up"))
  symlinkSync("/", join(workspace, "root"))

  const agents = scriptedBackend({
    name: "agent",
    capabilities: { prompts: true, interrupt: true, permissions: true, questions: true, resume: true, fork: true },
    openings: scriptedAgents()
  })
  const clients: Array<LiveTestClient> = []
  const server = await serve({
    port: 0,
    auth: { kind: "secret", secret, clockSkewSeconds: 0 },
    allowedOrigins: ["https://app.example.org"],
    ...options,
    holdfast: { store: layerMemory, backends: [ptyBackend(), agents] }
  })
  try {
    const { holdfast, port } = server
    const create = async (backend: string, spec: unknown) => {
      const { sessionId } = await holdfast.create({
        backend,
        spec,
        labels: { "holdfast.organisation": "analytical" },
        owner: { participantId: "ada" as never, name: "Ada" }
      })
      await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
      return sessionId
    }
    const terminal = await create("pty", { profile: "command", command: "cat", args: [], cwd: workspace })
    const agent = await create("agent", {})

    const token: AttackHouse["token"] = async (claims = {}) => {
      const { expiresIn = 3_600, ...rest } = claims
      return new SignJWT({ sub: "ada", name: "Ada", org: "analytical", roles: ["owner"], ...rest })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
        .sign(new TextEncoder().encode(secret))
    }

    const http: AttackHouse["http"] = (method, path, { body, headers, localAddress, token: bearer } = {}) =>
      new Promise((resolve, reject) => {
        const sent = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body)
        const asking = request(
          {
            host: "127.0.0.1",
            port,
            method,
            path,
            ...(localAddress === undefined ? {} : { localAddress }),
            headers: {
              ...(sent === undefined ? {} : { "content-type": "application/json" }),
              ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
              ...headers
            }
          },
          (response) => {
            let text = ""
            response.setEncoding("utf8")
            response.on("data", (part: string) => (text += part))
            response.on("error", reject)
            response.on("end", () => {
              const { headers: given, statusCode = 0 } = response
              const isJson = /json/.test(given["content-type"] ?? "")
              resolve({
                status: statusCode,
                headers: given,
                text,
                json: (isJson ? JSON.parse(text) : {}) as AnswerJson
              })
            })
          }
        )
        asking.on("error", reject)
        asking.end(sent)
      })

    const dial: AttackHouse["dial"] = (bearer, { query = "", ...how } = {}) => {
      const client = new LiveTestClient(`ws://127.0.0.1:${port}/api/v1/live${query}`, bearer, how)
      clients.push(client)
      return client
    }
    const connect: AttackHouse["connect"] = async (claims, how) => {
      const client = dial(await token(claims), how)
      await client.message("welcome")
      return client
    }
    const head = async (sessionId: SessionId) => (await holdfast.summary(sessionId)).seq

    await attack({ server, terminal, agent, workspace, secretFile, token, http, dial, connect, head })
  } finally {
    for (const client of clients) client.end()
    await server.close()
    rmSync(folder, { recursive: true })
  }
}

/** A valid body, by method and path of an operation, for each that takes one. */
export const bodies: { readonly [operation: string]: () => unknown } = {
  "POST /api/v1/sessions": () => ({ backend: "agent", spec: {} }),
  "POST /api/v1/sessions/{sessionId}/commands": () => ({ command: { type: "session.rename", data: { title: "x" } } }),
  "POST /api/v1/sessions/{sessionId}/open": () => ({}),
  "POST /api/v1/sessions/{sessionId}/workspace": () => ({ do: "commit", message: "x" }),
  "POST /api/v1/sessions/{sessionId}/handoff": () => ({ backend: "agent", spec: {} }),
  "POST /api/v1/sessions/{sessionId}/rename": () => ({ title: "x" }),
  "POST /api/v1/sessions/{sessionId}/archive": () => ({}),
  "POST /api/v1/sessions/{sessionId}/unarchive": () => ({}),
  "POST /api/v1/sessions/{sessionId}/suspend": () => ({}),
  "POST /api/v1/sessions/{sessionId}/close": () => ({}),
  "POST /api/v1/sessions/{sessionId}/interrupt": () => ({}),
  "POST /api/v1/sessions/{sessionId}/fork": () => ({}),
  "POST /api/v1/sessions/{sessionId}/prompts": () => ({ text: "hello" }),
  "PATCH /api/v1/sessions/{sessionId}/prompts/{promptId}": () => ({ text: "hello" }),
  "POST /api/v1/sessions/{sessionId}/permissions/{requestId}": () => ({
    outcome: { outcome: "selected", optionId: "allow" }
  }),
  "POST /api/v1/sessions/{sessionId}/questions/{requestId}": () => ({ outcome: { outcome: "cancelled" } }),
  "POST /api/v1/sessions/{sessionId}/participants": () => ({ participantId: "eve", name: "Eve", role: "owner" }),
  "PATCH /api/v1/sessions/{sessionId}/participants/{participantId}": () => ({ role: "owner" }),
  "POST /api/v1/sessions/{sessionId}/artifacts": () => ({ artifact: { kind: "url", title: "x" } }),
  "PUT /api/v1/sessions/{sessionId}/artifacts/{artifactId}": () => ({ artifact: { kind: "url", title: "x" } }),
  "PUT /api/v1/sessions/{sessionId}/files/content": () => "written",
  "POST /api/v1/sessions/{sessionId}/files/upload": () =>
    `--edge\r\ncontent-disposition: form-data; name="file"; filename="up.txt"\r\n\r\nuploaded\r\n--edge--\r\n`,
  "POST /api/v1/sessions/{sessionId}/exec": () => ({ command: "true" }),
  "POST /api/v1/auth/start": () => ({ token: "guess" }),
  "POST /api/v1/auth/signout": () => undefined,
  "POST /api/v1/auth/tickets": () => undefined,
  "POST /api/v1/auth/tokens": () => ({ sessionId: makeSessionId(), role: "viewer" })
}

/** One operation of the API, ready to be asked about a session. */
export interface Operation {
  readonly name: string
  readonly method: string
  readonly path: (sessionId: SessionId) => string
  readonly asked: (token?: string) => Asked
}

/** Every operation that the server's own document names. */
export const operationsOf = async ({ http, token }: AttackHouse): Promise<ReadonlyArray<Operation>> => {
  const { json } = await http("GET", "/api/v1/openapi.json", { token: await token() })
  const operations: Array<Operation> = []
  for (const [path, methods] of Object.entries(json.paths)) {
    for (const lower of Object.keys(methods)) {
      const method = lower.toUpperCase()
      const name = `${method} ${path}`
      const query = path.endsWith("/files/content") ? "?path=note.txt" : path.endsWith("/export") ? "?format=txt" : ""
      operations.push({
        name,
        method,
        path: (sessionId) =>
          path
            .replace("{sessionId}", sessionId)
            .replace("{promptId}", makeSessionId())
            .replace("{participantId}", "ada")
            .replace("{tokenId}", `${sessionId}.abc`)
            .replaceAll(/\{\w+\}/g, "some-id") + query,
        asked: (bearer) => {
          const isUpload = path.endsWith("/files/upload")
          const isContent = path.endsWith("/files/content")
          const type = isUpload
            ? "multipart/form-data; boundary=edge"
            : isContent
              ? "application/octet-stream"
              : undefined
          const body = bodies[name]?.()
          return {
            ...(bearer === undefined ? {} : { token: bearer }),
            ...(body === undefined ? {} : { body }),
            ...(type === undefined || method === "GET" ? {} : { headers: { "content-type": type } })
          }
        }
      })
    }
  }
  return operations
}
