/** The baseline of the agents' benchmarks: clients that start an agent, read its stream, and keep nothing. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import { codexRelease } from "@holdfast/adapter-codex"
import { opencodeRelease } from "@holdfast/adapter-opencode"
import { findAgent } from "@holdfast/process"
import { Effect } from "effect"

/** An agent behind a bare client. */
export interface BareAgent {
  readonly session: () => Promise<string>
  /** Completes when the turn has. */
  readonly turn: (session: string, prompt: string, onText: (text: string) => void) => Promise<void>
  /** Of the agent's own process. */
  readonly residentMb: () => number
  readonly close: () => Promise<void>
}

/** Where it works, and with which variables besides PATH. */
export interface BareOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

interface Turn {
  readonly onText: (text: string) => void
  readonly done: () => void
}

const residentMb = ({ pid }: ChildProcess): number => {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(line) / 1e3
}

const environment = (env: Readonly<Record<string, string>>) => ({
  PATH: process.env["PATH"],
  HOME: process.env["HOME"],
  ...env
})

/** Codex over the pipes of its app-server. */
export const bareCodex = async ({ cwd, env }: BareOptions): Promise<BareAgent> => {
  const { path } = await Effect.runPromise(findAgent(codexRelease))
  const child = spawn(path, ["app-server"], { env: environment(env), stdio: ["pipe", "pipe", "ignore"] })
  const answers = new Map<number, (result: Record<string, unknown>) => void>()
  const turns = new Map<string, Turn>()
  let ids = 0
  const request = (method: string, params: object) =>
    new Promise<Record<string, unknown>>((resolve) => {
      const id = ++ids
      answers.set(id, resolve)
      child.stdin.write(`${JSON.stringify({ id, method, params })}\n`)
    })
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line) as {
      readonly id?: number
      readonly method?: string
      readonly result?: Record<string, unknown>
      readonly error?: unknown
      readonly params?: { readonly threadId?: string; readonly delta?: string }
    }
    if (message.method === undefined) {
      if (message.error !== undefined) throw new Error(`codex: ${JSON.stringify(message.error)}`)
      answers.get(message.id!)?.(message.result!)
      answers.delete(message.id!)
      return
    }
    const turn = turns.get(message.params?.threadId ?? "")
    if (message.method === "item/agentMessage/delta") turn?.onText(message.params!.delta!)
    if (message.method === "turn/completed") turn?.done()
  })
  await request("initialize", { clientInfo: { name: "bare", version: "1.0.0" } })
  return {
    session: async () => {
      const { thread } = await request("thread/start", { cwd })
      return (thread as { readonly id: string }).id
    },
    turn: async (threadId, text, onText) => {
      const done = new Promise<void>((resolve) => turns.set(threadId, { onText, done: resolve }))
      await request("turn/start", { threadId, input: [{ type: "text", text }] })
      await done
      turns.delete(threadId)
    },
    residentMb: () => residentMb(child),
    close: async () => {
      const exited = once(child, "exit")
      child.stdin.end()
      await exited
    }
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, "close")
  return port
}

/** Opencode over its REST and its event stream. */
export const bareOpencode = async ({ cwd, env }: BareOptions): Promise<BareAgent> => {
  const { path } = await Effect.runPromise(findAgent(opencodeRelease()))
  const port = await freePort()
  const child = spawn(path, ["serve", "--hostname", "127.0.0.1", "--port", String(port)], {
    cwd,
    env: environment(env),
    stdio: ["ignore", "pipe", "ignore"]
  })
  for await (const line of createInterface({ input: child.stdout })) if (line.includes("listening")) break
  child.stdout.resume()
  const url = (path: string) => `http://127.0.0.1:${port}${path}?directory=${encodeURIComponent(cwd)}`
  const post = (path: string, body: object) =>
    fetch(url(path), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  const turns = new Map<string, Turn>()
  const abort = new AbortController()
  const stream = await fetch(url("/event"), { signal: abort.signal })
  const reading = (async () => {
    let rest = ""
    const decoder = new TextDecoder()
    for await (const chunk of stream.body!) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        if (!line.startsWith("data: ")) continue
        const { properties, type } = JSON.parse(line.slice(6)) as {
          readonly type: string
          readonly properties: { readonly sessionID?: string; readonly delta?: string }
        }
        const turn = turns.get(properties.sessionID ?? "")
        if (type === "message.part.delta") turn?.onText(properties.delta!)
        if (type === "session.idle") turn?.done()
      }
    }
    throw new Error("Opencode ended its stream of events")
  })().catch((error: unknown) => {
    // Only our own end is silent: a turn whose stream has failed must not wait for ever.
    if (!abort.signal.aborted) throw error
  })
  return {
    session: async () => ((await (await post("/session", { title: "bare" })).json()) as { readonly id: string }).id,
    turn: async (session, text, onText) => {
      const done = new Promise<void>((resolve) => turns.set(session, { onText, done: resolve }))
      await post(`/session/${session}/prompt_async`, { parts: [{ type: "text", text }] })
      await Promise.race([done, reading])
      turns.delete(session)
    },
    residentMb: () => residentMb(child),
    close: async () => {
      abort.abort()
      const exited = once(child, "exit")
      child.kill("SIGTERM")
      await exited
      await reading
    }
  }
}
