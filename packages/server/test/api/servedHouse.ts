/** A whole server with a terminal and an agent, over a log on disk, and requests to it as a client sends them. */
import { ptyBackend } from "@holdfast/adapter-pty"
import type { SessionId, SessionState } from "@holdfast/core"
import { movedWorkspaces } from "@holdfast/git"
import { type PlainServer, serve, type ServerOptions } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** JSON as it came: a test says what it expects of it. */
export type Parsed = ReturnType<typeof JSON.parse>

/** An answer. `json` is undefined where it is none. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Parsed
}

/** What is asked, beside method and path. A body that is no text or bytes is sent as JSON. */
export interface Asking {
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
}

/** The house. */
export interface ServedHouse {
  readonly server: PlainServer
  /** Where terminals run. */
  readonly workspace: string
  /** What the server logged as warnings and errors. */
  readonly logged: ReadonlyArray<string>
  readonly ask: (method: string, path: string, asking?: Asking) => Promise<Answered>
  /** Makes a session over HTTP and waits until it is open. */
  readonly terminal: (command?: string) => Promise<SessionId>
  readonly agent: () => Promise<SessionId>
  readonly until: (sessionId: SessionId, fits: (state: SessionState) => boolean) => Promise<SessionState>
}

const bodyOf = (
  body: unknown
): { readonly sent?: FormData | Uint8Array<ArrayBuffer> | string; readonly type?: string } => {
  if (body === undefined) return {}
  if (body instanceof FormData) return { sent: body }
  if (body instanceof Uint8Array) return { sent: body as Uint8Array<ArrayBuffer>, type: "application/octet-stream" }
  return { sent: typeof body === "string" ? body : JSON.stringify(body), type: "application/json" }
}

/** Opens the house, lets a test live in it, and closes it. */
export const withHouse = async (
  live: (house: ServedHouse) => Promise<void>,
  options: ServerOptions = {}
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-served-"))
  const workspace = join(folder, "workspace")
  mkdirSync(workspace)
  const logged: Array<string> = []
  const agents = scriptedBackend({
    name: "agent",
    capabilities: {
      prompts: true,
      steer: true,
      interrupt: true,
      permissions: true,
      questions: true,
      resume: true,
      fork: true,
      suspend: true,
      workspace: true
    },
    openings: scriptedAgents()
  })
  const server = await serve({
    port: 0,
    ...options,
    holdfast: {
      store: SqliteEventLog.layer({ path: join(folder, "log.db") }),
      backends: [ptyBackend(), agents],
      handoff: { folder: join(folder, "bundles"), workspaces: movedWorkspaces() },
      onLog: (level, message) => logged.push(`${level} ${message}`)
    }
  })
  try {
    const ask: ServedHouse["ask"] = async (method, path, { body, headers } = {}) => {
      const { sent, type } = bodyOf(body)
      const response = await fetch(new URL(path, server.url), {
        method,
        headers: { ...(type === undefined ? {} : { "content-type": type }), ...headers },
        ...(sent === undefined ? {} : { body: sent })
      })
      const text = await response.text()
      const isJson = (response.headers.get("content-type") ?? "").includes("json") && text !== ""
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: isJson && !text.includes("\n") ? JSON.parse(text) : undefined
      }
    }
    const until: ServedHouse["until"] = (sessionId, fits) => server.holdfast.until(sessionId, fits)
    const create = async (backend: string, spec: unknown): Promise<SessionId> => {
      const { json, text } = await ask("POST", "/api/v1/sessions", { body: { backend, spec } })
      if (json?.sessionId === undefined) throw new Error(`no session was made: ${text}`)
      await until(json.sessionId, ({ chart }) => chart.lifecycle !== "opening")
      return json.sessionId
    }
    await live({
      server,
      workspace,
      logged,
      ask,
      until,
      terminal: (command = "cat") =>
        create("pty", { profile: "command", command: "bash", args: ["-c", command], cwd: workspace }),
      agent: () => create("agent", {})
    })
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
}
