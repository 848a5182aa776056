/** The real agents, as far as these tests drive them: a process with an owner, and a client of its protocol. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { globSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { promises as processes } from "@holdfast/process"
import { type AgentHome, type ScriptedModelOptions, startScriptedModel } from "@holdfast/testkit"

/** Milliseconds for anything that is asked of an agent. The slowest is Opencode's first turn: 2 s, and 9 on a loaded machine. */
const patience = 30_000

/** Gives up where an agent does not answer, so that its owner gets to end it. */
const bounded = async <A>(answer: Promise<A>, asked: string): Promise<A> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`No answer to ${asked} within ${patience} ms`)), patience)
  try {
    return await Promise.race([answer, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Begins, and cleans up where that fails. */
const orElse = async <A>(begin: () => Promise<A>, close: () => Promise<void>): Promise<A> => {
  try {
    return await begin()
  } catch (error) {
    await close()
    throw error
  }
}

/** A native program below the installed agents. */
const program = (pattern: string) => {
  const modules = join(process.env["HOLDFAST_AGENTS"] ?? "", "node_modules")
  const [found] = globSync(pattern, { cwd: modules }).toSorted((a, b) => a.length - b.length)
  if (found === undefined) throw new Error(`There is no ${pattern} in ${modules}: run \`npm run agents\``)
  return join(modules, found)
}

/** A folder with an agent's home and a folder to work in, a scripted model, and the agent's process: all gone at the end. */
const surroundings = async (
  options: ScriptedModelOptions,
  writeHome: (folder: string, url: string) => AgentHome,
  launch: (home: AgentHome) => ChildProcess
) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-model-"))
  const model = await startScriptedModel(options)
  const home = writeHome(join(folder, "home"), model.url)
  const child = launch(home)
  const exited = once(child, "exit")
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const identity = await processes.identify(child.pid)
      if (identity !== undefined) await processes.terminateTree({ root: identity }, { signal: "SIGTERM" })
      await exited
    }
    await model.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { folder, model, child, exited, close }
}

interface Notification {
  readonly method: string
  readonly id?: number
  readonly params: {
    readonly item?: { readonly type: string; readonly [field: string]: unknown }
    readonly turn?: { readonly status: string; readonly error: { readonly message: string } | null }
    readonly [field: string]: unknown
  }
}

/** A running `codex app-server` with one thread. */
export const startCodex = async (
  options: ScriptedModelOptions,
  writeHome: (folder: string, url: string) => AgentHome,
  answerRequest: (method: string, params: Notification["params"]) => unknown = () => ({})
) => {
  const codex = program(`@openai/codex-${process.platform}-${process.arch}/vendor/*/bin/codex`)
  const place = await surroundings(options, writeHome, ({ environment, folder }) =>
    spawn(codex, ["app-server"], {
      cwd: dirname(folder),
      env: { PATH: process.env["PATH"], HOME: folder, ...environment },
      stdio: ["pipe", "pipe", "ignore"]
    })
  )
  const { child, close, exited, model } = place
  const waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>()
  let seen: Array<Notification> = []
  let ended = Promise.withResolvers<Notification>()
  let ids = 0
  const write = (message: unknown) => child.stdin?.write(`${JSON.stringify(message)}\n`)
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const message = JSON.parse(line) as Notification & {
      readonly result: Record<string, unknown>
      readonly error?: unknown
    }
    if (message.method === undefined) {
      const call = waiting.get(message.id!)
      waiting.delete(message.id!)
      if (message.error === undefined) call?.resolve(message.result)
      else call?.reject(new Error(JSON.stringify(message.error)))
    } else if (message.id !== undefined)
      write({ id: message.id, result: answerRequest(message.method, message.params) })
    else {
      seen.push(message)
      if (message.method === "turn/completed") ended.resolve(message)
    }
  })
  const call = (method: string, params: unknown) => {
    const answer = Promise.withResolvers<Record<string, unknown>>()
    ids += 1
    waiting.set(ids, answer)
    write({ id: ids, method, params })
    return bounded(answer.promise, method)
  }
  const begin = async () => {
    await call("initialize", { clientInfo: { name: "testkit", version: "1.0.0" } })
    const { thread } = await call("thread/start", {
      cwd: place.folder,
      approvalPolicy: "never",
      sandbox: "danger-full-access"
    })
    return (thread as { readonly id: string }).id
  }
  const threadId = await orElse(begin, close)

  /** Sends a prompt, or a command that makes a turn, and gives what was notified of until its end. */
  const turn = async (method: string, params: Readonly<Record<string, unknown>>) => {
    seen = []
    ended = Promise.withResolvers()
    await call(method, { threadId, ...params })
    const { params: end } = await bounded(ended.promise, `the end of ${method}`)
    const items = seen.flatMap(({ method, params }) => (method === "item/completed" ? [params.item!] : []))
    return { status: end.turn?.status, error: end.turn?.error?.message, items, notified: seen }
  }

  return {
    model,
    folder: place.folder,
    threadId,
    turn,
    prompt: (text: string) => turn("turn/start", { input: [{ type: "text", text }] }),
    [Symbol.asyncDispose]: async () => {
      child.stdin?.end()
      await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 5_000).unref())])
      await close()
    }
  }
}

interface OpencodeMessage {
  readonly info: { readonly id: string; readonly error?: { readonly name: string } }
  readonly parts: ReadonlyArray<{
    readonly type: string
    readonly text?: string
    readonly tool?: string
    readonly state?: { readonly status: string; readonly input: unknown; readonly output: string }
  }>
}

/** A running `opencode serve` with one session. */
export const startOpencode = async (
  options: ScriptedModelOptions,
  writeHome: (folder: string, url: string, searchPath: ReadonlyArray<string>) => AgentHome
) => {
  const opencode = program(`opencode-${process.platform}-${process.arch}*/bin/opencode`)
  const rg = program(`@vscode/ripgrep-${process.platform}-${process.arch}/bin/rg`)
  const place = await surroundings(
    options,
    (folder, url) => writeHome(folder, url, [dirname(rg)]),
    ({ environment, folder }) =>
      spawn(opencode, ["serve", "--port", "0", "--hostname", "127.0.0.1"], {
        cwd: dirname(folder),
        env: environment,
        stdio: ["ignore", "pipe", "ignore"]
      })
  )
  const { child, close, folder, model } = place
  const ready = Promise.withResolvers<string>()
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const [address] = /http:\/\/\S+/.exec(line) ?? []
    if (address !== undefined) ready.resolve(address)
  })
  const url = await orElse(() => bounded(ready.promise, "opencode serve"), close)
  const request = async <A>(method: string, path: string, body?: unknown): Promise<A> => {
    const response = await fetch(`${url}${path}?directory=${encodeURIComponent(folder)}`, {
      method,
      signal: AbortSignal.timeout(patience),
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as A
  }
  const session = await orElse(() => request<{ readonly id: string }>("POST", "/session", {}), close)
  const path = `/session/${session.id}`

  return {
    model,
    folder,
    sessionId: session.id,
    request,
    /** Sends a prompt and gives all parts of the turn when it is over. */
    prompt: async (text: string) => {
      const before = await request<ReadonlyArray<OpencodeMessage>>("GET", `${path}/message`)
      const last = await request<OpencodeMessage>("POST", `${path}/message`, { parts: [{ type: "text", text }] })
      const after = await request<ReadonlyArray<OpencodeMessage>>("GET", `${path}/message`)
      return { error: last.info.error?.name, parts: after.slice(before.length + 1).flatMap(({ parts }) => parts) }
    },
    summarize: () => request("POST", `${path}/summarize`, { providerID: "holdfast", modelID: "scripted-model" }),
    [Symbol.asyncDispose]: close
  }
}
