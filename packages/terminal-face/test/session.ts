/** A session to show: what people ask and an agent tells, by core's own rules. */
import type { CommandBody, EventBody, EventRecord, ItemId, Observed, PromptId, RequestId, TurnId } from "@holdfast/core"
import { creation, makeSimulatedSession, type SimulatedSession } from "@holdfast/testkit"
import { makeTerminalFace, type TerminalFace, type TerminalFaceOptions } from "../src/index.ts"
import { Screen } from "./screen.ts"

export const item = (id: string): ItemId => id as ItemId
export const turn = (id: string): TurnId => id as TurnId
export const request = (id: string): RequestId => id as RequestId

/** A session that is open and waits for a prompt. */
export const openSession = (options: Parameters<typeof makeSimulatedSession>[0] = {}): SimulatedSession => {
  const session = makeSimulatedSession(options)
  session.command(creation)
  session.tell([{ type: "backend.opened", data: { capabilities: session.capabilities } }])
  return session
}

/** Queues a prompt, and gives its id. */
export const prompt = (session: SimulatedSession, text: string, more: object = {}, actor?: string): PromptId => {
  const promptId = session.nextCommandId() as string as PromptId
  const body = { type: "prompt.send", data: { content: [{ type: "text", text }], ...more } } as CommandBody
  const decision = session.command(body, actor)
  if (!decision.accepted) throw decision.rejection
  return promptId
}

/** Sends a prompt and starts its turn. */
export const startTurn = (session: SimulatedSession, text: string, turnId = "t1"): void => {
  const promptId = prompt(session, text)
  session.tell([
    { type: "prompt.delivered", data: { promptId, turnId: turn(turnId) } },
    { type: "turn.started", data: { turnId: turn(turnId), promptId } }
  ])
}

export const delta = (id: string, text: string, field: "text" | "output" = "text"): Observed => ({
  type: "item.delta",
  data: { itemId: item(id), field, text }
})

/** A message of the agent that streams, up to what it has said so far. */
export const message = (id: string, ...pieces: ReadonlyArray<string>): ReadonlyArray<Observed> => [
  { type: "item.started", data: { itemId: item(id), turnId: turn("t1"), kind: "message", role: "agent" } },
  ...pieces.map((piece) => delta(id, piece))
]

/** The message is whole. */
export const whole = (id: string, text: string): Observed => ({
  type: "item.completed",
  data: { itemId: item(id), turnId: turn("t1"), kind: "message", role: "agent", status: "completed", text }
})

/** An event that no backend tells, as the log would have it. */
export const record = (body: EventBody, seq: number): EventRecord => ({
  sessionId: "00000000-0000-7000-8000-000000000fff" as EventRecord["sessionId"],
  seq,
  at: 1_000 * seq,
  generation: 1,
  version: 1,
  ...body
})

/** A face before a terminal, fed from a session. */
export class Watched {
  readonly session: SimulatedSession
  readonly face: TerminalFace
  readonly screen: Screen
  /** All that was written. */
  written = ""
  #shown = 0

  constructor(session: SimulatedSession, options: Partial<TerminalFaceOptions> = {}) {
    const { cols = 60, rows = 20 } = options
    this.session = session
    this.face = makeTerminalFace({ cols, rows, participant: "host", ...options })
    this.screen = new Screen(cols, rows)
  }

  /** A face that has shown all that there is. */
  static async join(session: SimulatedSession, options: Partial<TerminalFaceOptions> = {}): Promise<Watched> {
    const watched = new Watched(session, options)
    await watched.write(watched.face.show(session.records()) + watched.face.caughtUp())
    watched.#shown = session.records().length
    return watched
  }

  async write(text: string): Promise<void> {
    this.written += text
    await this.screen.write(text)
  }

  /** The agent tells something, and the face shows it. */
  async tell(...events: ReadonlyArray<Observed>): Promise<void> {
    this.session.tell(events)
    await this.update()
  }

  /** Shows what is new. */
  async update(): Promise<void> {
    const records = this.session.records()
    await this.write(this.face.show(records.slice(this.#shown)))
    this.#shown = records.length
  }

  /** Types, and does what comes of it. */
  async type(keys: string | Uint8Array): Promise<ReturnType<TerminalFace["key"]>> {
    const input = this.face.key(keys)
    await this.write(input.output)
    return input
  }

  /** Types, and lets the session decide. */
  async enter(keys: string): Promise<void> {
    const { commands } = await this.type(keys)
    for (const command of commands) {
      const decision = this.session.command(command)
      if (!decision.accepted) await this.write(this.face.refused(command, decision.rejection.message))
    }
    await this.update()
  }

  async resize(cols: number, rows: number): Promise<void> {
    this.screen.resize(cols, rows)
    await this.write(this.face.resize(cols, rows))
  }
}
