import { connect, type HoldfastClient } from "@holdfast/client"
import type { BackendEvent, ItemId, RequestId, TurnId } from "@holdfast/core"
import { agentTools, ModelStep, scriptedAgents, type ScriptedBackend, scriptedBackend } from "@holdfast/testkit"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { signToken } from "./support/signToken.ts"
import { openStage, type Stage } from "./support/Stage.ts"

/** Where pictures of the pages go, to be looked at; nowhere unless it is named. */
const pictures = process.env["HOLDFAST_PICTURES"]

const { codex } = agentTools

let backend: ScriptedBackend
let stage: Stage
beforeAll(async () => {
  backend = scriptedBackend({
    capabilities: {
      prompts: true,
      steer: true,
      interrupt: true,
      permissions: true,
      questions: true,
      resume: true,
      configure: true,
      suspend: true,
      revert: true,
      stopItems: true
    },
    openings: scriptedAgents()
  })
  stage = await openStage({
    backends: [backend],
    script: [
      {
        when: "Make the parser strict",
        answers: [
          [ModelStep.reasoning("**Reading the parser**\n\nIt takes anything."), codex.shell("cat parser.txt")],
          [codex.editFile("parser.txt", "strict = no", "strict = yes")],
          [ModelStep.text("The parser is **strict** now:\n\n```ts\nconst strict = true\n```\n")]
        ]
      }
    ]
  })
})
afterAll(() => stage?.close())

const pages: Array<Page> = []
const clients: Array<HoldfastClient> = []
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close()
  for (const client of clients.splice(0)) await client.close()
})

const picture = async (page: Page, name: string) => {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `timeline-${name}.png`) })
}

/** A page with a new session, and its opening to speak with the agent's voice. */
const openSession = async (title: string, options: Parameters<Stage["newPage"]>[0] = {}) => {
  const count = backend.sessions.length + 1
  const { sessionId } = await stage.server.holdfast.create({ backend: "scripted", spec: {}, title })
  const agent = await Effect.runPromise(backend.opening(count))
  const page = await stage.newPage(options)
  pages.push(page)
  await showSession(page, title)
  return { page, agent, sessionId, say: (...events: ReadonlyArray<BackendEvent>) => agent.say(...events) }
}

const showSession = async (page: Page, title: string) => {
  const list = page.getByRole("button", { name: "Show the list of sessions" })
  if (await list.isVisible()) await list.click()
  await page.getByRole("link", { name: new RegExp(title) }).click()
  await page.getByRole("heading", { name: title }).waitFor()
}

const prompt = async (page: Page, text: string) => {
  const field = page.getByRole("textbox", { name: "Prompt", exact: true })
  await field.fill(text)
  await field.press("Enter")
}

/** Somebody else, with a client of their own. */
const joinAs = (name: string): HoldfastClient => {
  const client = connect({
    url: `http://127.0.0.1:${stage.server.port}`,
    token: signToken(name.toLowerCase().replaceAll(" ", "."), name)
  })
  clients.push(client)
  return client
}

const idle = (page: Page) => page.locator(".pane-facts").getByText("Idle").waitFor()

const turnId = "turn" as TurnId
const item = (id: string) => ({ itemId: id as ItemId, turnId })
const tool = (id: string, kind: "read" | "execute", title: string, output: string): ReadonlyArray<BackendEvent> => [
  {
    type: "item.completed",
    data: {
      ...item(id),
      kind: "tool_call",
      status: "completed",
      tool: { name: "shell", title, kind, status: "completed" },
      output
    }
  }
]
const said = (id: string, text: string): BackendEvent => ({
  type: "item.completed",
  data: { ...item(id), kind: "message", role: "agent", status: "completed", text }
})

const distanceFromEnd = (page: Page) =>
  page
    .locator(".tl-scroll")
    .evaluate(({ clientHeight, scrollHeight, scrollTop }) => scrollHeight - clientHeight - scrollTop)

describe("the timeline", () => {
  it("shows a turn of Codex: its thoughts, the diff that it asks for, who allowed it, and what it came to", async () => {
    writeFileSync(join(stage.workspace, "parser.txt"), "name = parser\nstrict = no\n")
    const { sessionId } = await stage.server.holdfast.create({
      backend: "codex",
      title: "Strict parser",
      // Codex's own sandbox does not work in folders for temporary files.
      spec: { cwd: stage.workspace, sandbox: "danger-full-access", approvalPolicy: "untrusted" }
    })
    const page = await stage.newPage()
    const other = await stage.newPage({ colorScheme: "dark", viewport: { width: 900, height: 900 } })
    pages.push(page, other)
    await showSession(page, "Strict parser")
    await showSession(other, "Strict parser")
    await prompt(page, "Make the parser strict")

    // What is allowed by a button here is known to be allowed there.
    await page
      .getByRole("region", { name: "Permission: Run cat parser.txt" })
      .getByRole("button", { name: "Allow once" })
      .click()
    await other.getByText("Allowed by you").waitFor()

    const request = page.getByRole("region", { name: /^Permission: Edit parser.txt/ })
    await request.getByText("strict = yes").waitFor()
    await picture(page, "codex-permission")
    await other
      .getByRole("region", { name: /^Permission: Edit/ })
      .getByText("strict = yes")
      .waitFor()

    // Grace has no page, but a client; the first answer wins, and everybody sees whose it was.
    const grace = joinAs("Grace Hopper").session(sessionId)
    const view = grace.view()
    await new Promise<void>((resolve) => {
      const look = () => {
        if (Object.keys(view.current.state?.requests ?? {}).length > 0) resolve()
      }
      view.subscribe(look)
      look()
    })
    const [requestId] = Object.keys(view.current.state!.requests)
    await grace.resolve(requestId!, { outcome: "selected", optionId: "accept" })
    view.close()
    for (const one of [page, other]) {
      await one.getByText("Allowed by Grace Hopper").waitFor()
      await one.getByText("The parser is strict now:").waitFor()
      await one.getByText(/^Done after/).waitFor()
    }
    expect(await page.locator(".tl-prompt").count()).toBe(1)
    expect(await page.locator(".tl-code .hljs-keyword").textContent()).toBe("const")
    await page.getByRole("button", { name: /Thought/ }).click()
    await page.getByText("It takes anything.").waitFor()
    await page.locator(".tl-diff-added").getByText("strict = yes").last().waitFor()
    await page.getByRole("button", { name: "1 file" }).click()
    await picture(page, "codex")
    await picture(other, "codex-dark")
    expect(stage.faults).toEqual([])
  })

  it("queues a prompt that can be edited and withdrawn, steers the turn, and stops it", async () => {
    const { page } = await openSession("Queue and steer")
    await prompt(page, "begin and wait for the first")
    await page.getByText("Working", { exact: true }).first().waitFor()

    await prompt(page, "second, with a tpyo")
    const waiting = page.locator(".tl-prompt-queued")
    await waiting.getByRole("button", { name: "Edit" }).click()
    await page.getByRole("textbox", { name: "The prompt" }).fill("second, corrected")
    await page.keyboard.press("Control+Enter")
    await waiting.getByText("second, corrected").waitFor()
    await prompt(page, "third")
    await waiting.getByText("third").waitFor()
    await picture(page, "queued")
    await waiting.filter({ hasText: "third" }).getByRole("button", { name: "Withdraw" }).click()
    await page.locator(".tl-prompt-withdrawn").getByText("third").waitFor()

    await page.getByRole("button", { name: "Into this turn" }).click()
    await prompt(page, "wait, and mind the tests")
    await page.locator(".tl-prompt").filter({ hasText: "mind the tests" }).getByText("into the turn").waitFor()
    await page.getByRole("button", { name: "Stop the turn" }).click()
    await page.getByText(/^Interrupted after/).waitFor()
    // The queue goes on with what was corrected.
    await page.getByRole("article", { name: "Agent" }).getByText("second, corrected").waitFor()
    await idle(page)
    const order = await page.locator(".tl-prompt .tl-plain").allTextContents()
    expect(order).toEqual(["begin and wait for the first", "third", "wait, and mind the tests", "second, corrected"])
    expect(stage.faults).toEqual([])
  })

  it("asks questions with options, free words and secrets by keyboard alone, and keeps no secret", async () => {
    const { page, say, sessionId } = await openSession("Questions")
    await prompt(page, "begin and wait")
    await page.getByText("Working", { exact: true }).first().waitFor()
    const requestId = "q" as RequestId
    say({
      type: "question.asked",
      data: {
        requestId,
        questions: [
          {
            questionId: "v",
            header: "Version",
            text: "Which version?",
            options: [{ label: "1.4.1" }, { label: "1.5.0", description: "With the new option" }],
            multiple: false,
            freeText: true
          },
          {
            questionId: "s",
            text: "Which sections?",
            options: [{ label: "Fixed" }, { label: "Added" }],
            multiple: true,
            freeText: false
          },
          { questionId: "t", text: "The token?", options: [], multiple: false, freeText: true, secret: true }
        ]
      }
    })
    const form = page.getByRole("form", { name: "Question: Which version?" })
    await form.getByText("The token?").waitFor()
    expect(await form.getByRole("button", { name: "Answer", exact: true }).isDisabled()).toBe(true)
    await form.getByRole("radio", { name: "1.4.1" }).focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.type("hunter2")
    await picture(page, "questions")
    expect(await form.getByLabel(/The token\?/).getAttribute("type")).toBe("password")
    await page.keyboard.press("Enter")
    await page.getByText("1.5.0").waitFor()
    await page.getByText("Fixed, Added").waitFor()
    await page.getByText("(not kept)").waitFor()
    expect(JSON.stringify(await stage.server.holdfast.read(sessionId, 0))).not.toContain("hunter2")
    expect(stage.faults).toEqual([])
  })

  it("stays at the end while an agent streams, and where the reader is who scrolled away", async () => {
    const { page, say } = await openSession("Streaming")
    await prompt(page, "begin and wait")
    await page.getByText("Working", { exact: true }).first().waitFor()
    const text = Array.from({ length: 80 }, (_, index) => `Paragraph ${index} says *something*.`).join("\n\n")
    say({ type: "item.started", data: { ...item("long"), kind: "message", role: "agent" } })
    for (let at = 0; at < text.length; at += 40) {
      say({ type: "item.delta", data: { itemId: "long" as ItemId, field: "text", text: text.slice(at, at + 40) } })
    }
    await page.getByText("Paragraph 79").waitFor()
    await page.locator(".tl-markdown em").last().waitFor()
    expect(await distanceFromEnd(page)).toBeLessThanOrEqual(2)

    await page.locator(".tl-scroll").hover()
    await page.mouse.wheel(0, -600)
    await page.getByRole("button", { name: "Newest" }).waitFor()
    const seen = page.getByText("Paragraph 60")
    const before = await seen.boundingBox()
    for (const end of ["More.", "And more.", "And the end of it."])
      say({ type: "item.delta", data: { itemId: "long" as ItemId, field: "text", text: `\n\n${end}` } })
    say(...tool("t1", "execute", "make", "done\n"))
    await page
      .getByRole("article", { name: "Tool call: make" })
      .or(page.getByText("And the end of it."))
      .first()
      .waitFor({ state: "attached" })
    expect(await seen.boundingBox()).toEqual(before)
    await page.getByRole("button", { name: "Newest" }).click()
    await page.getByText("And the end of it.").waitFor()
    expect(await distanceFromEnd(page)).toBeLessThanOrEqual(2)
    expect(stage.faults).toEqual([])
  })

  it("fetches what came before when the reader scrolls up, and nothing in sight jumps", async () => {
    const { say } = await openSession("Long history")
    const events: Array<BackendEvent> = []
    for (let turn = 0; turn < 220; turn++) {
      const id = `turn ${turn}` as TurnId
      events.push(
        { type: "turn.started", data: { turnId: id } },
        said(`m${turn}`, `Answer ${turn}.\n\n${"Words. ".repeat(turn % 60)}`),
        { type: "turn.completed", data: { turnId: id, outcome: "completed" } }
      )
    }
    say(...events)
    const page = await stage.newPage()
    pages.push(page)
    const loads: Array<string> = []
    page.on("request", (request) => {
      if (request.url().includes("/events?")) loads.push(request.url())
    })
    await showSession(page, "Long history")
    await page.getByText("Answer 219.").waitFor()
    expect(await page.locator(".tl-row").count()).toBeLessThan(80)
    const scroller = page.locator(".tl-scroll")
    /** The first answer in sight, and where it is. */
    const inSight = () =>
      page.locator(".tl-message").evaluateAll((elements) => {
        for (const element of elements) {
          const { y } = element.getBoundingClientRect()
          if (y > 120) return { name: element.textContent.split(".")[0] ?? "", y }
        }
        throw new Error("no answer is in sight")
      })
    const loaded = () => page.locator(".tl-rows[aria-busy=false]").waitFor()
    /** Until the rows that a scroll brought are measured: nothing moves for three frames. */
    const settled = () =>
      page.evaluate(async () => {
        const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
        const places = () =>
          Array.from(document.querySelectorAll(".tl-message"), (element) => element.getBoundingClientRect().y).join()
        let last = places()
        for (let same = 0; same < 3;) {
          await frame()
          const now = places()
          same = now === last ? same + 1 : 0
          last = now
        }
      })
    // Rows are measured as they come: what was estimated above may be off by some pixels, and a load by hundreds.
    const lineHeight = 20
    // Nothing is fetched that nobody asked to see.
    expect(loads).toEqual([])
    // What is fetched from here on is held until it is known where everything is without it.
    const held: Array<() => void> = []
    await page.route(/\/events\?/, async (route) => {
      await new Promise<void>((resolve) => held.push(resolve))
      await route.continue()
    })
    const letLoad = () => {
      for (const resume of held.splice(0)) resume()
    }
    // Up, until nothing is left. A load that begins on the way moves nothing that is in sight.
    let watched = 0
    for (let step = 0; step < 200; step++) {
      if (await page.getByText("The beginning").isVisible()) break
      await scroller.evaluate((element) => element.scrollBy(0, -2_000))
      await settled()
      if (held.length === 0) continue
      const { name, y } = await inSight()
      letLoad()
      await loaded()
      await settled()
      const after = await page.locator(".tl-message", { hasText: new RegExp(`^${name}\\.`) }).boundingBox()
      expect(Math.abs((after?.y ?? Number.NaN) - y)).toBeLessThan(lineHeight)
      watched++
    }
    expect(watched).toBeGreaterThan(0)
    await scroller.evaluate((element) => element.scrollTo(0, 0))
    await page.getByText("Answer 0.").waitFor()
    expect(loads.length).toBeGreaterThan(0)
    expect(stage.faults).toEqual([])
  })

  it("keeps a draft over a reload, says why it cannot be sent, and gives it back when it was refused", async () => {
    const { page } = await openSession("Drafts")
    const field = page.getByRole("textbox", { name: "Prompt", exact: true })
    await field.fill("half a thou")
    await page.reload()
    await page.getByText("Connected", { exact: true }).first().waitFor()
    expect(await field.inputValue()).toBe("half a thou")
    stage.proxy.refuse()
    stage.proxy.cut("rst")
    await page.getByText("Not connected: what you write is kept").waitFor()
    expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true)
    stage.proxy.heal()
    await page.getByText("Connected", { exact: true }).first().waitFor()
    await field.press("Enter")
    await page.getByRole("article", { name: "Agent" }).getByText("half a thou").waitFor()
    expect(await field.inputValue()).toBe("")
    await page.reload()
    await page.getByRole("article", { name: "Agent" }).getByText("half a thou").waitFor()
    expect(await field.inputValue()).toBe("")
    expect(stage.faults).toEqual([])
  })

  it("runs no HTML of an agent, asks no other server for its pictures, and fits a phone with odd content", async () => {
    const { page, say } = await openSession("Odd content", {
      viewport: { width: 390, height: 760 },
      hasTouch: true,
      isMobile: true
    })
    const asked: Array<string> = []
    page.on("request", (request) => asked.push(request.url()))
    say(
      { type: "turn.started", data: { turnId } },
      said(
        "odd",
        [
          `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`,
          "![chart](https://pictures.example/chart.png) and [a link](javascript:document.title='pwned')",
          `| ${"column | ".repeat(12)}\n|${" --- |".repeat(12)}\n| ${"a long cell of words | ".repeat(12)}`,
          "```\n" + "a very long line of code ".repeat(20) + "\n```",
          "Antidisestablishmentarianism".repeat(12),
          "# Überschrift 標題 عنوان 🎉",
          "[ref] and more\n\n[ref]: https://defined.example"
        ].join("\n\n")
      ),
      ...tool("r1", "read", "cat a/very/deep/folder/that/goes/on/and/on/and/on/name.ts", "1\n"),
      ...tool("r2", "read", "cat b.ts", "2\n"),
      ...tool(
        "x1",
        "execute",
        "npm run " + "very-long-script-name:".repeat(12),
        "\u001b[32mok\u001b[0m\n" + "line\n".repeat(400)
      ),
      { type: "backend.noted", data: { level: "warning", message: "Something is " + "odd ".repeat(200) } },
      {
        type: "turn.completed",
        data: { turnId, outcome: "failed", error: { message: "the model said no", code: "refused", retryable: false } }
      }
    )
    await page.locator(".tl-error").getByText("the model said no").waitFor()
    await page.getByRole("button", { name: /^Command npm run/ }).click()
    await page.getByRole("button", { name: "Show all 401 lines" }).waitFor()
    await picture(page, "phone-end")
    await page.locator(".tl-scroll").evaluate((element) => element.scrollTo(0, 0))
    await page.getByRole("button", { name: "Load chart from pictures.example" }).waitFor()
    await page.locator(".tl-message").getByText("<script>").waitFor()
    await picture(page, "phone-odd")
    expect(await page.title()).not.toContain("pwned")
    expect(await page.getByRole("link", { name: "a link" }).count()).toBe(0)
    expect(await page.getByRole("link", { name: "ref" }).getAttribute("href")).toBe("https://defined.example")
    expect(asked.filter((url) => !url.startsWith(`http://127.0.0.1:${stage.proxy.port}/`))).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
    expect(await page.locator(".tl-scroll").evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0)
    expect(stage.faults).toEqual([])
  })
})
