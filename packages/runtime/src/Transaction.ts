/** One turn of an owner's loop, pure: what waits in the mailbox becomes one append and its replies. */
import {
  accept,
  advance,
  type Capabilities,
  type Command,
  type CommandId,
  type CommandRejected,
  decide,
  draft,
  type EventRecord,
  type Observed,
  type QuestionOutcome,
  type Receipt,
  type SessionPolicy,
  type SessionState
} from "@holdfast/core"

/** A command that waits for its receipt. */
export interface Submitted<Reply> {
  readonly kind: "command"
  readonly command: Command
  readonly reply: Reply
  /** What the generation that the command brings about has told already: in the same append, right behind it. */
  readonly told?: () => ReadonlyArray<Observed>
}

/** What a generation, or the runtime for it, observed. */
export interface Told<Reply> {
  readonly kind: "told"
  readonly generation: number
  readonly events: ReadonlyArray<Observed>
  readonly reply: Reply
}

/** What waits in a mailbox. */
export type Message<Reply> = Submitted<Reply> | Told<Reply> | { readonly kind: "tick" }

/** What a message gets: a receipt or a rejection for a command, nothing for what was told. */
export interface Answer<Reply> {
  readonly reply: Reply
  readonly outcome: Receipt | CommandRejected | undefined
}

/** One append in the making. */
export interface Transaction<Reply> {
  readonly before: SessionState
  readonly after: SessionState
  readonly records: ReadonlyArray<EventRecord>
  /** Outcomes that the backend gets whole and the log without their secrets, by request. */
  readonly secrets: ReadonlyMap<string, QuestionOutcome>
  /** To be given once the records are stored. */
  readonly answers: ReadonlyArray<Answer<Reply>>
}

/** What a transaction needs beside the messages. */
export interface TransactionContext {
  readonly at: number
  readonly policy: SessionPolicy
  readonly capabilities: Capabilities
  /** No prompt begins a turn: the session is about to be moved. */
  readonly holds: boolean
  /** The receipt of a command that was accepted before. */
  readonly known: (commandId: CommandId) => Receipt | undefined
  /** What is due by the clock, given the state that the messages led to. */
  readonly due: (state: SessionState) => ReadonlyArray<EventDraft>
}

/** Something that the clock brings: a command of the runtime's, or something observed. */
export type EventDraft =
  { readonly command: Command } | { readonly observed: Observed } | { readonly body: Parameters<typeof draft>[1] }

const noSecrets: ReadonlyMap<string, QuestionOutcome> = new Map()

/** Runs the messages through decide or accept, then adds what is due and what follows. */
export const transact = <Reply>(
  before: SessionState,
  messages: ReadonlyArray<Message<Reply>>,
  context: TransactionContext
): Transaction<Reply> => {
  const { at, policy, capabilities } = context
  let state = before
  const records: Array<EventRecord> = []
  const answers: Array<Answer<Reply>> = []
  let receipts: Map<CommandId, Receipt> | undefined
  let secrets: Map<string, QuestionOutcome> | undefined

  const run = (command: Command): Receipt | CommandRejected => {
    const known = receipts?.get(command.commandId) ?? context.known(command.commandId)
    if (known !== undefined) return known
    const decision = decide(state, command, { policy, capabilities })
    if (!decision.accepted) return decision.rejection
    if (command.type === "question.answer") {
      secrets ??= new Map()
      secrets.set(command.data.requestId, command.data.outcome)
    }
    const firstSeq = state.seq + 1
    for (const body of decision.events) {
      const drafted = draft(state, body, { at, actor: command.actor, cause: command.commandId })
      state = drafted.state
      records.push(drafted.record)
    }
    const receipt = { sessionId: command.sessionId, commandId: command.commandId, firstSeq, lastSeq: state.seq }
    receipts ??= new Map()
    receipts.set(command.commandId, receipt)
    return receipt
  }
  const take = (generation: number, events: ReadonlyArray<Observed>): void => {
    const drafts = accept(state, generation, events, { at }, policy)
    state = drafts.state
    for (const record of drafts.records) records.push(record)
  }

  for (const message of messages) {
    if (message.kind === "command") {
      const seq = state.seq
      answers.push({ reply: message.reply, outcome: run(message.command) })
      if (message.told !== undefined && state.seq > seq) take(state.generation, message.told())
    } else if (message.kind === "told") {
      take(message.generation, message.events)
      answers.push({ reply: message.reply, outcome: undefined })
    }
  }
  const proceed = (): void => {
    if (state.seq === 0) return
    const advanced = advance({ state, records: [] }, { at }, policy, context.holds)
    state = advanced.state
    for (const record of advanced.records) records.push(record)
  }
  // First what follows by itself: only then is it known what waits for the clock.
  proceed()
  const due = context.due(state)
  for (const one of due) {
    if ("command" in one) run(one.command)
    else if ("observed" in one) take(state.generation, [one.observed])
    else {
      const drafted = draft(state, one.body, { at, actor: "runtime" })
      state = drafted.state
      records.push(drafted.record)
    }
  }
  if (due.length > 0) proceed()
  return { before, after: state, records, answers, secrets: secrets ?? noSecrets }
}
