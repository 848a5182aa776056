/** The recorded conversations with a real `codex app-server` 0.169.0, and their replay through the normaliser. */
import { readdirSync, readFileSync } from "node:fs"
import type { BackendEvent, PermissionOutcome, QuestionOutcome, RequestId } from "@holdfast/core"
import {
  type CodexMessage,
  type CodexNormaliser,
  type CodexReply,
  makeCodexNormaliser
} from "../src/CodexNormaliser.ts"

/** A line of a transcript: `in` came from the server. */
export interface Line {
  readonly dir: "in" | "out"
  readonly msg: { readonly [key: string]: unknown }
}

const folder = new URL("./transcripts/", import.meta.url)

/** Names of the transcripts, without `.jsonl`. */
export const transcriptNames: ReadonlyArray<string> = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.slice(0, -".jsonl".length))
  .toSorted()

/** One transcript, line by line. */
export const readTranscript = (name: string): ReadonlyArray<Line> =>
  readFileSync(new URL(`${name}.jsonl`, folder), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)

/** Whether the server sent it of its own accord: a notification or a request. */
export const isMessage = ({ dir, msg }: Line): boolean => dir === "in" && typeof msg["method"] === "string"

/** The messages of a transcript that a normaliser takes. */
export const messagesOf = (lines: ReadonlyArray<Line>): ReadonlyArray<CodexMessage> =>
  lines.filter(isMessage).map(({ msg }) => msg as unknown as CodexMessage)

/** The threads of a transcript, in the order of their first message. */
export const threadsOf = (messages: ReadonlyArray<CodexMessage>): ReadonlyArray<string> => [
  ...new Set(
    messages.flatMap(({ params }) => {
      const { threadId } = params as { readonly threadId?: string }
      return threadId ?? []
    })
  )
]

/** The host's half of a recorded answer. */
const outcomeOf = (result: unknown): PermissionOutcome | QuestionOutcome => {
  const { action, answers, decision, scope } = result as {
    readonly action?: string
    readonly answers?: { readonly [id: string]: { readonly answers: ReadonlyArray<string> } }
    readonly decision?: string
    readonly scope?: string
  }
  if (answers !== undefined) {
    return {
      outcome: "answered",
      answers: Object.fromEntries(Object.entries(answers).map(([id, one]) => [id, one.answers]))
    }
  }
  return { outcome: "selected", optionId: decision ?? action ?? scope ?? "" }
}

/** What one line brought to one thread. */
export interface Step {
  readonly line: Line
  readonly events: ReadonlyArray<BackendEvent>
  readonly replies: ReadonlyArray<CodexReply>
  /** What our answer to a request was, where the client of the transcript sent one. */
  readonly answer?: CodexReply | undefined
}

/** Replays a transcript as one of its threads sees it, with the answers that were given. */
export const replay = (
  lines: ReadonlyArray<Line>,
  threadId: string,
  each: (step: Step, normaliser: CodexNormaliser) => void
): CodexNormaliser => {
  const normaliser = makeCodexNormaliser({ threadId, generation: 1, cwd: "/workspace" })
  const requestIds = new Map<unknown, RequestId>()
  for (const line of lines) {
    const { id, method, params, result } = line.msg
    if (isMessage(line)) {
      const { events, replies } = normaliser.take(line.msg as unknown as CodexMessage)
      for (const event of events) {
        if (event.type === "permission.requested" || event.type === "question.asked")
          requestIds.set(id, event.data.requestId)
      }
      each({ line, events, replies }, normaliser)
    } else if (line.dir === "out" && method === undefined && result !== undefined) {
      const requestId = requestIds.get(id)
      const answer = requestId === undefined ? undefined : normaliser.answer(requestId, outcomeOf(result))
      each({ line, events: [], replies: [], answer }, normaliser)
    } else if (method === "thread/compact/start" && (params as { readonly threadId?: string }).threadId === threadId) {
      normaliser.expectCompaction()
    }
  }
  return normaliser
}
