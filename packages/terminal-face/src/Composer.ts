/**
 * From keys to commands: the line that is typed, what it is for, and the answers that were given so far. What a line is
 * for is fixed when it begins, so that no prompt turns into the answer of a request that came up meanwhile, or the other
 * way round.
 */
import type {
  CommandBody,
  PermissionOutcome,
  Question,
  QuestionOutcome,
  RequestId,
  SessionState,
  TurnId
} from "@holdfast/core"
import type { Key } from "./KeyDecoder.ts"
import { edit, type EditedLine, emptyLine, insert, LineHistory, maxLine } from "./LineEditor.ts"
import type { PendingQuestion, PendingRequest } from "./PendingRequest.ts"

/** What can be asked of a session by typing. */
export type FaceCommand = CommandBody<"prompt.send" | "permission.resolve" | "question.answer" | "turn.interrupt">

/** What a line is for. */
export type Purpose =
  | { readonly for: "prompt" }
  | { readonly for: "answer"; readonly requestId: string; readonly step: number; readonly secret: boolean }

/** What came of some keys. */
export interface Typed {
  readonly commands: ReadonlyArray<FaceCommand>
  readonly bell: boolean
  readonly help: boolean
  readonly leave: boolean
  readonly redraw: boolean
}

/** What composing needs to know of the session. */
export interface Scene {
  readonly session: SessionState
  readonly requests: ReadonlyArray<PendingRequest>
}

/** One person's line. */
export class Composer {
  #line: EditedLine = emptyLine
  #purpose: Purpose = { for: "prompt" }
  #scene: Scene
  /** Requests that were answered here; they are offered again where the answer is refused. */
  #sent: ReadonlySet<string> = new Set()
  /** Answers to the first questions of a request. */
  #answers: { readonly requestId: string; readonly given: ReadonlyArray<ReadonlyArray<string>> } | undefined
  #hint = ""
  readonly #history = new LineHistory()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  get line(): EditedLine {
    return this.#line
  }

  /** What the line is for. */
  get purpose(): Purpose {
    return this.#purpose
  }

  /** What to say beside the line: why something was not taken. */
  get hint(): string {
    return this.#hint
  }

  /** The request that can be answered now, and at which of its questions. */
  get offered(): { readonly request: PendingRequest; readonly step: number; readonly waiting: number } | undefined {
    const waiting = this.#scene.requests.filter((one) => !this.#sent.has(one.requestId))
    const request = waiting[0]
    return request === undefined ? undefined : { request, step: this.#step(request), waiting: waiting.length }
  }

  /** The session went on. A line that was for a request that does not wait any more is thrown away. */
  follow(scene: Scene): void {
    const changed = scene.requests !== this.#scene.requests
    this.#scene = scene
    if (!changed) return
    const waits = (requestId: string) => scene.requests.some((one) => one.requestId === requestId)
    this.#sent = new Set([...this.#sent].filter(waits))
    if (this.#answers !== undefined && !waits(this.#answers.requestId)) this.#answers = undefined
    const purpose = this.#purpose
    if (this.#line.text !== "" && purpose.for === "answer" && !waits(purpose.requestId)) {
      this.#line = emptyLine
      this.#hint = "That is answered already: what you typed was not sent"
    }
    this.#settle()
  }

  /** A command was refused: its request is offered again, or its text is there to be sent again. */
  refused(command: FaceCommand): void {
    if (command.type === "prompt.send" && this.#line.text === "") {
      const text = command.data.content.map((block) => (block.type === "text" ? block.text : "")).join("")
      this.#line = { text, cursor: text.length }
      this.#purpose = { for: "prompt" }
    }
    if ("requestId" in command.data) {
      const { requestId } = command.data
      this.#sent = new Set([...this.#sent].filter((one) => one !== requestId))
      this.#settle()
    }
  }

  /** Takes keys in. */
  type(keys: ReadonlyArray<Key>): Typed {
    const typed = { commands: [] as Array<FaceCommand>, bell: false, help: false, leave: false, redraw: false }
    if (keys.length > 0) this.#hint = ""
    for (const key of keys) {
      const outcome = this.#press(key)
      if (typeof outcome === "object") typed.commands.push(outcome)
      else if (outcome !== undefined) typed[outcome] = true
      this.#settle()
    }
    return typed
  }

  #press(key: Key): FaceCommand | "bell" | "help" | "leave" | "redraw" | undefined {
    switch (key.key) {
      case "text":
        return this.#insert(key.text)
      case "newline":
        return this.#purpose.for === "prompt" ? this.#insert("\n") : this.#submit(false)
      case "tooLong":
        return this.#refuse(tooLong)
      case "send":
        return this.#submit(false)
      case "steer":
        return this.#submit(true)
      case "older":
      case "newer":
        return this.#recall(key.key === "older" ? -1 : 1)
      case "interrupt":
        return this.#interrupt()
      case "redraw":
        return "redraw"
      case "leave":
        if (this.#line.text === "") return "leave"
        this.#line = edit(this.#line, "delete") ?? this.#line
        return undefined
      default:
        this.#line = edit(this.#line, key.key) ?? this.#line
        return undefined
    }
  }

  #insert(text: string): "bell" | undefined {
    const line = insert(this.#line, text)
    if (line === undefined) return this.#refuse(tooLong)
    this.#line = line
    return undefined
  }

  #refuse(hint: string): "bell" {
    this.#hint = hint
    return "bell"
  }

  #recall(by: -1 | 1): "bell" | undefined {
    if (this.#purpose.for !== "prompt") return "bell"
    const text = this.#history.move(by, this.#line.text)
    if (text === undefined) return "bell"
    this.#line = { text, cursor: text.length }
    return undefined
  }

  #interrupt(): FaceCommand | "bell" | "leave" | undefined {
    const { session } = this.#scene
    if (session.turn !== null) {
      if (session.chart.turn === "interrupting") return this.#refuse("The turn is being interrupted already")
      return { type: "turn.interrupt", data: { turnId: session.turn.turnId as TurnId } }
    }
    if (this.#line.text === "") return "leave"
    this.#line = emptyLine
    return undefined
  }

  #submit(steer: boolean): FaceCommand | "bell" | "help" | undefined {
    const { text } = this.#line
    if (this.#purpose.for === "answer") return this.#answer(this.#purpose, text)
    if (text.trim() === "") return undefined
    this.#line = emptyLine
    if (text.trim() === "?") return "help"
    this.#history.add(text)
    const marked = /^!\s+\S/.test(text)
    const prompt = marked ? text.replace(/^!\s+/, "") : text
    const content = [{ type: "text", text: prompt }] as const
    const { capabilities, turn } = this.#scene.session
    const into = (steer || marked) && capabilities?.steer === true ? turn : null
    return into === null
      ? { type: "prompt.send", data: { content, delivery: "queue" } }
      : { type: "prompt.send", data: { content, delivery: "steer", turnId: into.turnId as TurnId } }
  }

  #answer(purpose: Purpose & { readonly for: "answer" }, text: string): FaceCommand | "bell" | undefined {
    const request = this.#scene.requests.find((one) => one.requestId === purpose.requestId)
    if (request === undefined) return this.#refuse("That is answered already")
    if (request.kind === "permission") {
      const outcome = chosenOption(request.options, text.trim())
      if (outcome === undefined) return this.#refuse(`Type a number from 0 to ${request.options.length}`)
      this.#finish(request)
      return { type: "permission.resolve", data: { requestId: request.requestId as RequestId, outcome } }
    }
    return this.#answerQuestion(request, purpose.step, text)
  }

  #answerQuestion(request: PendingQuestion, step: number, text: string): FaceCommand | "bell" | undefined {
    const answer = (outcome: QuestionOutcome): FaceCommand => {
      this.#finish(request)
      return { type: "question.answer", data: { requestId: request.requestId as RequestId, outcome } }
    }
    const question = request.questions[step]
    if (question === undefined) return answer({ outcome: "cancelled" })
    if (text.trim() === "0" && question.options.length > 0) return answer({ outcome: "cancelled" })
    const chosen = chosenAnswers(question, text)
    if (typeof chosen === "string") return this.#refuse(chosen)
    const before = this.#answers?.requestId === request.requestId ? this.#answers.given : []
    const given = [...before, chosen]
    if (given.length < request.questions.length) {
      this.#answers = { requestId: request.requestId, given }
      this.#line = emptyLine
      return undefined
    }
    const answers = Object.fromEntries(
      request.questions.map(({ questionId }, index) => [questionId, given[index] ?? []])
    )
    return answer({ outcome: "answered", answers })
  }

  #finish(request: PendingRequest): void {
    this.#line = emptyLine
    this.#answers = undefined
    this.#sent = new Set([...this.#sent, request.requestId])
  }

  #step(request: PendingRequest): number {
    return this.#answers?.requestId === request.requestId ? this.#answers.given.length : 0
  }

  /** An empty line is for whatever is next. */
  #settle(): void {
    if (this.#line.text !== "") return
    const { offered } = this
    if (offered === undefined) {
      this.#purpose = { for: "prompt" }
      return
    }
    const { request, step } = offered
    const secret = request.kind === "question" && request.questions[step]?.secret === true
    this.#purpose = { for: "answer", requestId: request.requestId, step, secret }
  }
}

const tooLong = `A line has at most ${maxLine.toLocaleString("en")} characters`

const chosenOption = (
  options: ReadonlyArray<{ readonly optionId: string; readonly name: string }>,
  text: string
): PermissionOutcome | undefined => {
  if (text === "0") return { outcome: "cancelled" }
  const named = options.filter((one) => one.name.toLowerCase() === text.toLowerCase())
  const option = /^\d+$/.test(text) ? options[Number(text) - 1] : named.length === 1 ? named[0] : undefined
  return option === undefined ? undefined : { outcome: "selected", optionId: option.optionId }
}

/** The answers that a line gives, or why it gives none. */
const chosenAnswers = (question: Question, text: string): ReadonlyArray<string> | string => {
  const { multiple, options } = question
  const said = question.secret === true ? text : text.trim()
  if (said === "") return "An answer is needed"
  const free = question.freeText || options.length === 0
  const parts = multiple ? said.split(/[\s,]+/).filter((part) => part !== "") : [said]
  if (options.length > 0 && parts.length > 0 && parts.every((part) => /^\d+$/.test(part))) {
    const chosen = [...new Set(parts.map(Number))].map((number) => options[number - 1]?.label)
    if (chosen.every((label) => label !== undefined)) return chosen
    if (!free) return `Type ${multiple ? "numbers" : "a number"} from 1 to ${options.length}`
  }
  const labelled = options.find((one) => one.label.toLowerCase() === said.toLowerCase())
  if (labelled !== undefined) return [labelled.label]
  return free ? [said] : `Type ${multiple ? "numbers" : "a number"} from 1 to ${options.length}`
}
