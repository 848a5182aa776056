/** A small well-behaved agent for scripted backends: it answers prompts by rules that a test can see in the prompt. */
import {
  type BackendCommand,
  type BackendEvent,
  BackendRefused,
  type ContentBlock,
  type DataOf,
  type ItemId,
  type OpenRequest,
  type Performed,
  type PermissionOption,
  type PermissionOutcome,
  type RequestId,
  type TurnId
} from "@holdfast/core"
import { Effect } from "effect"
import type { ScriptedOpening } from "./ScriptedBackend.ts"
import { scriptedNatives, type ScriptedNatives } from "./ScriptedNatives.ts"
import { obedient, type ScriptedAnswer, type ScriptedSession } from "./ScriptedSession.ts"

/** What a prompt's text makes the agent do, beside repeating it as its message. The first that is in the text counts. */
export const agentWords = {
  /** It asks for a permission first, with the options `allow` and `reject`; where it is not allowed no tool runs. */
  permission: "ask permission",
  /** It asks the question `colour` first, and repeats the answer. */
  question: "ask question",
  /** It fails for good. */
  refuse: "be refused",
  /** It fails in a way that may be tried again. */
  overload: "be overloaded",
  /** It tells that it tries again before it answers. */
  retry: "try twice",
  /** It repeats all that it was told in its session, in place of the prompt. */
  recall: "recall",
  /** It runs a tool that goes on until it is stopped or its turn is interrupted. */
  longTool: "run on",
  /** It says its prompt at once, and its turn goes on until it is interrupted, or steered with anything else. */
  begin: "begin and wait",
  /** Its turn goes on until it is interrupted, or steered with anything else. */
  wait: "wait",
  /** It runs a tool before it answers; where it asks for a permission, once it is allowed. The tool's output is the prompt. */
  tool: "run a tool",
  /** The same, with exit code 3. */
  failingTool: "run a failing tool",
  /** It runs two tools before it answers. Their outputs are the last two words of the prompt. */
  parallelTools: "run two tools"
} as const

const permissionOptions: ReadonlyArray<PermissionOption> = [
  { optionId: "allow", name: "Allow", kind: "allow_once" },
  { optionId: "reject", name: "Reject", kind: "reject_once" }
]

type Prompt = Extract<BackendCommand, { readonly type: "prompt" }>
type Workspace = Extract<BackendCommand, { readonly type: "workspace" }>

/** The turn that runs. */
interface RunningTurn {
  readonly turnId: TurnId
  text: string
  /** The item that goes on until the turn ends, or it is stopped. */
  open?: DataOf<"item.started">
  request?: RequestId
}

const textOf = (content: ReadonlyArray<ContentBlock>) =>
  content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n")

const failure = (isRetryable: boolean) => ({
  message: isRetryable ? "the model is overloaded" : "the model refuses",
  code: isRetryable ? "overloaded" : "refused",
  retryable: isRetryable
})

/** Openings of agents whose sessions can be resumed and branched: they share what they remember. */
export const scriptedAgents = (): ((request: OpenRequest) => ScriptedOpening) => {
  const natives = scriptedNatives()
  return (request) => {
    const { nativeId, turns } = natives.open(request)
    const known = new Set(turns.flatMap(({ promptIds }) => promptIds))
    return {
      nativeId,
      arrived: request.inDoubt.filter((promptId) => known.has(promptId)),
      answer: scriptedAgent(natives, nativeId)
    }
  }
}

/**
 * Answers for one session: turns with messages and tool calls, permissions, questions, steering, interrupts, forks, reverts;
 * typed bytes come back as output. Ids are unique within the session, whatever its generation. It remembers what it was told
 * in `natives`, by default only for this opening.
 */
export const scriptedAgent = (natives: ScriptedNatives = scriptedNatives(), nativeId = "native"): ScriptedAnswer => {
  let count = 0
  let running: RunningTurn | undefined
  let commits = 0

  const nextId = (session: ScriptedSession, kind: string) => `${kind}-${session.request.generation}-${++count}`

  const end = (session: ScriptedSession, turn: RunningTurn, outcome: Omit<DataOf<"turn.completed">, "turnId">) => {
    running = undefined
    if (turn.open !== undefined) {
      const { text: _, ...item } = turn.open
      session.say({ type: "item.completed", data: { ...item, status: "interrupted", partial: true } })
    }
    session.say({ type: "turn.completed", data: { turnId: turn.turnId, ...outcome } })
  }

  const runTool = (session: ScriptedSession, { turnId }: RunningTurn, output: string, exitCode: number) => {
    const itemId = nextId(session, "item") as ItemId
    const call = { name: "shell", kind: "execute", input: { command: output } } as const
    const item = { itemId, turnId, kind: "tool_call" } as const
    const status = exitCode === 0 ? ("completed" as const) : ("failed" as const)
    session.say(
      { type: "item.started", data: { ...item, tool: { ...call, status: "in_progress" } } },
      { type: "item.delta", data: { itemId, field: "output", text: output } },
      { type: "item.completed", data: { ...item, status, output, tool: { ...call, status, exitCode } } }
    )
  }

  const finish = (
    session: ScriptedSession,
    turn: RunningTurn,
    more: { readonly tools: boolean; readonly also?: string }
  ) => {
    const { text, turnId } = turn
    if (more.tools && text.includes(agentWords.parallelTools)) {
      for (const word of text.split(/\s+/).slice(-2)) runTool(session, turn, word, 0)
    } else if (more.tools && text.includes(agentWords.failingTool)) runTool(session, turn, text, 3)
    else if (more.tools && text.includes(agentWords.tool)) runTool(session, turn, text, 0)

    if (turn.open?.kind === "tool_call") {
      const { tool, ...item } = turn.open
      const status = "failed"
      delete turn.open
      session.say({ type: "item.completed", data: { ...item, status, tool: { ...tool!, status, exitCode: null } } })
    }
    const { open } = turn
    const itemId = open?.itemId ?? (nextId(session, "item") as ItemId)
    const item = { itemId, turnId, kind: "message", role: "agent" } as const
    const known = natives.get(nativeId).turns.map((one) => one.text)
    const said = [text.includes(agentWords.recall) ? known.join("\n") : text, ...(more.also ? [more.also] : [])].join(
      "\n"
    )
    const before = open?.text ?? ""
    delete turn.open
    session.say(
      ...(open === undefined ? [{ type: "item.started" as const, data: item }] : []),
      ...Array.from(said.slice(before.length), (character): BackendEvent => ({
        type: "item.delta",
        data: { itemId, field: "text", text: character }
      })),
      { type: "item.completed", data: { ...item, status: "completed", text: said } },
      { type: "usage.reported", data: { turnId, usage: { inputTokens: text.length, outputTokens: said.length } } }
    )
    end(session, turn, { outcome: "completed" })
  }

  const begin = (session: ScriptedSession, turn: RunningTurn) => {
    const { text, turnId } = turn
    const requestId = nextId(session, "request") as RequestId
    switch (Object.values(agentWords).find((word) => text.includes(word))) {
      case agentWords.permission:
        turn.request = requestId
        session.say({
          type: "permission.requested",
          data: { requestId, turnId, title: "Go on?", options: permissionOptions }
        })
        break
      case agentWords.question: {
        turn.request = requestId
        const questions = [
          { questionId: "colour", text: `Which colour? (${text})`, options: [], multiple: false, freeText: true }
        ]
        session.say({ type: "question.asked", data: { requestId, turnId, questions } })
        break
      }
      case agentWords.refuse:
      case agentWords.overload:
        end(session, turn, { outcome: "failed", error: failure(text.includes(agentWords.overload)) })
        break
      case agentWords.retry:
        session.say({ type: "turn.retrying", data: { turnId, attempt: 1, error: failure(true) } })
        finish(session, turn, { tools: true })
        break
      case agentWords.longTool: {
        const tool = { name: "shell", kind: "execute", status: "in_progress", input: { command: text } } as const
        turn.open = { itemId: nextId(session, "item") as ItemId, turnId, kind: "tool_call", tool }
        session.say({ type: "item.started", data: turn.open })
        break
      }
      case agentWords.begin:
        turn.open = { itemId: nextId(session, "item") as ItemId, turnId, kind: "message", role: "agent", text }
        session.say({ type: "item.started", data: turn.open })
        break
      case agentWords.wait:
        break
      default:
        finish(session, turn, { tools: true })
    }
  }

  const refused = (command: BackendCommand["type"], reason: string) =>
    Effect.fail(new BackendRefused({ backend: "scripted", command, reason, retryable: false }))

  const take = (session: ScriptedSession, command: Prompt): Performed => {
    const text = textOf(command.content)
    const steered = command.delivery === "steer" ? running : undefined
    const { reverted: _, turns, ...native } = natives.get(nativeId)
    if (steered === undefined) {
      const turn: RunningTurn = { turnId: nextId(session, "turn") as TurnId, text }
      const { turnId } = turn
      running = turn
      natives.set({
        ...native,
        turns: [...turns, { turnId, promptIds: [command.promptId], text }],
        reverted: undefined
      })
      session.say(
        { type: "prompt.delivered", data: { promptId: command.promptId, turnId } },
        { type: "turn.started", data: { turnId, promptId: command.promptId } }
      )
      begin(session, turn)
      return { turnId }
    }
    const { turnId } = steered
    steered.text += `\n${text}`
    const promptIds = [...(turns.at(-1)?.promptIds ?? []), command.promptId]
    natives.set({
      ...native,
      turns: [...turns.slice(0, -1), { turnId, promptIds, text: steered.text }],
      reverted: undefined
    })
    session.say({ type: "prompt.delivered", data: { promptId: command.promptId, turnId } })
    if (!text.includes(agentWords.wait)) finish(session, steered, { tools: false })
    return { turnId }
  }

  /** Ends the request that waits; false where it is another, or none. */
  const resolved = (requestId: RequestId): RunningTurn | undefined => {
    const turn = running
    if (turn?.request !== requestId) return undefined
    delete turn.request
    return turn
  }

  /** Of a repository it has only the commits: it tells them with their author, and no remote takes a push. */
  const atWorkspace = (session: ScriptedSession, { action, type }: Workspace): ReturnType<ScriptedAnswer> => {
    if (action.do === "branches") {
      return Effect.succeed({
        workspace: { done: "branches", current: "work", base: "main", branches: ["main", "work"] }
      })
    }
    if (action.do !== "commit") return refused(type, `the remote refuses ${action.do}`)
    const sha = String(++commits).padStart(40, "0")
    const { author, message } = action
    session.say({
      type: "workspace.committed",
      data: { sha, message, ...(author === undefined ? {} : { author: author.name }) }
    })
    return Effect.succeed({ workspace: { done: "commit", sha } })
  }

  const perform = (command: BackendCommand, session: ScriptedSession): ReturnType<ScriptedAnswer> => {
    switch (command.type) {
      case "prompt":
        return Effect.succeed(take(session, command))
      case "interrupt":
        if (running?.turnId === command.turnId) end(session, running, { outcome: "interrupted" })
        return Effect.succeed({})
      case "resolvePermission": {
        const turn = resolved(command.requestId)
        if (turn === undefined) return refused(command.type, "nobody asks")
        finish(session, turn, { tools: isAllowed(command.outcome) })
        return Effect.succeed({})
      }
      case "answerQuestion": {
        const turn = resolved(command.requestId)
        if (turn === undefined) return refused(command.type, "nobody asks")
        const { outcome } = command
        const also = outcome.outcome === "answered" ? Object.values(outcome.answers).flat().join("\n") : ""
        finish(session, turn, { tools: false, also })
        return Effect.succeed({})
      }
      case "stopItem":
        if (running?.open?.itemId !== command.itemId) return refused(command.type, "it does not run")
        finish(session, running, { tools: false })
        return Effect.succeed({})
      case "configure": {
        const { type: _, ...data } = command
        session.say({ type: "backend.configured", data })
        return Effect.succeed({})
      }
      case "compact":
        session.say({ type: "context.compacted", data: {} })
        return Effect.succeed({})
      case "revert": {
        const native = natives.get(nativeId)
        const at = native.turns.findIndex(({ turnId }) => turnId === command.turnId)
        if (at === -1) return refused(command.type, `there is no turn ${command.turnId}`)
        natives.set({ nativeId, turns: native.turns.slice(0, at), reverted: native.turns.slice(at) })
        session.say({ type: "history.reverted", data: { turnId: command.turnId } })
        return Effect.succeed({})
      }
      case "restore": {
        const { reverted, turns } = natives.get(nativeId)
        if (reverted === undefined) return refused(command.type, "nothing is reverted")
        natives.set({ nativeId, turns: [...turns, ...reverted], reverted: undefined })
        session.say({ type: "history.restored", data: {} })
        return Effect.succeed({})
      }
      case "fork": {
        const branch = natives.fork(nativeId, command.throughTurn)
        return branch === undefined
          ? refused(command.type, `there is no turn ${command.throughTurn}`)
          : Effect.succeed({ nativeId: branch.nativeId })
      }
      case "workspace":
        return atWorkspace(session, command)
      case "write":
        session.say({ type: "terminal.output", bytes: command.bytes })
        return Effect.succeed({})
      default:
        return obedient(command, session)
    }
  }

  return (command, session) => Effect.suspend(() => perform(command, session))
}

const isAllowed = (outcome: PermissionOutcome): boolean =>
  outcome.outcome === "selected" && outcome.optionId === "allow"
