/** The items of one thread between their beginning and their end: each begins once and ends once, whatever the wire does. */
import { createHash } from "node:crypto"
import {
  type BackendEvent,
  type DataOf,
  type ItemId,
  maxIdLength,
  type ReportedError,
  type ToolCall,
  type TurnId
} from "@holdfast/core"
import type { OpenCommand } from "./CodexNormaliser.ts"
import { type ItemBeginning, beginningOf, endOf, isSilent, isStreamed, promptOf } from "./CodexItems.ts"
import type { ThreadItem } from "./CodexWire.ts"

/** Items that are open at once in a thread, as in core's state. What begins beyond is told when it ends. */
const maxOpen = 1_000

/**
 * Ended items that are remembered, so that a repeated end says nothing and a repeated id is told apart: during a turn,
 * which may make many, and in an idle session, which should cost little.
 */
const maxEnded = { running: 1_000, idle: 64 }

/** Commands of interrupted turns that may live on. The oldest is forgotten beyond it. */
const maxAbandoned = 100

interface Open {
  readonly itemId: ItemId
  readonly turnId: string
  item: ThreadItem
  readonly beginning: ItemBeginning | undefined
  /** Whether deltas said something of its text or output. */
  streamed: boolean
  /** Which part of a reasoning the deltas are in: `s0`, `c1`. */
  part: string
  background: boolean
}

/** How items are cut off. */
export interface CutOff {
  readonly status: "interrupted" | "failed"
  readonly error?: ReportedError
}

/** The items of a thread. All return the events that tell what happened. */
export interface ThreadItems {
  /** An item begins. `late`: its turn is over, so that only a command begins, in the background. */
  readonly begin: (turnId: string, item: ThreadItem, late: boolean) => ReadonlyArray<BackendEvent>
  /** A piece of an open item of this wire type; of any other it says nothing, the item's end has all of it. */
  readonly delta: (
    of: { readonly turnId: string; readonly itemId: string; readonly delta: string },
    type: ThreadItem["type"],
    field: DataOf<"item.delta">["field"],
    part?: string
  ) => ReadonlyArray<BackendEvent>
  /** A further part of a reasoning begins. */
  readonly part: (of: { readonly turnId: string; readonly itemId: string }, part: string) => ReadonlyArray<BackendEvent>
  /** The server's last word on an item. */
  readonly end: (turnId: string, item: ThreadItem) => ReadonlyArray<BackendEvent>
  /** Takes back what the model was streaming in a turn. */
  readonly cutStreams: (turnId: string, how: CutOff) => ReadonlyArray<BackendEvent>
  /**
   * Ends a turn for its items: commands that run go on in the background where the turn `completed`, and are abandoned
   * otherwise; the rest is cut off. `isWaiting`: it waits for an approval, and so does not run.
   */
  readonly endTurn: (
    turnId: string,
    outcome: "completed" | "interrupted" | "failed",
    isWaiting: (itemId: ItemId) => boolean
  ) => ReadonlyArray<BackendEvent>
  /** An open item by the server's ids. */
  readonly find: (turnId: string, wireId: string) => { readonly itemId: ItemId; readonly item: ThreadItem } | undefined
  /** The newest open call of an MCP server's tool: requests about it do not name it. */
  readonly findMcp: (turnId: string, server: string, tool: string) => ReturnType<ThreadItems["find"]>
  /** A patch that is still being written has other changes now. */
  readonly replace: (turnId: string, item: ThreadItem) => ReadonlyArray<BackendEvent>
  readonly isOpen: (itemId: ItemId) => boolean
  readonly commands: () => ReadonlyArray<OpenCommand>
}

/** An id of ours: the model names its items, so it is only unique together with the turn and a count. */
export const itemIdOf = (turnId: string, wireId: string, nth = 1): ItemId =>
  bounded(nth === 1 ? `${turnId}/${wireId}` : `${turnId}/${wireId}~${nth}`)

/** The id of a turn's plan, which the server does not name. */
export const planIdOf = (turnId: string): ItemId => bounded(`${turnId}:plan`)

const bounded = (id: string): ItemId => {
  if (id.length <= maxIdLength) return id as ItemId
  return `${id.slice(0, maxIdLength - 33)}#${createHash("sha256").update(id).digest("hex").slice(0, 32)}` as ItemId
}

/** How the items of a thread are told. */
export interface ThreadItemsOptions {
  readonly cwd: string
  /** Of a sub-agent's: its items have no turn then, since they may outlive the one in which it was started. */
  readonly parentId?: ItemId
  /** Tells the end of an item that is not shown as one. */
  readonly endSilent?: (turnId: string, item: ThreadItem) => ReadonlyArray<BackendEvent>
}

/** Starts with none. */
export const makeThreadItems = (options: ThreadItemsOptions): ThreadItems => {
  const { cwd, parentId } = options
  const open = new Map<string, Open>()
  /** How often an id was used, and whether its last use was ended by the server. */
  const used = new Map<string, { readonly count: number; readonly whole: boolean }>()
  const abandoned = new Map<string, Open>()

  const keyOf = (turnId: string, wireId: string) => JSON.stringify([turnId, wireId])

  const remember = (key: string, value: { readonly count: number; readonly whole: boolean }) => {
    used.delete(key)
    used.set(key, value)
    forget(used, maxEnded.running)
  }

  /** What events about an item name it by. */
  const envelope = ({ itemId, turnId }: Open) => ({
    itemId,
    ...(parentId === undefined ? { turnId: turnId as TurnId } : { parentId })
  })

  const begin: ThreadItems["begin"] = (turnId, item, late) => {
    const key = keyOf(turnId, item.id)
    const before = open.get(key)
    const events: Array<BackendEvent> = []
    if (before !== undefined) {
      if (before.item.type === item.type && !isStreamed(item)) return replace(turnId, item)
      events.push(...cut(key, before, { status: "interrupted" }))
    }
    if (late && item.type !== "commandExecution") return events
    // One of a kind streams at a time: the request that streamed the one before was dropped, for new input or a retry.
    if (isStreamed(item)) events.push(...cutType(turnId, item.type))
    if (item.type === "userMessage") events.push(...cutStreams(turnId, { status: "interrupted" }))
    if (open.size >= maxOpen) return events

    const count = (used.get(key)?.count ?? 0) + 1
    remember(key, { count, whole: false })
    const beginning = isSilent(item) ? undefined : beginningOf(item, cwd)
    const itemId = itemIdOf(turnId, item.id, count)
    const entry: Open = { itemId, turnId, item, beginning, streamed: false, part: "", background: late }
    open.set(key, entry)
    const promptId = promptOf(item)
    if (promptId !== undefined && parentId === undefined) {
      events.push({ type: "prompt.delivered", data: { promptId, turnId: turnId as TurnId } })
    }
    if (beginning === undefined) return events
    const { text, ...data } = beginning
    events.push({ type: "item.started", data: { ...envelope(entry), ...data } })
    if (text !== undefined) events.push(...say(entry, "text", text))
    if (late) events.push({ type: "item.updated", data: { itemId, background: true } })
    return events
  }

  const say = (entry: Open, field: DataOf<"item.delta">["field"], text: string): ReadonlyArray<BackendEvent> => {
    if (text.length === 0) return []
    entry.streamed = true
    return [{ type: "item.delta", data: { itemId: entry.itemId, field, text } }]
  }

  const delta: ThreadItems["delta"] = ({ delta: text, itemId, turnId }, type, field, partOf) => {
    const entry = open.get(keyOf(turnId, itemId))
    if (entry === undefined || entry.item.type !== type || text.length === 0) return []
    const break_ = partOf === undefined ? [] : enter(entry, partOf)
    return [...break_, ...say(entry, field, text)]
  }

  /** Parts are apart by a blank line, as in the whole. */
  const enter = (entry: Open, part: string): ReadonlyArray<BackendEvent> => {
    const isFurther = entry.part !== "" && entry.part !== part
    entry.part = part
    return isFurther && entry.streamed ? say(entry, "text", "\n\n") : []
  }

  const part: ThreadItems["part"] = ({ itemId, turnId }, name) => {
    const entry = open.get(keyOf(turnId, itemId))
    return entry?.item.type === "reasoning" ? enter(entry, name) : []
  }

  const end: ThreadItems["end"] = (turnId, item) => {
    const key = keyOf(turnId, item.id)
    const entry = open.get(key)
    if (entry !== undefined && entry.item.type === item.type) return complete(key, entry, item)
    const left = abandoned.get(key)
    if (left !== undefined) {
      abandoned.delete(key)
      return afterword(left, item)
    }
    if (entry === undefined && used.get(key)?.whole === true) return []
    const begun = begin(turnId, item, false)
    const fresh = open.get(key)
    return fresh === undefined ? begun : [...begun, ...complete(key, fresh, item)]
  }

  const complete = (key: string, entry: Open, item: ThreadItem): ReadonlyArray<BackendEvent> => {
    open.delete(key)
    remember(key, { count: used.get(key)?.count ?? 1, whole: true })
    if (entry.beginning === undefined) return options.endSilent?.(entry.turnId, item) ?? []
    const { files = [], tool, ...data } = endOf(item, cwd)
    const { kind, role } = entry.beginning
    const says = kind === "tool_call" ? data.output : data.text
    // Nothing was said in the end of what was said before: then the deltas stand.
    const partial = entry.streamed && says === undefined
    const whole = kind === "tool_call" ? { output: "" } : { text: "" }
    const of = envelope(entry)
    return [
      ...files.map((file): BackendEvent => ({ type: "file.changed", data: { ...file, ...fileOf(of) } })),
      {
        type: "item.completed",
        data: {
          ...of,
          kind,
          ...(role === undefined ? {} : { role }),
          ...(tool === undefined ? {} : { tool: withoutKnownInput(tool, entry.beginning.tool) }),
          ...(partial ? { partial } : whole),
          ...data
        }
      }
    ]
  }

  const fileOf = ({ itemId, turnId }: { readonly itemId: ItemId; readonly turnId?: TurnId }) => ({
    itemId,
    ...(turnId === undefined ? {} : { turnId })
  })

  /** A command that outlived its interrupted turn: the log has its end already, and here is how it really ended. */
  const afterword = (left: Open, item: ThreadItem): ReadonlyArray<BackendEvent> => {
    const { output, tool } = endOf(item, cwd)
    const raw = { exitCode: tool?.exitCode ?? null, output: output?.slice(0, 8_192) ?? "" }
    return [{ type: "item.updated", data: { itemId: left.itemId, raw } }]
  }

  const cut = (key: string, entry: Open, { error, status }: CutOff): ReadonlyArray<BackendEvent> => {
    open.delete(key)
    if (entry.beginning === undefined) return []
    const { text: _text, tool, ...data } = entry.beginning
    return [
      {
        type: "item.completed",
        data: {
          ...envelope(entry),
          ...data,
          ...(tool === undefined ? {} : { tool: { ...withoutKnownInput(tool, tool), status: "failed" } }),
          status,
          partial: true,
          ...(error === undefined ? {} : { error })
        }
      }
    ]
  }

  const cutWhere = (is: (entry: Open) => boolean, how: CutOff): ReadonlyArray<BackendEvent> =>
    [...open].flatMap(([key, entry]) => (is(entry) ? cut(key, entry, how) : []))

  const cutType = (turnId: string, type: ThreadItem["type"]) =>
    cutWhere((entry) => entry.turnId === turnId && entry.item.type === type, { status: "interrupted" })

  const cutStreams: ThreadItems["cutStreams"] = (turnId, how) =>
    cutWhere((entry) => entry.turnId === turnId && isStreamed(entry.item), how)

  const endTurn: ThreadItems["endTurn"] = (turnId, outcome, isWaiting) => {
    const events: Array<BackendEvent> = []
    for (const [key, entry] of open) {
      if (entry.turnId !== turnId || entry.background) continue
      const runs = entry.item.type === "commandExecution" && !isWaiting(entry.itemId)
      if (runs && outcome === "completed") {
        entry.background = true
        if (parentId === undefined)
          events.push({ type: "item.updated", data: { itemId: entry.itemId, background: true } })
        continue
      }
      events.push(...cut(key, entry, { status: outcome === "failed" ? "failed" : "interrupted" }))
      if (runs) abandoned.set(key, entry)
    }
    forget(abandoned, maxAbandoned)
    forget(used, maxEnded.idle)
    return events
  }

  const replace: ThreadItems["replace"] = (turnId, item) => {
    const entry = open.get(keyOf(turnId, item.id))
    if (entry === undefined || entry.item.type !== item.type) return []
    entry.item = item
    const tool = entry.beginning === undefined ? undefined : beginningOf(item, cwd).tool
    if (tool === undefined) return []
    const { input, locations, title } = tool
    return [
      {
        type: "item.updated",
        data: {
          itemId: entry.itemId,
          ...(title === undefined ? {} : { title }),
          ...(input === undefined ? {} : { input }),
          ...(locations === undefined ? {} : { locations })
        }
      }
    ]
  }

  const commands = (): ReadonlyArray<OpenCommand> => [
    ...[...open.values()].flatMap((entry) => asCommand(entry, entry.background ? "background" : "running") ?? []),
    ...[...abandoned.values()].flatMap((entry) => asCommand(entry, "abandoned") ?? [])
  ]

  return {
    begin,
    delta,
    part,
    end,
    cutStreams,
    endTurn,
    find: (turnId, wireId) => open.get(keyOf(turnId, wireId)),
    findMcp: (turnId, server, tool) =>
      [...open.values()].findLast(
        ({ item, turnId: of }) =>
          of === turnId && item.type === "mcpToolCall" && item.server === server && item.tool === tool
      ),
    replace,
    isOpen: (itemId) => [...open.values()].some((entry) => entry.itemId === itemId),
    commands
  }
}

const asCommand = ({ item, itemId }: Open, state: OpenCommand["state"]): OpenCommand | undefined =>
  item.type === "commandExecution"
    ? { itemId, wireItemId: item.id, ...(item.processId === undefined ? {} : { processId: item.processId }), state }
    : undefined

/** A call's input is in its beginning: its end repeats it only where it changed. */
const withoutKnownInput = (tool: ToolCall, known: ToolCall | undefined): ToolCall => {
  const { input, ...others } = tool
  return known === undefined || JSON.stringify(input) !== JSON.stringify(known.input) ? tool : others
}

/** Leaves the newest entries. */
const forget = (entries: Map<string, unknown>, most: number): void => {
  for (const key of entries.keys()) {
    if (entries.size <= most) return
    entries.delete(key)
  }
}
