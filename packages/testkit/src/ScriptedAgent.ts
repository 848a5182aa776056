/** A small well-behaved agent for scripted backends: it answers prompts by rules that a test can see in the prompt. */
import {
  type BackendEvent,
  type ContentBlock,
  type ItemId,
  type Performed,
  type PromptId,
  type RequestId,
  type TurnId
} from "@holdfast/core"
import { Effect } from "effect"
import type { ScriptedAnswer, ScriptedSession } from "./ScriptedSession.ts"
import { obedient } from "./ScriptedSession.ts"

/** What a prompt's text makes the agent do, beside repeating it as its message. */
export const agentWords = {
  /** Its turn goes on until it is interrupted, or steered with anything else. */
  wait: "wait",
  /** It asks for a permission first, with the options `allow` and `reject`. */
  permission: "ask permission",
  /** It asks the question `colour` first. */
  question: "ask question"
} as const

/** The turn that runs. */
interface RunningTurn {
  readonly turnId: TurnId
  readonly text: string
}

const textOf = (content: ReadonlyArray<ContentBlock>) =>
  content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n")

/**
 * Answers for one session: turns with one message each, permissions, questions, steering, interrupts and forks; typed bytes
 * come back as output. Ids are unique within the session, whatever its generation.
 */
export const scriptedAgent = (): ScriptedAnswer => {
  let count = 0
  let running: RunningTurn | undefined

  const nextId = (session: ScriptedSession, kind: string) => `${kind}-${session.request.generation}-${++count}`

  const finish = (session: ScriptedSession, outcome: "completed" | "interrupted") => {
    if (running === undefined) return
    const { turnId, text } = running
    running = undefined
    const itemId = nextId(session, "item") as ItemId
    const item = { itemId, turnId, kind: "message", role: "agent" } as const
    const said: ReadonlyArray<BackendEvent> =
      outcome === "interrupted"
        ? []
        : [
            { type: "item.started", data: item },
            ...[...text].map((character): BackendEvent => ({
              type: "item.delta",
              data: { itemId, field: "text", text: character }
            })),
            { type: "item.completed", data: { ...item, status: "completed", text } },
            { type: "usage.reported", data: { turnId, usage: { inputTokens: text.length, outputTokens: text.length } } }
          ]
    session.say(...said, { type: "turn.completed", data: { turnId, outcome } })
  }

  const start = (session: ScriptedSession, promptId: PromptId, text: string): Performed => {
    const turnId = nextId(session, "turn") as TurnId
    running = { turnId, text }
    session.say(
      { type: "prompt.delivered", data: { promptId, turnId } },
      { type: "turn.started", data: { turnId, promptId } }
    )
    const requestId = nextId(session, "request") as RequestId
    if (text.includes(agentWords.permission)) {
      const options = [
        { optionId: "allow", name: "Allow", kind: "allow_once" },
        { optionId: "reject", name: "Reject", kind: "reject_once" }
      ] as const
      session.say({ type: "permission.requested", data: { requestId, turnId, title: "Go on?", options } })
    } else if (text.includes(agentWords.question)) {
      const questions = [
        { questionId: "colour", text: "Which colour?", options: [], multiple: false, freeText: true }
      ] as const
      session.say({ type: "question.asked", data: { requestId, turnId, questions } })
    } else if (!text.includes(agentWords.wait)) finish(session, "completed")
    return { turnId }
  }

  return (command, session) => {
    switch (command.type) {
      case "prompt":
        return Effect.sync(() => {
          const text = textOf(command.content)
          if (command.delivery === "queue" || running === undefined) return start(session, command.promptId, text)
          const { turnId } = running
          session.say({ type: "prompt.delivered", data: { promptId: command.promptId, turnId } })
          running = { turnId, text: `${running.text}\n${text}` }
          if (!text.includes(agentWords.wait)) finish(session, "completed")
          return { turnId }
        })
      case "interrupt":
        return Effect.sync(() => {
          if (running?.turnId === command.turnId) finish(session, "interrupted")
          return {}
        })
      case "resolvePermission":
      case "answerQuestion":
        return Effect.sync(() => {
          finish(session, "completed")
          return {}
        })
      case "configure": {
        const { type: _, ...data } = command
        return Effect.sync(() => {
          session.say({ type: "backend.configured", data })
          return {}
        })
      }
      case "fork":
        return Effect.sync(() => ({ nativeId: nextId(session, "native") }))
      case "write":
        return Effect.sync(() => {
          session.say({ type: "terminal.output", bytes: command.bytes })
          return {}
        })
      default:
        return obedient(command, session)
    }
  }
}
