import { emptyState, makeSessionId, noCapabilities, type Question, type SessionState } from "@holdfast/core"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { readAs, readAttachment } from "../../src/timeline/Attachments.ts"
import { type DraftStorage, keepDraft, maxDrafts, maxDraftText, readDraft } from "../../src/timeline/Drafts.ts"
import { answersTo, choose, type GivenAnswers, type } from "../../src/timeline/QuestionAnswers.ts"
import { sendingOf } from "../../src/timeline/Sending.ts"
import { TypingSignal } from "../../src/timeline/TypingSignal.ts"

const storage = (): DraftStorage => {
  const kept = new Map<string, string>()
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) }
}

describe("Drafts", () => {
  it("are kept for each session until they are sent", () => {
    const store = storage()
    keepDraft(store, "a", "for a")
    keepDraft(store, "b", "for b")
    keepDraft(store, "a", "")
    assert.deepStrictEqual([readDraft(store, "a"), readDraft(store, "b")], ["", "for b"])
  })

  it("are bounded in number and length: the one that was not touched the longest gives way", () => {
    const store = storage()
    for (let index = 0; index <= maxDrafts; index++) keepDraft(store, `s${index}`, "x".repeat(maxDraftText + 1))
    assert.strictEqual(readDraft(store, "s0"), "")
    assert.lengthOf(readDraft(store, "s1"), maxDraftText)
  })

  it("are not kept where the browser forbids it or has something else there, and nothing breaks", () => {
    const forbidden: DraftStorage = {
      getItem: () => {
        throw new Error("denied")
      },
      setItem: () => {
        throw new Error("denied")
      }
    }
    assert.strictEqual(readDraft(forbidden, "a"), "")
    assert.isFalse(keepDraft(forbidden, "a", "x"))
    const strange = storage()
    strange.setItem("holdfast.drafts", `{"a":1}`)
    assert.strictEqual(readDraft(strange, "a"), "")
    assert.isTrue(keepDraft(strange, "a", "x"))
    assert.strictEqual(readDraft(strange, "a"), "x")
  })
})

describe("The signal that somebody writes", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("is told at the first key, seldom after, and ends when nothing is written any more", () => {
    const told: Array<boolean> = []
    const signal = new TypingSignal((typing) => void told.push(typing))
    for (let key = 0; key < 20; key++) {
      signal.wrote()
      vi.advanceTimersByTime(100)
    }
    assert.deepStrictEqual(told, [true])
    vi.advanceTimersByTime(2_000)
    signal.wrote()
    assert.deepStrictEqual(told, [true, true])
    vi.advanceTimersByTime(10_000)
    assert.deepStrictEqual(told, [true, true, false])
  })

  it("ends at once when the prompt is sent, and says nothing where nobody wrote", () => {
    const told: Array<boolean> = []
    const signal = new TypingSignal((typing) => void told.push(typing))
    signal.stop()
    signal.wrote()
    signal.stop()
    vi.advanceTimersByTime(10_000)
    assert.deepStrictEqual(told, [true, false])
  })
})

describe("Whether a prompt can be sent", () => {
  const state = (more: Partial<SessionState>, lifecycle: SessionState["chart"]["lifecycle"] = "open"): SessionState => {
    const empty = emptyState(makeSessionId())
    return {
      ...empty,
      capabilities: { ...noCapabilities, prompts: true, interrupt: true, steer: true, resume: true },
      ...more,
      chart: { ...empty.chart, lifecycle }
    }
  }
  const turn = { turnId: "t", promptId: null }

  it("is said with the reason where it cannot", () => {
    assert.match(sendingOf(state({}), false).reason ?? "", /Not connected/)
    assert.match(sendingOf(state({ capabilities: noCapabilities }), true).reason ?? "", /takes no prompts/)
    assert.match(sendingOf(state({}, "closed"), true).reason ?? "", /ended/)
    assert.match(sendingOf(state({}, "closing"), true).reason ?? "", /closing/)
  })

  it("is so for sessions that a prompt wakes", () => {
    assert.isNull(sendingOf(state({}, "suspended"), true).reason)
    assert.isNull(sendingOf(state({ nativeId: "n" }, "closed"), true).reason)
  })

  it("lets steer and stop only while a turn runs and the backend can", () => {
    assert.deepInclude(sendingOf(state({}), true), { steerInto: null, stoppable: null })
    assert.deepInclude(sendingOf(state({ turn }), true), { steerInto: "t", stoppable: "t" })
    const capabilities = { ...noCapabilities, prompts: true }
    assert.deepInclude(sendingOf(state({ turn, capabilities }), true), { steerInto: null, stoppable: null })
  })
})

describe("Answers to questions", () => {
  const question = (id: string, more: Partial<Question> = {}): Question => ({
    questionId: id,
    text: "?",
    options: [{ label: "yes" }, { label: "no" }],
    multiple: false,
    freeText: true,
    ...more
  })

  it("are sent when each question has one", () => {
    const one = question("a")
    const several = question("b", { multiple: true })
    let given: GivenAnswers = choose({}, one, "yes")
    assert.isNull(answersTo(given, [one, several]))
    given = choose(choose(given, several, "yes"), several, "no")
    assert.deepStrictEqual(answersTo(given, [one, several]), { a: ["yes"], b: ["yes", "no"] })
    given = choose(given, several, "yes")
    assert.deepStrictEqual(answersTo(given, [one, several]), { a: ["yes"], b: ["no"] })
  })

  it("are one thing or the other where there is one: words take the place of a choice, and a choice that of words", () => {
    const one = question("a")
    const typed = type(choose({}, one, "yes"), one, " perhaps ")
    assert.deepStrictEqual(answersTo(typed, [one]), { a: ["perhaps"] })
    assert.deepStrictEqual(answersTo(choose(typed, one, "no"), [one]), { a: ["no"] })
  })

  it("leave a secret as it was typed", () => {
    const secret = question("s", { secret: true, options: [] })
    assert.deepStrictEqual(answersTo(type({}, secret, " pass "), [secret]), { s: [" pass "] })
  })
})

describe("Files of a prompt", () => {
  it("are pictures and texts of a bounded size; others are refused with a reason", () => {
    assert.strictEqual(readAs({ name: "a.png", size: 10, type: "image/png" }), "picture")
    assert.strictEqual(readAs({ name: "a.ts", size: 10, type: "" }), "text")
    assert.deepStrictEqual(readAs({ name: "a.png", size: 5_000_000, type: "image/png" }), {
      problem: "a.png has more than 4 MB"
    })
    assert.property(readAs({ name: "a.svg", size: 10, type: "image/svg+xml" }), "problem")
    assert.property(readAs({ name: "a.log", size: 1_000_000, type: "text/plain" }), "problem")
  })

  it("become content blocks", async () => {
    const bytes = new Uint8Array(70_000).map((_, index) => index)
    const picture = await readAttachment(new File([bytes], "a.png", { type: "image/png" }))
    assert.deepInclude(picture, {
      block: { type: "image", mimeType: "image/png", data: Buffer.from(bytes).toString("base64") }
    })
    const text = await readAttachment(new File(["hé"], "a b.txt", { type: "text/plain" }))
    assert.deepInclude(text, {
      block: { type: "resource", uri: "file:///a%20b.txt", name: "a b.txt", mimeType: "text/plain", text: "hé" }
    })
    const binary = await readAttachment(new File([new Uint8Array([0, 255, 0])], "a.bin"))
    assert.deepStrictEqual(binary, { problem: "a.bin is neither a picture nor text" })
  })
})
