/**
 * From the parts of messages to items: each begins once and ends once. A text begins with its first word, since a model
 * call that is tried again leaves empty parts behind; its end has all of it.
 */
import type { BackendEvent, ItemId, PlanEntry, ToolCall, TurnId } from "@holdfast/core"
import { boundRaw } from "@holdfast/core"
import { blocksOf, exitCodeOf, kindOf, locationsOf, textField, titleOf } from "./OpencodeTools.ts"
import type { Part, Todo, ToolState } from "./OpencodeWire.ts"

/** Where an item belongs. */
export interface Place {
  readonly sessionId: string
  readonly turnId: TurnId | undefined
  /** The tool call of the subagent that it is of. */
  readonly parentId: ItemId | undefined
}

interface Item {
  readonly itemId: ItemId
  readonly place: Place
  readonly messageId: string
  readonly kind: "message" | "reasoning" | "tool_call"
  readonly role: "user" | "agent"
  callId: string | undefined
  started: boolean
  done: boolean
  /** Pieces were missed: what comes would not join on. Its end has all of it. */
  gapped: boolean
  /** UTF-16 units of its text that were told. */
  told: number
  /** A tool's output as far as it was told. */
  output: string
  status: ToolCall["status"]
  input: unknown
  tool: string
}

interface Plan {
  readonly itemId: ItemId
  readonly place: Place
  entries: ReadonlyArray<PlanEntry>
}

/** Parts of ended turns that are remembered, so that none begins again: the newest 1,000. */
const maxOver = 1_000

/** How items end that nobody ended. */
type Cut = "interrupted" | "failed"

/** The items of the running turn, and of what goes on without one. */
export interface OpencodeItems {
  /** A text or reasoning part, as the server has it now; `ended` where no more is to come. */
  readonly text: (part: Part, place: Place, role: "user" | "agent", ended: boolean) => void
  readonly delta: (partId: string, delta: string) => void
  /** A tool call begins, whatever else is known of it. */
  readonly begin: (part: Part, place: Place) => void
  /** A tool part, as the server has it now. `atEnd` tells what goes before its end. */
  readonly tool: (part: Part, place: Place, atEnd: () => void) => void
  /** A file that a message brought. */
  readonly file: (part: Part, place: Place, role: "user" | "agent") => void
  readonly plan: (todos: ReadonlyArray<Todo>, place: Place) => void
  /** Goes on under this id. */
  readonly rename: (partId: string, itemId: ItemId) => void
  readonly idOf: (partId: string) => ItemId
  /** The tool call by which a request names it. */
  readonly ofCall: (messageId: string, callId: string) => ItemId | undefined
  readonly closePart: (partId: string) => void
  /** What a message leaves open: its texts. Tools may still end. */
  readonly closeTexts: (messageId: string) => void
  /** Ends all that is open, and forgets all. */
  readonly closeAll: (cut: Cut) => void
  /** From here on pieces of what is open may be missing. */
  readonly gap: () => void
}

/** Makes an empty store. What is told goes to `emit`; relative paths count from `directory`. */
export const makeOpencodeItems = (directory: string, emit: (event: BackendEvent) => void): OpencodeItems => {
  let items = new Map<string, Item>()
  let plans = new Map<string, Plan>()
  const renamed = new Map<string, ItemId>()
  const over = new Set<string>()

  const idOf = (partId: string): ItemId => renamed.get(partId) ?? (partId as ItemId)

  const itemOf = (part: Part, place: Place, kind: Item["kind"], role: Item["role"]): Item => {
    const known = items.get(part.id)
    if (known !== undefined) return known
    const item: Item = {
      itemId: idOf(part.id),
      place,
      messageId: part.messageID,
      kind,
      role,
      callId: part.callID,
      started: false,
      done: over.has(part.id),
      gapped: false,
      told: 0,
      output: "",
      status: "pending",
      input: undefined,
      tool: part.tool ?? "unknown"
    }
    items.set(part.id, item)
    return item
  }

  const frame = ({ itemId, kind, place, role }: Item) => ({
    itemId,
    ...inPlace(place),
    kind,
    ...(kind === "message" ? { role } : {})
  })

  const start = (item: Item, tool?: ToolCall) => {
    if (item.started) return
    item.started = true
    emit({ type: "item.started", data: { ...frame(item), ...(tool === undefined ? {} : { tool }) } })
  }

  const delta = (partId: string, text: string) => {
    const item = items.get(partId)
    if (item === undefined || item.done || item.gapped || item.kind === "tool_call" || text === "") return
    start(item)
    item.told += text.length
    emit({ type: "item.delta", data: { itemId: item.itemId, field: "text", text } })
  }

  const close = (item: Item, cut: Cut) => {
    // What said nothing yet may still: the retry that is heard now can be older than the part that a snapshot knew.
    if (item.done || !item.started) return
    item.done = true
    const tool: ToolCall | undefined =
      item.kind === "tool_call" ? { name: item.tool, kind: kindOf(item.tool), status: "failed" } : undefined
    emit({
      type: "item.completed",
      data: { ...frame(item), status: cut, partial: true, ...(tool === undefined ? {} : { tool }) }
    })
  }

  return {
    idOf,
    delta,
    text: (part, place, role, ended) => {
      const item = itemOf(part, place, part.type === "reasoning" ? "reasoning" : "message", role)
      if (item.done || item.kind === "tool_call") return
      const text = part.text ?? ""
      if (!ended) {
        // The server stores no text before its end: an empty one says nothing of what was told.
        if (text.length > item.told && !item.gapped) delta(part.id, text.slice(item.told))
        return
      }
      if (text === "") return close(item, "interrupted")
      start(item)
      item.done = true
      emit({ type: "item.completed", data: { ...frame(item), status: "completed", text } })
    },
    begin: (part, place) => {
      const item = itemOf(part, place, "tool_call", "agent")
      if (!item.done) start(item, { name: item.tool, kind: kindOf(item.tool), status: item.status })
    },
    tool: (part, place, atEnd) => {
      const item = itemOf(part, place, "tool_call", "agent")
      const { state } = part
      if (item.done || item.kind !== "tool_call" || state === undefined) return
      item.callId ??= part.callID
      // An unknown or wrong tool becomes "invalid": what the model called stays its name.
      const invalid = part.tool === "invalid"
      item.tool = (invalid ? textField(state.input, "tool") : part.tool) ?? item.tool
      const ended = state.status === "completed" || state.status === "error"
      const tool = toolCall(item.tool, state, invalid, directory)
      if (ended) {
        start(item, { ...tool, status: item.status })
        item.done = true
        atEnd()
        emit({ type: "item.completed", data: { ...frame(item), ...outcomeOf(state, tool, invalid) } })
        return
      }
      if (!item.started) {
        start(item, tool)
      } else if (tool.status !== item.status || !isSame(state.input, item.input)) {
        const { input, locations, status, title } = tool
        emit({
          type: "item.updated",
          data: {
            itemId: item.itemId,
            status,
            ...(title === undefined ? {} : { title }),
            ...(input === undefined ? {} : { input }),
            ...(locations === undefined ? {} : { locations })
          }
        })
      }
      item.status = tool.status
      item.input = state.input
      const output = textField(state.metadata, "output")
      if (output !== undefined && !item.gapped && output.length > item.output.length) {
        if (output.startsWith(item.output)) {
          const text = output.slice(item.output.length)
          item.output = output
          emit({ type: "item.delta", data: { itemId: item.itemId, field: "output", text } })
        } else {
          // The server shows the end of a long output only: what follows does not join on.
          item.gapped = true
        }
      }
    },
    file: (part, place, role) => {
      const item = itemOf(part, place, "message", role)
      const content = blocksOf([part])
      if (item.done || content === undefined) return
      start(item)
      item.done = true
      emit({ type: "item.completed", data: { ...frame(item), status: "completed", text: "", content } })
    },
    plan: (todos, place) => {
      const key = `${place.turnId ?? ""} ${place.sessionId}`
      const entries = todos.flatMap(planEntry)
      const known = plans.get(key)
      if (known === undefined) {
        if (entries.length === 0 || place.turnId === undefined) return
        const itemId = (
          place.parentId === undefined ? `${place.turnId}:plan` : `${place.turnId}:${place.parentId}:plan`
        ) as ItemId
        plans.set(key, { itemId, place, entries })
        emit({ type: "item.started", data: { itemId, ...inPlace(place), kind: "plan" } })
      } else if (isSame(known.entries, entries)) {
        return
      } else {
        known.entries = entries
      }
      emit({ type: "item.updated", data: { itemId: plans.get(key)!.itemId, entries } })
    },
    rename: (partId, itemId) => {
      renamed.set(partId, itemId)
    },
    ofCall: (messageId, callId) => {
      for (const item of items.values()) {
        if (item.callId === callId && item.messageId === messageId) return item.itemId
      }
      return undefined
    },
    closePart: (partId) => {
      const item = items.get(partId)
      if (item !== undefined) close(item, "interrupted")
    },
    closeTexts: (messageId) => {
      for (const item of items.values()) {
        if (item.messageId === messageId && item.kind !== "tool_call") close(item, "interrupted")
      }
    },
    closeAll: (cut) => {
      for (const [partId, item] of items) {
        close(item, cut)
        if (item.started) over.add(partId)
        if (over.size > maxOver) over.delete(over.values().next().value!)
      }
      for (const { entries, itemId, place } of plans.values()) {
        emit({
          type: "item.completed",
          data: { itemId, ...inPlace(place), kind: "plan", status: "completed", entries }
        })
      }
      items = new Map()
      plans = new Map()
      renamed.clear()
    },
    gap: () => {
      // A running tool repeats its whole output each time.
      for (const item of items.values()) if (item.kind !== "tool_call") item.gapped = true
    }
  }
}

const inPlace = ({ parentId, turnId }: Place) => ({
  ...(turnId === undefined ? {} : { turnId }),
  ...(parentId === undefined ? {} : { parentId })
})

const statuses: Readonly<Record<string, ToolCall["status"]>> = {
  pending: "pending",
  running: "in_progress",
  completed: "completed",
  error: "failed"
}

const toolCall = (name: string, state: ToolState, invalid: boolean, directory: string): ToolCall => {
  const title = invalid ? undefined : titleOf(state)
  const locations = locationsOf(state, directory)
  const exitCode = exitCodeOf(state)
  const status = Object.hasOwn(statuses, state.status ?? "") ? statuses[state.status!]! : "in_progress"
  return {
    name,
    kind: kindOf(name),
    // Opencode takes a call for completed whose command failed, or was killed.
    status: status === "completed" && (invalid || (exitCode !== undefined && exitCode !== 0)) ? "failed" : status,
    ...(title === undefined ? {} : { title }),
    ...(isEmpty(state.input) ? {} : { input: state.input }),
    ...(locations === undefined ? {} : { locations }),
    ...(exitCode === undefined ? {} : { exitCode })
  }
}

/** Metadata that an item says in fields of its own, or a second time. */
const saidElsewhere = new Set([
  "output",
  "exit",
  "diff",
  "filediff",
  "files",
  "filepath",
  "exists",
  "preview",
  "display"
])

/** How a call ended: killed commands (no exit code) and calls that an abort cut off were interrupted. */
const outcomeOf = (state: ToolState, tool: ToolCall, invalid: boolean) => {
  const interrupted = tool.exitCode === null || state.metadata?.["interrupted"] === true
  const failed = tool.status === "failed"
  const message = invalid ? textField(state.input, "error") : state.error
  const content = blocksOf(state.attachments)
  const rest = Object.entries(state.metadata ?? {}).filter(([key, value]) => !saidElsewhere.has(key) && !isEmpty(value))
  return {
    status: interrupted ? ("interrupted" as const) : failed ? ("failed" as const) : ("completed" as const),
    tool,
    ...(state.output === undefined ? {} : { output: state.output }),
    ...(failed && message !== undefined ? { error: { message, retryable: false } } : {}),
    ...(content === undefined ? {} : { content }),
    ...(rest.length === 0 ? {} : { raw: boundRaw({ metadata: Object.fromEntries(rest) }) })
  }
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0)

const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

/** A step of the list; one that was cancelled is no part of the plan any more. */
const planEntry = ({ content, priority, status }: Todo): ReadonlyArray<PlanEntry> => {
  if (status === "cancelled") return []
  return [
    {
      content,
      status: status === "completed" || status === "in_progress" ? status : "pending",
      ...(priority === "high" || priority === "medium" || priority === "low" ? { priority } : {})
    }
  ]
}
