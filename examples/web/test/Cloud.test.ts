import type { BackendEvent, OpenRequest } from "@holdfast/core"
import { type ScriptedBackend, scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { Effect } from "effect"
import { join } from "node:path"
import type { BrowserContextOptions, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { openStage, type Stage } from "./support/Stage.ts"

/** Where pictures of the pages go, to be looked at; nowhere unless it is named. */
const pictures = process.env["HOLDFAST_PICTURES"]

/** Openings that have begun and wait for the test, in order. */
const begun: Array<OpenRequest> = []
const waiters: Array<(request: OpenRequest) => void> = []
const nextOpening = (): Promise<OpenRequest> =>
  new Promise((resolve) => {
    const request = begun.shift()
    if (request === undefined) waiters.push(resolve)
    else resolve(request)
  })

let backend: ScriptedBackend
let stage: Stage
beforeAll(async () => {
  const agents = scriptedAgents()
  backend = scriptedBackend({
    name: "cloud",
    capabilities: { prompts: true, interrupt: true, resume: true, suspend: true, permissions: true },
    openings: (request) => {
      const waiter = waiters.shift()
      if (waiter === undefined) begun.push(request)
      else waiter(request)
      return { ...agents(request), waits: "advance" }
    }
  })
  stage = await openStage({
    backends: [scriptedBackend({ name: "codex" }), { ...backend, places: ["docker", "process"] }],
    moves: true
  })
})
afterAll(() => stage?.close())

const pages: Array<Page> = []
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close()
})

const picture = async (page: Page, name: string) => {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `cloud-${name}.png`) })
}

const tell = (request: OpenRequest, ...events: ReadonlyArray<BackendEvent>) =>
  Effect.runPromise(request.tell?.(events) ?? Effect.die("nobody listens"))

const spec = { provider: "docker", inner: { backend: "codex", spec: {} } }

const openPage = async (options?: BrowserContextOptions) => {
  const page = await stage.newPage(options)
  pages.push(page)
  return page
}

const show = async (page: Page, title: string) => {
  const list = page.getByRole("button", { name: "Show the list of sessions" })
  if (await list.isVisible()) await list.click()
  await page.getByRole("link", { name: new RegExp(title) }).click()
  await page.getByRole("heading", { name: title }).waitFor()
}

/** The sandbox's word in the head of the session that is shown. */
const badge = (page: Page, words: string) => page.locator(".pane-facts .sandbox").getByText(words).waitFor()

const badgeless = (page: Page, words: string) =>
  page.locator(".pane-facts").getByText(words).waitFor({ state: "detached" })

const countOfSessions = async () => (await stage.server.holdfast.list({ limit: 1_000 })).sessions.length

describe("a session in a sandbox", () => {
  it("says how far its sandbox is while it starts, and what runs in it where", async () => {
    const page = await openPage()
    const dark = await openPage({ colorScheme: "dark" })
    await stage.server.holdfast.create({ backend: "cloud", spec, title: "Started elsewhere" })
    const request = await nextOpening()
    await tell(request, { type: "sandbox.pending", data: { provider: "docker" } })
    await show(page, "Started elsewhere")
    await show(dark, "Started elsewhere")
    await badge(page, "waiting to start")
    await page.locator(".pane-facts").getByText("Codex").waitFor()
    await tell(request, { type: "sandbox.warming", data: { reason: "pulling the image" } })
    await page.getByText("Starting a docker sandbox: pulling the image").waitFor()
    await page
      .getByRole("link", { name: /Started elsewhere/ })
      .getByText("starting")
      .waitFor()
    await picture(page, "starting")
    await tell(request, { type: "sandbox.syncing", data: { reason: "cloning example/parser" } })
    await badge(page, "preparing the workspace")
    await page.getByText("Preparing the workspace: cloning example/parser").waitFor()
    await picture(dark, "syncing-dark")
    await tell(request, { type: "sandbox.ready", data: { sandboxId: "hf-1" } })
    await Effect.runPromise(backend.advance)
    await badge(page, "ready")
    await page.getByText(/^The docker sandbox was ready after/).waitFor()
    await page.getByRole("button", { name: "Details" }).click()
    await page.getByText("hf-1").waitFor()
    await picture(page, "ready")
    expect(stage.faults).toEqual([])
  })

  it("is begun in the dialog, with a repository and a branch, where the server has sandboxes", async () => {
    const page = await openPage()
    await page.getByRole("button", { name: "New session" }).first().click()
    const dialog = page.getByRole("dialog", { name: "New session" })
    await dialog.getByRole("radio", { name: /Codex/ }).check({ force: true })
    await dialog.getByLabel("Workspace").waitFor()
    await dialog.getByRole("radio", { name: /A sandbox/ }).check({ force: true })
    await dialog.getByLabel("Kind of sandbox").selectOption("process")
    await dialog.getByLabel("Repository").fill("https://git.example.org/anna/parser.git")
    await dialog.getByLabel("Branch to begin from").fill("next")
    await dialog.getByLabel("Title").fill("By the dialog")
    await picture(page, "dialog")
    await dialog.getByRole("button", { name: "Open session" }).click()
    await page.getByRole("heading", { name: "By the dialog" }).waitFor()
    const request = await nextOpening()
    expect(request.spec).toEqual({
      provider: "process",
      inner: { backend: "codex", spec: {} },
      workspace: { repository: "https://git.example.org/anna/parser.git", base: "next" }
    })
    await Effect.runPromise(backend.advance)
    await page.reload()
    await page.getByRole("button", { name: "New session" }).first().click()
    expect(await page.getByLabel("Repository").inputValue()).toBe("https://git.example.org/anna/parser.git")
    await picture(page, "dialog-again")
    expect(stage.faults).toEqual([])
  })

  it("is made without a sandbox, which starts once as somebody begins to write", async () => {
    const page = await openPage()
    const other = await openPage()
    await page.getByRole("button", { name: "New session" }).first().click()
    const dialog = page.getByRole("dialog", { name: "New session" })
    await dialog.getByRole("radio", { name: /Codex/ }).check({ force: true })
    await dialog.getByRole("radio", { name: /A sandbox/ }).check({ force: true })
    await dialog.getByLabel("Repository").fill("")
    await dialog.getByLabel("Title").fill("Waits for words")
    await dialog.getByRole("button", { name: "Open session" }).click()
    await page.getByRole("heading", { name: "Waits for words" }).waitFor()
    await page.getByText("Its sandbox starts as you write").waitFor()
    await page.locator(".pane-facts").getByText("not started").waitFor()
    await picture(page, "not-started")
    expect(begun).toEqual([])
    // Two people write at once, one of them in the terminal face.
    await show(other, "Waits for words")
    await other.getByRole("button", { name: "Terminal", exact: true }).click()
    await other.locator(".terminal-pane[aria-busy=false]").waitFor()
    await Promise.all([
      page.getByRole("textbox", { name: "Prompt", exact: true }).pressSequentially("say hello", { delay: 20 }),
      other.keyboard.type("say it twice", { delay: 20 })
    ])
    const request = await nextOpening()
    await badgeless(page, "not started")
    await tell(request, { type: "sandbox.warming", data: { provider: "docker" } }, { type: "sandbox.ready", data: {} })
    await Effect.runPromise(backend.advance)
    await badge(page, "ready")
    await page.getByRole("button", { name: "Send" }).click()
    await page.getByRole("article", { name: "Agent" }).getByText("say hello").waitFor()
    expect(begun).toEqual([])
    expect(stage.faults).toEqual([])
  })

  it("starts in the terminal face, too, as somebody begins to type there", async () => {
    const page = await openPage()
    await stage.server.holdfast.create({ backend: "cloud", spec, title: "Typed to", open: false })
    await show(page, "Typed to")
    await page.getByRole("button", { name: "Terminal", exact: true }).click()
    await page.locator(".terminal-pane[aria-busy=false]").waitFor()
    await page.keyboard.type("hello")
    await nextOpening()
    await Effect.runPromise(backend.advance)
    expect(stage.faults).toEqual([])
  })

  it("has its sandbox started while the dialog is still open, once a repository is picked", async () => {
    const page = await openPage()
    const made = await countOfSessions()
    await page.getByRole("button", { name: "New session" }).first().click()
    const dialog = page.getByRole("dialog", { name: "New session" })
    await dialog.getByRole("radio", { name: /Codex/ }).check({ force: true })
    await dialog.getByRole("radio", { name: /A sandbox/ }).check({ force: true })
    await dialog.getByLabel("Repository").fill("https://git.example.org/anna/lexer.git")
    await dialog.getByLabel("Branch to begin from").fill("next")
    await dialog.getByLabel("Title").fill("Ahead")
    const request = await nextOpening()
    expect(request.spec).toMatchObject({
      workspace: { repository: "https://git.example.org/anna/lexer.git", base: "next" }
    })
    await tell(request, { type: "sandbox.warming", data: { provider: "docker" } })
    await dialog.getByRole("textbox", { name: "Prompt" }).fill("read it")
    await dialog.getByRole("button", { name: "Open session" }).click()
    await page.getByRole("heading", { name: "Ahead" }).waitFor()
    await badge(page, "starting")
    await Effect.runPromise(backend.advance)
    await page.getByRole("article", { name: "Agent" }).getByText("read it").waitFor()
    // One session, and one opening of it.
    expect(await countOfSessions()).toBe(made + 1)
    expect(begun).toEqual([])

    // What was started for a dialog that is given up leaves nothing.
    await page.getByRole("button", { name: "New session" }).first().click()
    await dialog.getByRole("textbox", { name: "Prompt" }).fill("never mind")
    const { sessionId } = await nextOpening()
    await page.getByRole("link", { name: /Untitled session/ }).waitFor({ state: "attached" })
    await dialog.getByRole("button", { name: "Cancel" }).click()
    await page.getByRole("link", { name: /Untitled session/ }).waitFor({ state: "detached" })
    await expect(stage.server.holdfast.state(sessionId)).rejects.toMatchObject({ _tag: "SessionNotFound" })
    expect(stage.faults).toEqual([])
  })

  it("sleeps, and wakes as somebody begins to write", async () => {
    const page = await openPage({ viewport: { width: 390, height: 780 } })
    const count = backend.sessions.length + 1
    await stage.server.holdfast.create({ backend: "cloud", spec, title: "Put to sleep" })
    const first = await nextOpening()
    await tell(first, { type: "sandbox.warming", data: { provider: "docker" } }, { type: "sandbox.ready", data: {} })
    await Effect.runPromise(backend.advance)
    const session = await Effect.runPromise(backend.opening(count))
    session.say(
      { type: "sandbox.snapshotted", data: { snapshotId: "snap-1", reason: "nobody used it for 30 min" } },
      { type: "backend.suspended", data: { reason: "nobody used it for 30 min" } }
    )
    session.end()
    await show(page, "Put to sleep")
    await badge(page, "asleep")
    await page.getByText("Asleep: nobody used it for 30 min. It wakes as you write").waitFor()
    await picture(page, "asleep-phone")
    await page.getByRole("textbox", { name: "Prompt", exact: true }).pressSequentially("go on")
    const second = await nextOpening()
    expect(second.sandbox).toMatchObject({ snapshotId: "snap-1" })
    await tell(
      second,
      { type: "sandbox.pending", data: { snapshotId: "snap-1" } },
      { type: "sandbox.warming", data: { reason: "restoring what was kept" } }
    )
    await page.getByText("Waking a sandbox: restoring what was kept").waitFor()
    await badge(page, "waking")
    await picture(page, "waking-phone")
    await tell(second, { type: "sandbox.ready", data: {} })
    await Effect.runPromise(backend.advance)
    await badge(page, "ready, restored")
    await page.getByText(/^The sandbox was restored after/).waitFor()
    await page.getByRole("button", { name: "Send" }).click()
    await page.getByRole("article", { name: "Agent" }).getByText("go on").waitFor()
    expect(stage.faults).toEqual([])
  })

  it("is moved once its turn has ended, which can be called off while it is waited for", async () => {
    const page = await openPage()
    const { sessionId } = await stage.server.holdfast.create({ backend: "cloud", spec, title: "Busy" })
    await nextOpening()
    await Effect.runPromise(backend.advance)
    const prompt = { content: [{ type: "text", text: "ask permission" }] } as const
    await stage.server.holdfast.command(sessionId, { type: "prompt.send", data: prompt })
    await show(page, "Busy")
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "Move…" }).click()
    const dialog = page.getByRole("dialog", { name: "Move the session" })
    await dialog.getByRole("radio", { name: /This machine/ }).waitFor()
    // Not to where it is.
    expect(await dialog.getByRole("radio", { name: /container/ }).count()).toBe(0)
    await dialog.getByText(/prompts wait meanwhile/).waitFor()
    await dialog.getByRole("button", { name: "Move it" }).click()
    await dialog.getByText("Waiting for the end of the turn…").waitFor()
    await picture(page, "moving")
    await page.mouse.click(5, 5)
    await dialog.getByRole("button", { name: "Stop moving" }).click()
    await dialog.getByRole("button", { name: "Move it" }).waitFor()
    await dialog.getByRole("button", { name: "Cancel" }).click()
    await dialog.waitFor({ state: "detached" })
    expect(await stage.server.holdfast.state(sessionId)).toMatchObject({ backend: "cloud", generation: 1 })
    expect(stage.faults).toEqual([])
  })

  it("says why its sandbox could not be started, and that one does not answer", async () => {
    const page = await openPage()
    const count = backend.sessions.length + 1
    await stage.server.holdfast.create({ backend: "cloud", spec, title: "Silent" })
    const first = await nextOpening()
    await tell(first, { type: "sandbox.warming", data: { provider: "docker" } }, { type: "sandbox.ready", data: {} })
    await Effect.runPromise(backend.advance)
    const session = await Effect.runPromise(backend.opening(count))
    session.say({ type: "sandbox.stale", data: { reason: "no heartbeat for 90 s" } })
    await show(page, "Silent")
    await badge(page, "not answering")
    await page.getByText("The sandbox does not answer: no heartbeat for 90 s").waitFor()
    await page
      .getByRole("link", { name: /Silent/ })
      .getByText("not answering")
      .waitFor()
    await picture(page, "silent")
    session.say({ type: "sandbox.ready", data: {} })
    await page.getByText(/^The sandbox did not answer for/).waitFor()

    await stage.server.holdfast.create({ backend: "cloud", spec, title: "No image" })
    const request = await nextOpening()
    await tell(
      request,
      { type: "sandbox.warming", data: { provider: "docker" } },
      { type: "sandbox.failed", data: { reason: "there is no image holdfast-sandbox" } }
    )
    await show(page, "No image")
    await page.getByText(/^The docker sandbox failed.*: there is no image holdfast-sandbox$/).waitFor()
    await badge(page, "failed")
    await picture(page, "failed")
    await Effect.runPromise(backend.advance)
    expect(stage.faults).toEqual([])
  })
})
