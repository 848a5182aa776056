/** What the tests of an agent share: prompts, turns, what was said in them, and whether it all holds together. */
import { type BackendEvent, type Delivery, makeUuid, type Performed, type PromptId, type TurnId } from "@holdfast/core"
import { Effect, Exit, Scope } from "effect"
import { afterAll, expect, it } from "vitest"
import type { BackendSuiteAgent } from "./BackendSuiteAgent.ts"
import {
  type BackendSuiteOptions,
  type Bench,
  type MakeBackend,
  makeToken,
  type Opened,
  openSession,
  type Reading,
  readSession,
  withBackend
} from "./backendHarness.ts"
import type { EventOf } from "./ReadSession.ts"

/** A prompt that was taken. */
export interface Prompted extends Performed {
  readonly promptId: PromptId
}

/** A turn that has ended. */
export interface EndedTurn {
  readonly promptId: PromptId
  readonly turnId: TurnId
  readonly end: EventOf<"turn.completed">["data"]
}

/** How a test uses its session. */
export interface AgentTestOptions {
  /** It says something of a new session, or leaves the session other than it was: it gets one of its own. */
  readonly alone?: boolean
}

/**
 * Registers tests over an open session of the suite's spec, in one `describe`. With the option `handOn` a test gets the session
 * of the one before, if that left it idle, as if it began with the test.
 */
export const agentTest = (make: MakeBackend, options: BackendSuiteOptions) => {
  const kept = options.handOn === true ? keepSession() : undefined
  if (kept !== undefined) afterAll(() => Effect.runPromise(kept.close))
  return (
    name: string,
    run: (bench: Bench, opened: Opened) => Effect.Effect<void, unknown>,
    { alone = false }: AgentTestOptions = {}
  ) =>
    it(
      name,
      withBackend(make, options, (bench) =>
        kept === undefined || alone
          ? Effect.flatMap(openSession(bench, options.spec), (opened) => run(bench, opened))
          : kept.use(bench, options.spec, (opened) => run(bench, opened))
      )
    )
}

/** Keeps one session from test to test. */
const keepSession = () => {
  let kept: { readonly reading: Reading; readonly scope: Scope.Closeable } | undefined

  const close = Effect.suspend(() => {
    const closing = kept === undefined ? Effect.void : Scope.close(kept.scope, Exit.void)
    kept = undefined
    return closing
  })

  const take = Effect.fnUntraced(function* (bench: Bench, spec: unknown) {
    if (kept !== undefined && !kept.reading.hasEnded()) return kept.reading.follow()
    yield* close
    const scope = Scope.makeUnsafe()
    const reading = yield* readSession(bench, spec).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
    kept = { reading, scope }
    return reading.opened
  })

  const use = Effect.fnUntraced(function* (
    bench: Bench,
    spec: unknown,
    run: (opened: Opened) => Effect.Effect<void, unknown>
  ) {
    const opened = yield* take(bench, spec)
    yield* run(opened).pipe(
      Effect.onExit((exit) =>
        Exit.isSuccess(exit) && isIdle(opened.events) ? Effect.void : bench.within("closing the scope", close)
      )
    )
  })

  return { close, use }
}

/** Whether nothing is left of the turns that began among these events. */
const isIdle = (events: ReadonlyArray<BackendEvent>): boolean => {
  const count = (type: BackendEvent["type"]) => events.filter((event) => event.type === type).length
  return count("turn.started") === count("turn.completed") && !hasBackground(events)
}

/** Sends a prompt. */
export const prompt = Effect.fnUntraced(function* (
  bench: Bench,
  opened: Opened,
  text: string,
  how: { readonly delivery?: Delivery; readonly turnId?: TurnId } = {}
) {
  const promptId = makeUuid() as PromptId
  const { delivery = "queue", turnId } = how
  const performed: Performed = yield* bench.within(
    "taking the prompt",
    opened.perform({
      type: "prompt",
      promptId,
      content: [{ type: "text", text }],
      delivery,
      ...(turnId === undefined ? {} : { turnId })
    })
  )
  return { ...performed, promptId } satisfies Prompted
})

/** Waits for the turn that a prompt began. */
export const startedBy = (opened: Opened, { promptId, turnId }: Prompted): Effect.Effect<TurnId, Error> =>
  opened.waitUntil("the start of the prompt's turn", (events) => {
    const delivered = events.find(
      (event): event is EventOf<"prompt.delivered"> =>
        event.type === "prompt.delivered" && event.data.promptId === promptId
    )
    const started = events.find(
      (event): event is EventOf<"turn.started"> =>
        event.type === "turn.started" &&
        (event.data.promptId === promptId ||
          event.data.turnId === (turnId ?? "") ||
          event.data.turnId === (delivered?.data.turnId ?? ""))
    )
    return started?.data.turnId
  })

/** Waits for the end of a turn. */
export const completed = (opened: Opened, turnId: TurnId) =>
  Effect.map(
    opened.waitFor("turn.completed", (event) => event.data.turnId === turnId),
    (event) => event.data
  )

/** Sends a prompt and waits for the end of its turn. */
export const turnOf = Effect.fnUntraced(function* (bench: Bench, opened: Opened, text: string) {
  const prompted = yield* prompt(bench, opened, text)
  const turnId = yield* startedBy(opened, prompted)
  return { promptId: prompted.promptId, turnId, end: yield* completed(opened, turnId) } satisfies EndedTurn
})

/** Lets the agent say a new token: a whole turn, and proof that the session goes on. Gives the token and the turn. */
export const sayNext = Effect.fnUntraced(function* (bench: Bench, opened: Opened, agent: BackendSuiteAgent) {
  const token = makeToken()
  const turn = yield* turnOf(bench, opened, agent.say(token))
  expect(turn.end).toMatchObject({ outcome: "completed" })
  expect(saidIn(opened.events, turn.turnId)).toContain(token)
  expectWellFormed(opened.events)
  return { ...turn, token }
})

/** Lets the agent tell what it knows of its session. */
export const recalled = Effect.fnUntraced(function* (bench: Bench, opened: Opened, recall: string) {
  const { end, turnId } = yield* turnOf(bench, opened, recall)
  expect(end).toMatchObject({ outcome: "completed" })
  return saidIn(opened.events, turnId)
})

/** Items of a turn that have ended. */
export const itemsOf = (events: ReadonlyArray<BackendEvent>, turnId: TurnId) =>
  events.flatMap((event) => (event.type === "item.completed" && event.data.turnId === turnId ? [event.data] : []))

/** What the agent said in a turn: the texts of its messages, one a line. */
export const saidIn = (events: ReadonlyArray<BackendEvent>, turnId: TurnId): string =>
  itemsOf(events, turnId)
    .filter(({ kind, partial, role }) => kind === "message" && role !== "user" && partial !== true)
    .map(({ text }) => text ?? "")
    .join("\n")

/** Waits until an open message has said a text; which item it is. */
export const saying = (opened: Opened, text: string) =>
  opened.waitUntil(`a message with ${text} as it is written`, (events) => {
    const texts = new Map<string, string>()
    for (const event of events) {
      if (event.type === "item.started" && event.data.kind === "message" && event.data.role !== "user") {
        texts.set(event.data.itemId, event.data.text ?? "")
      }
      if (event.type === "item.completed") texts.delete(event.data.itemId)
      if (event.type !== "item.delta" || event.data.field !== "text") continue
      const before = texts.get(event.data.itemId)
      if (before !== undefined) texts.set(event.data.itemId, before + event.data.text)
    }
    return [...texts].find(([, said]) => said.includes(text))?.[0]
  })

/** Tool calls of a turn that have ended. */
export const toolsOf = (events: ReadonlyArray<BackendEvent>, turnId: TurnId) =>
  itemsOf(events, turnId).filter(({ kind }) => kind === "tool_call")

/** Waits until a tool call runs whose title or input has a text. */
export const toolRunning = (opened: Opened, turnId: TurnId, text: string) =>
  opened.waitUntil(`a tool call with ${text}`, (events) => {
    for (const [itemId, item] of toolCalls(events, turnId)) {
      if (item.status === "in_progress" && item.words.includes(text)) return itemId
    }
    return undefined
  })

/** What is known of the tool calls of a turn: status, and all that was said of them. */
const toolCalls = (events: ReadonlyArray<BackendEvent>, turnId: TurnId) => {
  const calls = new Map<string, { status: string; words: string }>()
  for (const event of events) {
    if (event.type === "item.started" && event.data.kind === "tool_call" && event.data.turnId === turnId) {
      const { itemId, tool } = event.data
      calls.set(itemId, { status: tool?.status ?? "pending", words: JSON.stringify(tool ?? {}) })
    }
    const call = event.type === "item.updated" ? calls.get(event.data.itemId) : undefined
    if (event.type !== "item.updated" || call === undefined) continue
    call.status = event.data.status ?? call.status
    call.words += JSON.stringify([event.data.title, event.data.input])
  }
  return calls
}

/** Items that go on after their turn. */
const backgroundOf = (events: ReadonlyArray<BackendEvent>): ReadonlySet<string> =>
  new Set(
    events.flatMap((event) =>
      event.type === "item.updated" && event.data.background === true ? [event.data.itemId as string] : []
    )
  )

/** Whether a turn has an item that goes on after it. */
export const hasBackground = (events: ReadonlyArray<BackendEvent>): boolean => backgroundOf(events).size > 0

/**
 * Checks that every turn and item begins once and ends once, that an item's pieces are told in between and its end repeats
 * them, and that a turn which has ended leaves no item open but those in the background.
 */
export const expectWellFormed = (events: ReadonlyArray<BackendEvent>) => {
  const open = new Map<string, { readonly turnId: string | undefined; text: string; outputs: Array<string> }>()
  const ended = new Set<string>()
  const turns = new Map<string, "running" | "ended">()
  const background = backgroundOf(events)
  for (const event of events) {
    switch (event.type) {
      case "turn.started":
        expect(turns.has(event.data.turnId), `turn ${event.data.turnId} begins once`).toBe(false)
        expect([...turns.values()], "one turn runs at a time").not.toContain("running")
        turns.set(event.data.turnId, "running")
        break
      case "turn.completed": {
        const { turnId } = event.data
        expect(turns.get(turnId), `turn ${turnId} ends once, after it has begun`).toBe("running")
        turns.set(turnId, "ended")
        const left = [...open].filter(([itemId, item]) => item.turnId === turnId && !background.has(itemId))
        expect(left, `turn ${turnId} leaves no item open`).toEqual([])
        break
      }
      case "item.started": {
        const { itemId, text, turnId } = event.data
        expect(open.has(itemId) || ended.has(itemId), `item ${itemId} begins once`).toBe(false)
        open.set(itemId, { turnId, text: text ?? "", outputs: [] })
        break
      }
      case "item.delta": {
        const item = open.get(event.data.itemId)
        expect(item, `a piece of ${event.data.itemId} comes while it is open`).toBeDefined()
        if (event.data.field === "text") item!.text += event.data.text
        if (event.data.field === "output") item!.outputs.push(event.data.text)
        break
      }
      case "item.completed": {
        const { itemId, output, partial, text } = event.data
        const item = open.get(itemId)
        expect(item, `item ${itemId} ends once, after it has begun`).toBeDefined()
        open.delete(itemId)
        ended.add(itemId)
        if (partial === true) break
        if (item!.text !== "") expect(text, `the end of ${itemId} repeats its text`).toBe(item!.text)
        expectToRepeat(output ?? "", item!.outputs, itemId)
        break
      }
      default:
    }
  }
}

/** The pieces of an output come in the whole one in their order. A provider may have kept the first of them to itself. */
const expectToRepeat = (output: string, pieces: ReadonlyArray<string>, itemId: string) => {
  let from = 0
  for (const piece of pieces) {
    const at = output.indexOf(piece, from)
    expect(at, `the end of ${itemId} repeats its output ${JSON.stringify(piece.slice(0, 100))}`).toBeGreaterThan(-1)
    from = at + piece.length
  }
}
