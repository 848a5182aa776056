/** A real server with the page, and a real browser in front of it: one of each for a test file. */
import { codexBackend } from "@holdfast/adapter-codex"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { Backend } from "@holdfast/core"
import { movedWorkspaces } from "@holdfast/git"
import { type PlainServer, serve } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import {
  type ModelScript,
  type PlainFaultProxy,
  type PlainScriptedModel,
  startFaultProxy,
  startScriptedModel,
  writeCodexHome
} from "@holdfast/testkit"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { buildPage } from "../../buildPage.ts"

/** Without the services that a browser runs for a person: each of them would talk to the outside. */
const browserFlags = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/** Makes tokens of other people than the one whose links the server gives out (HS256). */
export const secret = "0123456789abcdef0123456789abcdef"

/** What is different from the usual. */
export interface StageOptions {
  /** What the model behind Codex says. Without it there is no Codex. */
  readonly script?: ModelScript
  /** Backends beside terminals and Codex. */
  readonly backends?: ReadonlyArray<Backend>
  /** Its sessions can be moved. */
  readonly moves?: boolean
}

/** See {@link openStage}. */
export interface Stage {
  readonly server: PlainServer
  /** The way from the browser to the server. */
  readonly proxy: PlainFaultProxy
  readonly browser: Browser
  /** A directory to work in. */
  readonly workspace: string
  /** Somebody's page, signed in. Those of one test share no cookies. */
  readonly newPage: (options?: BrowserContextOptions) => Promise<Page>
  /** A link that signs in, through the proxy. */
  readonly link: () => Promise<string>
  /** What went wrong in any page: errors that nobody caught, and what the console says of errors. */
  readonly faults: ReadonlyArray<string>
  readonly close: () => Promise<void>
}

/** Opens it. */
export const openStage = async ({ backends = [], moves = false, script }: StageOptions = {}): Promise<Stage> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-web-"))
  const workspace = join(folder, "workspace")
  mkdirSync(workspace)
  const model: PlainScriptedModel | undefined = script === undefined ? undefined : await startScriptedModel({ script })
  const codex =
    model === undefined ? undefined : writeCodexHome({ folder: join(folder, "codex"), url: model.url }).environment
  const server = await serve({
    holdfast: {
      store: SqliteEventLog.layer({ path: join(folder, "sessions.db") }),
      backends: [ptyBackend(), ...(codex === undefined ? [] : [codexBackend({ env: { values: codex } })]), ...backends],
      ...(moves ? { handoff: { folder: join(folder, "moving"), workspaces: movedWorkspaces() } } : {})
    },
    port: 0,
    auth: { kind: "secret", secret },
    owner: { participantId: "owner", name: "Anna Berg" },
    page: await buildPage()
  })
  const proxy = await startFaultProxy({ target: { port: server.port } })
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: browserFlags })
  const faults: Array<string> = []

  const link = async () => (await server.startLink()).replace(`:${server.port}/`, `:${proxy.port}/`)
  const newPage = async (options: BrowserContextOptions = {}) => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      // Terminals are drawn on a canvas: their text is what screen readers are given.
      storageState: {
        cookies: [],
        origins: [
          {
            origin: `http://127.0.0.1:${proxy.port}`,
            localStorage: [{ name: "holdfast.terminal.screen-reader", value: "yes" }]
          }
        ]
      },
      ...options
    })
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    page.on("pageerror", (error) => faults.push(error.stack || String(error)))
    page.on("console", (message) => {
      // The browser's own words about answers and connections: tests refuse some on purpose.
      if (message.type() !== "error" || /^(Failed to load resource|WebSocket connection)/.test(message.text())) return
      faults.push(message.text())
    })
    await page.goto(await link())
    await page.locator(".shell[data-phase=connected]").waitFor()
    return page
  }

  return {
    server,
    proxy,
    browser,
    workspace,
    newPage,
    link,
    faults,
    close: async () => {
      await browser.close()
      await proxy.close()
      await server.close()
      await model?.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
