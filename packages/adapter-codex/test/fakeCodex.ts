/**
 * An app-server that does what the real one cannot be made to do. A program of its own, run as `codex`: `FAKE_VERSION` is its
 * version, and `FAKE_CODEX` what it does wrong.
 */
import { createInterface } from "node:readline"

/** What it can do wrong, by name. */
export type Fault =
  | "none"
  /** It ends at once. */
  | "crash"
  /** It never answers. */
  | "mute"
  /** It answers `initialize` with an error. */
  | "rude"
  /** It speaks of a thread before it says that there is one. */
  | "hasty"
  /** It prints lines that are no messages, a megabyte of them in one. */
  | "garbage"
  /** It prints a line of 3 MiB in the middle of a turn. */
  | "long line"
  /** It closes its output in the middle of a message, during a turn. */
  | "cut"
  /** It answers nothing any more after the first turn was asked for. */
  | "silence"
  /** It is too busy for each request, twice. */
  | "busy"
  /** Its own requests have the ids of ours, and are of kinds that nobody knows. */
  | "asks"
  /** A turn starts late, and cannot be interrupted before. */
  | "late start"
  /** A turn runs that nobody was told of: prompts steer it. */
  | "hidden turn"
  /** It forgets its threads. */
  | "forgetful"
  /** Its answers are not what they should be. */
  | "nonsense"
  /** It answers requests that nobody made. */
  | "chatter"
  /** It writes 8 MiB of deltas in each turn. */
  | "flood"
  /** It tells of a command that it cannot end yet, when it is asked to the first two times. */
  | "early command"
  /** It tells of a command that it can never end. */
  | "endless command"

const fault = (process.env["FAKE_CODEX"] ?? "none") as Fault

interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly [key: string]: unknown }
  readonly result?: unknown
  readonly error?: unknown
}

const print = (text: string) => process.stdout.write(text)
const send = (message: object) => print(`${JSON.stringify(message)}\n`)
const tell = (method: string, params: object) => send({ method, params, emittedAtMs: 1 })

let threads = 0
let turns = 0
let requests = 0
let silent = false
const refused = new Map<string, number>()
const waiting = new Map<number, (message: Message) => void>()
let started: (() => void) | undefined
let running: string | undefined
let endCommand: (() => void) | undefined
let ends = 0

/** Asks the client, with ids from 0 as the real one; gives the whole response. */
const ask = (method: string, params: object, id = requests++) =>
  new Promise<Message>((resolve) => {
    waiting.set(id, resolve)
    send({ id, method, params })
  })

/** The command of a turn; it is over once it was ended. */
const runCommand = (threadId: string, turnId: string) => {
  const item = { type: "commandExecution", id: `call_${turnId}`, command: "sleep 60", cwd: "/", processId: "1000" }
  const state = { commandActions: [], status: "inProgress", aggregatedOutput: null, exitCode: null, durationMs: null }
  tell("item/started", { threadId, turnId, item: { ...item, ...state } })
  endCommand = () => {
    tell("item/completed", { threadId, turnId, item: { ...item, ...state, status: "failed", exitCode: -1 } })
    finish(threadId, turnId)
  }
}

const say = (threadId: string, turnId: string, text: string) => {
  const item = { type: "agentMessage", id: `msg_${turnId}_${text.length}`, text }
  tell("item/started", { threadId, turnId, item: { ...item, text: "" } })
  tell("item/completed", { threadId, turnId, item })
}

const begin = (threadId: string, turnId: string, clientId: unknown, content: unknown) => {
  running = turnId
  tell("turn/started", { threadId, turn: { id: turnId, status: "inProgress", items: [] } })
  const item = { type: "userMessage", id: `user_${turnId}`, clientId, content }
  tell("item/started", { threadId, turnId, item })
  tell("item/completed", { threadId, turnId, item })
}

const finish = (threadId: string, turnId: string, status = "completed") => {
  running = undefined
  tell("turn/completed", { threadId, turn: { id: turnId, status, items: [], error: null } })
}

const turn = async (threadId: string, turnId: string, params: NonNullable<Message["params"]>) => {
  const { clientUserMessageId: clientId, input } = params
  switch (fault) {
    case "late start":
      started = () => begin(threadId, turnId, clientId, input)
      return
    case "cut":
      begin(threadId, turnId, clientId, input)
      process.stdout.end('{"method":"item/agentMessage/delta","params":{"threadId":"')
      return
    case "silence":
      begin(threadId, turnId, clientId, input)
      silent = true
      return
    case "early command":
    case "endless command":
      begin(threadId, turnId, clientId, input)
      runCommand(threadId, turnId)
      return
  }
  begin(threadId, turnId, clientId, input)
  if (fault === "long line") tell("item/unheardOf", { threadId, turnId, text: "x".repeat(3 * 1024 * 1024) })
  if (fault === "chatter") for (const id of [1, 2, 3, "1", null, 999]) send({ id, result: { turn: { id: "none" } } })
  if (fault === "flood") {
    const item = { type: "agentMessage", id: "flood", text: "" }
    tell("item/started", { threadId, turnId, item })
    for (let sent = 0; sent < 512; sent++) {
      tell("item/agentMessage/delta", { threadId, turnId, itemId: "flood", delta: "x".repeat(16 * 1024) })
    }
    tell("item/completed", { threadId, turnId, item: { ...item, text: "x".repeat(8 * 1024 * 1024) } })
  }
  if (fault === "asks") {
    const answers = await Promise.all([
      ask("item/unheardOf/request", { threadId, turnId }, 4),
      ask("currentTime/read", {}, 5),
      ask("item/tool/call", { threadId: "another", turnId }, 6)
    ])
    say(threadId, turnId, JSON.stringify(answers))
  } else say(threadId, turnId, "Hello")
  finish(threadId, turnId)
}

const opened = (id: string) => ({
  thread: { id, name: null },
  model: "fake",
  approvalPolicy: "untrusted",
  activePermissionProfile: { id: ":workspace" }
})

/** Answers a request; undefined where it has been answered, or is not to be. */
const answer = ({ id, method, params = {} }: Message): object | undefined => {
  const threadId = String(params["threadId"])
  switch (method) {
    case "initialize":
      return fault === "rude"
        ? { error: { code: -32600, message: `Go away. ${"a".repeat(5_000)}` } }
        : { result: { userAgent: "holdfast/not-a-version" } }
    case "thread/start": {
      threads += 1
      if (fault === "hasty") tell("warning", { threadId: `thread-${threads}`, message: "in haste" })
      return { result: opened(`thread-${threads}`) }
    }
    case "thread/resume":
      return { result: opened(threadId) }
    case "thread/turns/list":
    case "model/list":
    case "thread/backgroundTerminals/list":
      return { result: { data: [], nextCursor: null } }
    case "thread/backgroundTerminals/terminate":
      ends += 1
      if (fault === "endless command" || ends <= 2) return { result: { terminated: false } }
      send({ id, result: { terminated: true } })
      endCommand?.()
      return undefined
    case "thread/unsubscribe":
      send({ id, result: { status: "unsubscribed" } })
      tell("thread/closed", { threadId })
      return undefined
    case "turn/start": {
      if (fault === "forgetful") return { error: { code: -32600, message: `thread not found: ${threadId}` } }
      if (fault === "nonsense") return { result: { turn: "soon" } }
      if (fault === "hidden turn") {
        send({ id, result: { turn: { id: "hidden" } } })
        begin(threadId, "hidden", params["clientUserMessageId"], params["input"])
        say(threadId, "hidden", "Steered")
        finish(threadId, "hidden")
        return undefined
      }
      turns += 1
      const turnId = `turn-${turns}`
      send({ id, result: { turn: { id: turnId } } })
      void turn(threadId, turnId, params)
      return undefined
    }
    case "turn/interrupt": {
      if (running !== undefined) {
        finish(threadId, running, "interrupted")
        return { result: {} }
      }
      started?.()
      started = undefined
      return { error: { code: -32600, message: "no active turn to interrupt" } }
    }
    default:
      return { result: {} }
  }
}

const take = (message: Message): void => {
  if (silent || fault === "mute") return
  if (message.method === undefined) {
    if (typeof message.id === "number") waiting.get(message.id)?.(message)
    return
  }
  if (message.id === undefined) return
  const key = JSON.stringify([message.method, message.params])
  const count = refused.get(key) ?? 0
  if (fault === "busy" && count < 2) {
    refused.set(key, count + 1)
    send({ id: message.id, error: { code: -32001, message: "Server overloaded; retry later." } })
    return
  }
  const answered = answer(message)
  if (answered !== undefined) send({ id: message.id, ...answered })
}

if (process.argv.includes("--version")) {
  print(`codex-cli ${process.env["FAKE_VERSION"] ?? "0.169.0"}\n`)
} else if (fault === "crash") {
  process.stderr.write("\u001b[31mthe disk is full\u001b[0m\n")
  process.exitCode = 3
} else {
  if (fault === "garbage") print(`Welcome!\n[1]\n"text"\n{"id":\n${"y".repeat(1024 * 1024)}\n{}\n`)
  const lines = createInterface({ input: process.stdin })
  lines.on("line", (line) => take(JSON.parse(line) as Message))
  lines.on("close", () => process.exit(0))
}
