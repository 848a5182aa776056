/** Plays recorded steps through normalisers, generation by generation, and shows what they told. */
import type { BackendEvent, PermissionOutcome, QuestionOutcome, RequestId } from "@holdfast/core"
import { makeOpencodeNormaliser, type OpencodeNormaliser, type OpencodeReply } from "../src/OpencodeNormaliser.ts"
import type { Step } from "./transcripts.ts"

/** What a step brought. */
export interface Played {
  readonly step: Step
  readonly events: ReadonlyArray<BackendEvent>
  /** To an answer. */
  readonly reply?: OpencodeReply | undefined
  readonly abandoned: ReadonlyArray<OpencodeReply>
}

/** What an answer that was recorded as a request means. */
export const outcomeOf = (step: Extract<Step, { readonly do: "answer" }>): PermissionOutcome | QuestionOutcome => {
  if (step.path.startsWith("/permission/")) return { outcome: "selected", optionId: Object(step.body)["reply"] }
  const { answers } = Object(step.body) as { readonly answers?: ReadonlyArray<ReadonlyArray<string>> }
  if (!Array.isArray(answers)) return { outcome: "cancelled" }
  return { outcome: "answered", answers: Object.fromEntries(answers.map((each, index) => [String(index), each])) }
}

/** A player of one session. */
export const makePlayer = (sessionId: string) => {
  let generation = 1
  const make = (): OpencodeNormaliser =>
    makeOpencodeNormaliser({ sessionId, generation, directory: "/workspace/project" })
  let normaliser = make()
  return {
    normaliser: () => normaliser,
    generation: () => generation,
    play: (step: Step): Played => {
      let events: ReadonlyArray<BackendEvent> = []
      let reply: OpencodeReply | undefined
      switch (step.do) {
        case "take":
          events = normaliser.take(step.event)
          break
        case "expect":
          normaliser.expectPrompt(step.promptId, step.messageId)
          break
        case "answer":
          reply = normaliser.answer(step.requestId as RequestId, outcomeOf(step))
          break
        case "adopt":
          events = normaliser.adopt(step.snapshot)
          break
        case "resync":
          events = normaliser.resync(step.snapshot)
          break
        case "restart":
          generation += 1
          normaliser = make()
          events = normaliser.adopt(step.snapshot)
          break
        case "abort":
      }
      return { step, events, reply, abandoned: normaliser.abandoned() }
    }
  }
}

/** Steps as text: one event a line, ids shortened to their ends, long texts to their beginnings. */
export const show = (played: Iterable<Played>): string => {
  const lines: Array<string> = []
  const requested = new Set<string>()
  for (const { abandoned, events, reply, step } of played) {
    if (step.do === "expect") lines.push(`> prompt ${step.promptId.slice(-4)} as ${shorten(step.messageId)}`)
    if (step.do === "answer" && requested.has(step.requestId))
      lines.push(`> answer ${shorten(step.requestId)}: ${showReply(reply)}`)
    if (step.do === "abort") lines.push("> abort")
    if (step.do === "resync") lines.push("> the stream is back")
    if (step.do === "restart") lines.push("> the server is back")
    for (const event of events) {
      if (event.type === "permission.requested" || event.type === "question.asked") requested.add(event.data.requestId)
      lines.push(showEvent(event))
    }
    for (const one of abandoned) lines.push(`< left behind: ${showReply(one)}`)
  }
  return lines.join("\n")
}

const showReply = (reply: OpencodeReply | undefined): string =>
  reply === undefined ? "not open" : `${shorten(reply.path)} ${showValue(reply.body ?? {})}`

const showEvent = (event: BackendEvent): string => {
  const data = "data" in event ? event.data : {}
  const fields = Object.entries(data).map(([key, value]) => `${key}=${showValue(value)}`)
  return [event.type.padEnd(21), ...fields].join(" ").trimEnd()
}

const showValue = (value: unknown): string => {
  const json = shorten(JSON.stringify(value))
  return json.length > 300 ? `${json.slice(0, 300)}… (${json.length})` : json
}

const shorten = (text: string): string => text.replace(/\b(ses|msg|prt|per|que)_\w*?(\w{4})\b/g, "$1_$2")
