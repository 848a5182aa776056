import { serveBridgeSocket } from "@holdfast/example-cli/bridges"
import { ensureBridge } from "@holdfast/example-cli/bridge"
import { cloudSessions } from "@holdfast/example-cli/cloud"
import { sandboxProviders } from "@holdfast/example-cli/sandboxes"
import type { ParticipantId } from "@holdfast/core"
import { type GitServer, type ServedRepository, startGitServer } from "@holdfast/testkit"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openStage, type Stage } from "./support/Stage.ts"

/** Where pictures of the pages go, to be looked at; nowhere unless it is named. */
const pictures = process.env["HOLDFAST_PICTURES"]

const folder = mkdtempSync(join(tmpdir(), "hf-web-"))
const closing: Array<() => Promise<unknown>> = []
let git: GitServer
let repository: ServedRepository
let stage: Stage
beforeAll(async () => {
  await ensureBridge()
  git = await startGitServer()
  repository = await git.repository("parser")
  await repository.commit("main", { "README.md": "# Parser\n\nReads anything.\n", "parser.txt": "strict = no\n" })
  const socket = join(folder, "bridges", "socket")
  const providers = sandboxProviders({ folder: join(folder, "sandboxes"), agentsFolder: undefined })
  const cloud = await cloudSessions({
    owner: "page",
    providers: [providers.process],
    controlPlane: `unix:${socket}`,
    agentVariables: [],
    agentsFolder: undefined
  })
  const bridges = await serveBridgeSocket(cloud.gateway, socket)
  stage = await openStage({ backends: [cloud.backend], moves: true })
  const { process: provider } = providers
  // A session that is still open leaves its sandbox to the next server.
  const destroyAll = () =>
    Effect.runPromise(
      Effect.flatMap(provider.list("page"), (left) =>
        Effect.forEach(left, ({ sandboxId }) => provider.destroy(sandboxId), { discard: true })
      )
    )
  closing.push(
    () => git.close(),
    destroyAll,
    cloud.close,
    () => bridges.close(),
    stage.close
  )
})
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
  rmSync(folder, { recursive: true, force: true })
})

const picture = async (page: Page, name: string) => {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `sandbox-${name}.png`) })
}

describe("a terminal in a sandbox", () => {
  it("starts in a clone, and what it changed is looked at, committed and pushed from the page", async () => {
    const page = await stage.newPage()
    await page.getByRole("button", { name: "New session" }).first().click()
    const dialog = page.getByRole("dialog", { name: "New session" })
    await dialog.getByRole("radio", { name: /Terminal/ }).check({ force: true })
    await dialog.getByRole("radio", { name: /A sandbox/ }).check({ force: true })
    await dialog
      .getByRole("textbox", { name: "Command" })
      .fill("sed -i s/no/yes/ parser.txt; echo Strict. > notes.md; echo changed-it; exec cat")
    await dialog.getByLabel("Repository").fill(repository.url)
    await dialog.getByLabel("Title").fill("Strict parser")
    await dialog.getByRole("button", { name: "Open session" }).click()
    await page.getByRole("heading", { name: "Strict parser" }).waitFor()
    await page.locator(".xterm-accessibility-tree").getByText("changed-it", { exact: true }).last().waitFor()
    await page.locator(".pane-facts .sandbox").getByText("ready").waitFor()
    await picture(page, "terminal")

    await page.getByRole("button", { name: "Changes", exact: true }).click()
    const files = page.getByRole("list", { name: "Changed files" })
    await files.getByText("notes.md").waitFor()
    await files.getByRole("button", { name: /parser\.txt/ }).click()
    await files.locator(".tl-diff-added").getByText("strict = yes").waitFor()
    await files.locator(".tl-diff-removed").getByText("strict = no").waitFor()
    await picture(page, "changes")
    await page.emulateMedia({ colorScheme: "dark" })
    await picture(page, "changes-dark")
    await page.setViewportSize({ width: 390, height: 780 })
    await picture(page, "changes-phone")
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
    await page.setViewportSize({ width: 1280, height: 800 })

    await page.getByRole("textbox", { name: "Commit message" }).fill("Be strict")
    await page.getByRole("button", { name: "Commit", exact: true }).click()
    await page.getByText(/^Committed as/).waitFor()
    await page.getByRole("button", { name: "Push", exact: true }).click()
    await page.getByText(/^Pushed at/).waitFor()
    const [branch] = (await repository.git("branch", "--list", "holdfast/*", "--format=%(refname:short)"))
      .trim()
      .split("\n")
    expect((await repository.git("log", "-1", "--format=%s by %an", branch!)).trim()).toBe("Be strict by Anna Berg")
    expect(await repository.git("show", `${branch}:parser.txt`)).toBe("strict = yes")
    await page.getByRole("button", { name: "Timeline", exact: true }).click()
    await page.getByText(/^Committed/).waitFor()
    await page.getByText(/^Pushed/).waitFor()
    await picture(page, "timeline")

    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "End the session" }).click()
    await page.getByRole("button", { name: "End it" }).click()
    await page.locator(".pane-facts .sandbox").getByText("stopped").waitFor()
    expect(readdirSync(join(folder, "sandboxes", "sandboxes"))).toEqual([])
    expect(stage.faults).toEqual([])
  })
})

describe("moving a session", () => {
  it("takes a terminal's work into a sandbox and back, by keyboard, and says where it goes on", async () => {
    const page = await stage.newPage()
    const place = join(stage.workspace, "moved")
    mkdirSync(place)
    writeFileSync(join(place, "notes.txt"), "written-here\n")
    const { sessionId } = await stage.server.holdfast.create({
      backend: "pty",
      spec: { profile: "command", command: "sh", args: ["-c", "cat notes.txt; exec cat"], cwd: place },
      title: "Goes places"
    })
    const screen = page.locator(".xterm-accessibility-tree")
    await page.getByRole("link", { name: /Goes places/ }).click()
    await screen.getByText("written-here", { exact: true }).last().waitFor()

    const dialog = page.getByRole("dialog")
    const ask = async () => {
      await page.getByRole("button", { name: "More" }).focus()
      await page.keyboard.press("Enter")
      await page.getByRole("menuitem", { name: "Move…" }).press("Enter")
      await dialog.getByRole("heading", { name: "Move the session" }).waitFor()
    }
    await ask()
    await dialog.getByRole("radio", { name: /Processes kept apart/ }).waitFor()
    expect(await dialog.getByRole("radio", { name: /Processes kept apart/ }).isChecked()).toBe(true)
    await dialog.getByText(/started anew there/).waitFor()
    await picture(page, "move")
    await page.keyboard.press("Enter")
    await dialog.getByText("The session runs in a process sandbox now.").waitFor()
    await picture(page, "moved")
    await page.keyboard.press("Enter")
    await dialog.waitFor({ state: "detached" })
    await page.locator(".pane-facts .sandbox").getByText("ready").waitFor()
    await screen.getByText("written-here", { exact: true }).last().waitFor()
    expect((await stage.server.holdfast.state(sessionId)).backend).toBe("cloud")

    // A folder that cannot be is said at its field, and the session stays where it is.
    await ask()
    await dialog.getByRole("radio", { name: /This machine/ }).waitFor()
    expect(await dialog.getByLabel("Folder").inputValue()).toBe(place)
    await dialog.getByLabel("Folder").fill("moved/here")
    await dialog.getByRole("button", { name: "Move it" }).click()
    await dialog.getByText("Give the whole path of the folder").waitFor()
    await dialog.getByLabel("Folder").fill(join(place, "notes.txt"))
    await page.keyboard.press("Enter")
    await dialog.getByText(/Nothing has changed: it goes on where it is\.$/).waitFor()
    await page.setViewportSize({ width: 390, height: 780 })
    await page.emulateMedia({ colorScheme: "dark" })
    await picture(page, "move-refused-phone-dark")
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.emulateMedia({ colorScheme: "light" })
    await dialog.getByLabel("Folder").fill(place)
    await page.keyboard.press("Enter")
    await dialog.getByText("The session runs on this machine now.").waitFor()
    await dialog.getByRole("button", { name: "Done" }).click()
    await page.locator(".pane-facts .sandbox").waitFor({ state: "detached" })
    expect(await stage.server.holdfast.state(sessionId)).toMatchObject({ backend: "pty", spec: { cwd: place } })
    expect(stage.faults).toEqual([])
  })

  it("is offered to owners of the session only", async () => {
    const page = await stage.newPage()
    const open = async (title: string, role: "owner" | "member") => {
      const { holdfast } = stage.server
      const { sessionId } = await holdfast.create({
        backend: "pty",
        spec: { profile: "shell", cwd: stage.workspace },
        title,
        open: false
      })
      const data = { participantId: "owner" as ParticipantId, name: "Anna Berg", role }
      await holdfast.command(sessionId, { type: "participant.join", data })
      await page.getByRole("link", { name: new RegExp(title) }).click()
      await page.getByRole("heading", { name: title }).waitFor()
      await page.getByRole("button", { name: "More" }).click()
      await page.getByRole("menuitem", { name: "Rename" }).waitFor()
      return page.getByRole("menuitem", { name: "Move…" }).count()
    }
    expect(await open("Only a member", "member")).toBe(0)
    expect(await open("Owned", "owner")).toBe(1)
  })
})
