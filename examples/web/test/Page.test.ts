import { agentTools, ModelStep } from "@holdfast/testkit"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { openStage, type Stage } from "./support/Stage.ts"

/** Where pictures of the pages go, to be looked at; nowhere unless it is named. */
const pictures = process.env["HOLDFAST_PICTURES"]

let stage: Stage
beforeAll(async () => {
  stage = await openStage({
    script: [
      {
        when: "count the tests",
        answers: [[agentTools.codex.shell("echo counted-42")], [ModelStep.text("There are **42** tests.")]]
      },
      { when: "think for long", answers: [[ModelStep.text("Well, "), ModelStep.gate("never"), ModelStep.text("so.")]] }
    ]
  })
})
afterAll(() => stage?.close())

const pages: Array<Page> = []
const open = async (...args: Parameters<Stage["newPage"]>) => {
  const page = await stage.newPage(...args)
  pages.push(page)
  return page
}
afterEach(async () => {
  stage.proxy.heal()
  for (const page of pages.splice(0)) await page.context().close()
})

const picture = async (page: Page, name: string) => {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) })
}

/** Waits until the terminal shows a line. */
const shows = (page: Page, text: string) =>
  page.locator(".xterm-accessibility-tree").getByText(text, { exact: true }).last().waitFor()

/** The lines of the terminal that have anything. */
const screenOf = (page: Page): Promise<ReadonlyArray<string>> =>
  page
    .locator(".xterm-accessibility-tree > div")
    .allTextContents()
    .then((lines) => lines.map((line) => line.trimEnd()).filter((line) => line !== ""))

/** Types a line into what has the focus. */
const enter = async (page: Page, line: string) => {
  await page.keyboard.type(line)
  await page.keyboard.press("Enter")
}

/** Makes a terminal session by the dialog. */
const openTerminal = async (page: Page, { command, title }: { readonly command: string; readonly title: string }) => {
  await page.getByRole("button", { name: "New session" }).first().click()
  const dialog = page.getByRole("dialog", { name: "New session" })
  await dialog.getByRole("radio", { name: /Terminal/ }).check({ force: true })
  await dialog.getByRole("textbox", { name: "Command" }).fill(command)
  await dialog.getByLabel("Workspace").fill(stage.workspace)
  await dialog.getByLabel("Title").fill(title)
  await dialog.getByRole("button", { name: "Open session" }).click()
  await page.getByRole("heading", { name: title }).waitFor()
  await page.locator(".terminal-pane[aria-busy=false]").waitFor()
}

/** A shell that counts its prompts. */
const prompt = "PS1='ready \\#> ' exec bash --norc --noprofile"

describe("the page", () => {
  it("lets in by the link once, and takes the token out of the address bar", async () => {
    const page = await open()
    expect(page.url()).toBe(`http://127.0.0.1:${stage.proxy.port}/`)
    await page.reload()
    await page.getByRole("heading", { name: "Pick up where you left off" }).waitFor()
    await picture(page, "welcome")
  })

  it("says how to get a link to who has none, and that a link was used", async () => {
    const context = await stage.browser.newContext()
    const page = await context.newPage()
    pages.push(page)
    await page.goto(`http://127.0.0.1:${stage.proxy.port}/`)
    await page.getByRole("heading", { name: "You need a link to come in" }).waitFor()
    const link = await stage.link()
    const other = await open()
    await other.goto("about:blank")
    await other.goto(link)
    await other.getByRole("heading", { name: "Pick up where you left off" }).waitFor()
    await page.goto("about:blank")
    await page.goto(link)
    await page.getByText("this link is not good any more").waitFor()
    await picture(page, "signed-out")
  })

  it("runs a shell, and shows the same screen after it was loaded again", async () => {
    const page = await open()
    const colours = "printf '\\033[31mred\\033[0m \\033[1;34mblue\\033[0m\\n'"
    await openTerminal(page, { command: `${colours}; ls --color=always -d /usr/*; ${prompt}`, title: "A shell" })
    await shows(page, "ready 1>")
    await enter(page, "echo $((6 * 7))")
    await shows(page, "ready 2>")
    const before = await screenOf(page)
    await picture(page, "shell-light")
    await page.reload()
    await shows(page, "ready 2>")
    expect(await screenOf(page)).toEqual(before)
    await page.emulateMedia({ colorScheme: "dark" })
    await picture(page, "shell-dark")
    expect(stage.faults).toEqual([])
  })

  it("says that a part of it could not be fetched, and has it once it can be", async () => {
    const page = await open()
    await openTerminal(page, { command: prompt, title: "A part short" })
    const parts = "**/TerminalView-*.js"
    await page.route(parts, (route) => route.abort())
    await page.reload()
    await page.getByRole("alert").getByText("A part of this page could not be fetched").waitFor()
    expect(stage.faults).toEqual([])
    await page.unroute(parts)
    await page.reload()
    await shows(page, "ready 1>")
  })

  it("says at its field what is wrong with a new session", async () => {
    const page = await open()
    await page.keyboard.press("n")
    const dialog = page.getByRole("dialog", { name: "New session" })
    await dialog.getByLabel("Workspace").fill(join(stage.workspace, "nonesuch"))
    await dialog.getByRole("button", { name: "Open session" }).click()
    const field = dialog.getByLabel("Workspace")
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-invalid") === "true")
    expect(await field.getAttribute("aria-invalid")).toBe("true")
    await picture(page, "new-session-problem")
    await page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
  })

  it("shows one session on two pages: what is typed in one is seen in the other, and so is a new name", async () => {
    const one = await open()
    await openTerminal(one, { command: prompt, title: "Shared" })
    await shows(one, "ready 1>")
    const two = await open({ colorScheme: "dark", viewport: { width: 900, height: 600 } })
    await two.getByRole("link", { name: /Shared/ }).click()
    await shows(two, "ready 1>")
    await two.locator(".terminal-pane").click()
    await enter(two, "echo from-two")
    await shows(one, "from-two")
    await one.locator(".terminal-pane").click()
    await enter(one, "echo from-one")
    await shows(two, "from-one")
    await one.getByRole("heading", { name: "Shared" }).dblclick()
    await one.getByRole("textbox", { name: "Title of the session" }).fill("Renamed")
    await one.keyboard.press("Enter")
    await two.getByRole("heading", { name: "Renamed" }).waitFor()
    await two.getByRole("link", { name: /Renamed/ }).waitFor()
    await picture(two, "two")
    expect(stage.faults).toEqual([])
  })

  it("asks for Codex's permission, does what is allowed, and shows it as a terminal too", async () => {
    const page = await open({ colorScheme: "dark" })
    const { sessionId } = await stage.server.holdfast.create({
      backend: "codex",
      title: "Tests of the parser",
      // Codex's own sandbox does not work in folders for temporary files.
      spec: { cwd: stage.workspace, sandbox: "danger-full-access" }
    })
    await page.getByRole("link", { name: /Tests of the parser/ }).click()
    await page.getByRole("textbox", { name: "Prompt" }).fill("Please count the tests")
    await page.keyboard.press("Enter")
    await page.locator(".session-row", { hasText: "Needs you" }).waitFor()
    await picture(page, "permission")
    await page
      .getByRole("button", { name: /^(Yes|Allow|Accept|Approve)/ })
      .first()
      .click()
    await page.getByText("There are 42 tests.").waitFor()
    await page.locator(".session-row", { hasText: "Tests of the parser" }).getByText("Idle").waitFor()
    await page.getByRole("button", { name: "Details" }).click()
    await picture(page, "codex")
    await page.getByRole("button", { name: "Terminal", exact: true }).click()
    await page.locator(".terminal-pane[aria-busy=false]").waitFor()
    await picture(page, "codex-face")
    await page.locator(".xterm-accessibility-tree").getByText("There are").waitFor()
    const log = await stage.server.holdfast.read(sessionId, 0)
    expect("events" in log && log.events.filter(({ type }) => type === "permission.resolved")).toHaveLength(1)
    expect(stage.faults).toEqual([])
  })

  it("stops an agent with Escape", async () => {
    const page = await open()
    await stage.server.holdfast.create({
      backend: "codex",
      title: "Long thoughts",
      spec: { cwd: stage.workspace, sandbox: "danger-full-access" }
    })
    await page.getByRole("link", { name: /Long thoughts/ }).click()
    await page.getByRole("textbox", { name: "Prompt" }).fill("think for long")
    await page.keyboard.press("Enter")
    await page.getByText("Well,", { exact: true }).waitFor()
    const row = page.locator(".session-row", { hasText: "Long thoughts" })
    await row.getByText("Working").waitFor()
    await picture(page, "working")
    await page.keyboard.press("Escape")
    await row.getByText("Idle").waitFor()
    expect(stage.faults).toEqual([])
  })

  it("says that it is offline and how often it tried, and goes on when it is back with what was typed meanwhile", async () => {
    const page = await open()
    await openTerminal(page, { command: prompt, title: "Cut off" })
    await shows(page, "ready 1>")
    stage.proxy.refuse()
    stage.proxy.cut("rst")
    await page
      .getByText(/(Reconnecting|Offline), attempt [2-9]/)
      .first()
      .waitFor()
    await page.locator(".terminal-pane").click()
    await enter(page, "echo kept-1")
    await picture(page, "offline")
    stage.proxy.heal()
    // It may come back by itself in that very moment: then there is nothing to click.
    const connected = page.getByText("Connected", { exact: true }).first().waitFor()
    await Promise.race([page.getByRole("button", { name: "Retry now" }).click(), connected])
    await connected
    await shows(page, "ready 2>")
    expect((await screenOf(page)).filter((line) => line === "kept-1")).toHaveLength(1)
    expect(stage.faults).toEqual([])
  })

  it("goes back to any point of the past, and returns to now", async () => {
    const page = await open()
    await openTerminal(page, { command: prompt, title: "History" })
    await shows(page, "ready 1>")
    await enter(page, "clear; echo first")
    await shows(page, "first")
    await enter(page, "clear; echo second")
    await shows(page, "second")
    await page.keyboard.press("Alt+Shift+H")
    const slider = page.getByRole("slider", { name: "Point in the session's log" })
    await slider.focus()
    const head = Number(await slider.getAttribute("max"))
    for (let at = head; at > 1; at--) {
      if ((await screenOf(page)).includes("first")) break
      await page.keyboard.press("ArrowLeft")
      await page.getByRole("region", { name: new RegExp(`as it was at event ${at - 1}$`) }).waitFor()
    }
    await shows(page, "first")
    await picture(page, "past")
    await page.getByRole("button", { name: "Back to now" }).click()
    await shows(page, "second")
    expect(stage.faults).toEqual([])
  })

  it("puts a session into the archive and takes it out again", async () => {
    const page = await open()
    await openTerminal(page, { command: "exit 3", title: "To be archived" })
    await page.getByText("It has ended: exited with code 3").waitFor()
    await page.getByRole("button", { name: "More" }).click()
    await picture(page, "menu")
    await page.getByRole("menuitem", { name: "Archive" }).click()
    const row = page.getByRole("link", { name: /To be archived/ })
    await row.waitFor({ state: "detached" })
    await page.getByRole("button", { name: /Archived/ }).click()
    await row.waitFor()
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "Unarchive" }).click()
    await page.getByRole("button", { name: /Archived/ }).waitFor({ state: "detached" })
    expect(stage.faults).toEqual([])
  })

  it("fits a phone: the list is a drawer, and a session fills the screen", async () => {
    const page = await open({
      viewport: { width: 390, height: 760 },
      hasTouch: true,
      isMobile: true,
      colorScheme: "dark"
    })
    await page.getByRole("button", { name: "Show the list of sessions" }).click()
    await picture(page, "phone-list")
    await openTerminal(page, { command: prompt, title: "In my hand" })
    await shows(page, "ready 1>")
    await enter(page, "echo $COLUMNS")
    await page.getByRole("toolbar", { name: "Keys" }).getByRole("button", { name: "Up" }).click()
    await shows(page, "ready 2> echo $COLUMNS")
    await picture(page, "phone")
    await page.getByRole("button", { name: "ctrl" }).click()
    await page.keyboard.press("u")
    await enter(page, "echo by-control")
    await shows(page, "by-control")
    const { width } = (await page.locator(".xterm-screen").boundingBox())!
    expect(width).toBeLessThanOrEqual(390)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
    await page.getByRole("button", { name: "Show the list of sessions" }).click()
    await page.getByRole("link", { name: /In my hand/ }).waitFor()
    expect(stage.faults).toEqual([])
  })
})
