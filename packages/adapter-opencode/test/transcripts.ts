/** Recorded traffic with a real server (1.18.33), as the steps of the sessions in it. */
import type { PromptId } from "@holdfast/core"
import { readdirSync, readFileSync } from "node:fs"
import type { OpencodeEvent, OpencodeSnapshot } from "../src/OpencodeNormaliser.ts"

const folder = new URL("./transcripts/", import.meta.url)

/** Names of the recordings. */
export const transcriptNames: ReadonlyArray<string> = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.slice(0, -".jsonl".length))
  .toSorted()

/** Something that happened to a session. */
export type Step =
  | { readonly do: "take"; readonly event: OpencodeEvent }
  /** A prompt was sent, and its message came to have this id. */
  | { readonly do: "expect"; readonly promptId: PromptId; readonly messageId: string }
  /** A person answered; the reply is what was really sent. */
  | { readonly do: "answer"; readonly requestId: string; readonly path: string; readonly body: unknown }
  | { readonly do: "abort" }
  /** The session was made. */
  | { readonly do: "adopt"; readonly snapshot: OpencodeSnapshot }
  /** The stream came back after it was away, and the session was read. */
  | { readonly do: "resync"; readonly snapshot: OpencodeSnapshot }
  /** The server died and was started again, and the session was read. */
  | { readonly do: "restart"; readonly snapshot: OpencodeSnapshot }

/** A session of a recording. */
export interface RecordedSession {
  readonly sessionId: string
  readonly steps: ReadonlyArray<Step>
}

/** What of a message of the traffic is looked at. */
interface Traffic {
  readonly type: string
  readonly event?: OpencodeEvent & { readonly payload?: OpencodeEvent }
  readonly id?: number
  readonly method?: string
  readonly path?: string
  readonly status?: number
  readonly body?: unknown
}

interface Line {
  readonly dir: "in" | "out"
  readonly msg: Traffic
}

interface Info {
  readonly id: string
  readonly sessionID?: string
  readonly role?: string
  readonly parentID?: string
}

interface Part {
  readonly sessionID?: string
  readonly messageID: string
  readonly type: string
  readonly time?: unknown
}

/** What an event is about. */
const aboutOf = (line: Line): { readonly info?: Info; readonly part?: Part } => Object(eventOf(line)?.properties)

/** The n-th of a recording's prompts. */
const promptOf = (n: number): PromptId => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}` as PromptId

const eventOf = ({ msg }: Line): OpencodeEvent | undefined =>
  msg.type === "sse" ? (msg.event?.payload ?? msg.event) : undefined

/** Reads a recording. */
export const readTranscript = (name: string): ReadonlyArray<RecordedSession> => {
  const text = readFileSync(new URL(`${name}.jsonl`, folder), "utf8")
  const lines = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line)
  const roots = new Set<string>()
  for (const line of lines) {
    const { info } = aboutOf(line)
    if (eventOf(line)?.type === "session.created" && info !== undefined && info.parentID === undefined)
      roots.add(info.id)
  }
  return [...roots].map((sessionId) => ({ sessionId, steps: stepsOf(lines, sessionId) }))
}

const stepsOf = (lines: ReadonlyArray<Line>, sessionId: string): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  const claimed = new Set<string>(summariesIn(lines))
  const prompting = new Set([`/session/${sessionId}/prompt_async`, `/session/${sessionId}/message`])
  let prompts = 0
  let away: "resync" | "restart" | undefined
  let permissions: ReadonlyArray<unknown> = []
  let buffered: Array<Step> = []

  const sent = (index: number, { body, id, method, path = "" }: Traffic) => {
    const later = lines.slice(index)
    if (method === "POST" && prompting.has(path)) {
      const { msg: answer } = later.find(({ msg }) => msg.type === "http.response" && msg.id === id) ?? {}
      if ((answer?.status ?? 400) >= 400) return
      prompts += 1
      const messageId = newMessage(later, sessionId, claimed) ?? `msg_never_stored_${prompts}`
      claimed.add(messageId)
      steps.push({ do: "expect", promptId: promptOf(prompts), messageId })
    }
    const request = /^\/(?:permission|question)\/([^/]+)\/(?:reply|reject)$/.exec(path)
    if (request !== null) steps.push({ do: "answer", requestId: request[1]!, path, body })
    if (method === "POST" && path === `/session/${sessionId}/abort`) steps.push({ do: "abort" })
  }

  const answered = ({ method, path }: Traffic, body: unknown) => {
    const known = { status: {}, permissions: [], questions: [], messages: {} }
    if (path === "/session" && Object(body)["id"] === sessionId) {
      steps.push({ do: "adopt", snapshot: { ...known, session: body } })
    }
    if (path === "/permission") permissions = body as ReadonlyArray<unknown>
    if (away === undefined || method !== "GET" || path !== `/session/${sessionId}/message`) return
    const status = away === "resync" ? { [sessionId]: { type: "busy" } } : {}
    const messages = { [sessionId]: body as ReadonlyArray<unknown> }
    steps.push({ do: away, snapshot: { ...known, status, permissions, messages } }, ...buffered)
    buffered = []
    away = undefined
  }

  for (const [index, line] of lines.entries()) {
    const { msg } = line
    const event = eventOf(line)
    // What comes before the session was read again is taken after it.
    if (event !== undefined) (away === "resync" ? buffered : steps).push({ do: "take", event })
    if (msg.type === "process.exit") away = "restart"
    if (msg.type === "sse.close") away = "resync"
    if (msg.type === "http.request") sent(index, msg)
    if (msg.type !== "http.response" || msg.status !== 200) continue
    const asked = lines.slice(0, index).findLast((one) => one.msg.type === "http.request" && one.msg.id === msg.id)
    if (asked !== undefined) answered(asked.msg, msg.body)
  }
  return steps
}

/** User messages that ask for a summary: no prompt made them. */
const summariesIn = (lines: ReadonlyArray<Line>): ReadonlyArray<string> =>
  lines.flatMap((line) => {
    const { part } = aboutOf(line)
    return part?.type === "compaction" ? [part.messageID] : []
  })

/** The user message that a request made: the first that was not there before. */
const newMessage = (
  lines: ReadonlyArray<Line>,
  sessionId: string,
  claimed: ReadonlySet<string>
): string | undefined => {
  for (const line of lines) {
    const { info, part } = aboutOf(line)
    if (info?.sessionID === sessionId && info.role === "user" && !claimed.has(info.id)) return info.id
    const isUserText = part?.sessionID === sessionId && part.type === "text" && part.time === undefined
    if (isUserText && !claimed.has(part.messageID)) return part.messageID
  }
  return undefined
}
