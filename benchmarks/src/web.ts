/** How long a browser takes from an address to a terminal that can be used: the page's code, its session, its screen. */
import { ptyBackend } from "@holdfast/adapter-pty"
import type { Backend } from "@holdfast/core"
import { buildPage } from "@holdfast/example-web"
import { type PlainServer, serve } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { scriptedBackend } from "@holdfast/testkit"
import { join } from "node:path"
import { type BrowserContext, chromium } from "playwright-core"
import { atMost, type Figure, inDirectory, median, timed } from "./harness.ts"
import { writeLongSession } from "./serverOpening.ts"

const rounds = 7

/** Most that a load may take, in milliseconds. */
const limit = 1_500

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

const startServer = async (path: string, backends: ReadonlyArray<Backend>): Promise<PlainServer> =>
  serve({
    holdfast: { store: SqliteEventLog.layer({ path }), backends },
    port: 0,
    // Everybody is the owner: the links of others are measured by nothing.
    auth: { kind: "open" },
    page: await buildPage()
  })

/** Loads of a session until its screen is there, each with an empty cache: the first one is not counted. */
const loads = async (context: BrowserContext, url: string, sessionId: string): Promise<ReadonlyArray<number>> => {
  const times: Array<number> = []
  for (let round = -1; round < rounds; round++) {
    const page = await context.newPage()
    const client = await context.newCDPSession(page)
    await client.send("Network.setCacheDisabled", { cacheDisabled: true })
    const ms = await timed(async () => {
      await page.goto(`${url}/#session=${sessionId}`, { waitUntil: "commit" })
      await page.locator(".terminal-pane[aria-busy=false]").waitFor()
    })
    if (round >= 0) times.push(ms)
    await page.close()
  }
  return times
}

/** Figures of the page. */
export const webBenchmarks = (): Promise<ReadonlyArray<Figure>> =>
  inDirectory(async (directory) => {
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: browserFlags })
    try {
      const context = await browser.newContext()
      const short = await startServer(join(directory, "short.db"), [ptyBackend()])
      const { sessionId: shell } = await short.holdfast.create({
        backend: "pty",
        spec: { profile: "command", command: "cat" }
      })
      const first = await loads(context, short.url, shell)
      await short.close()

      const path = join(directory, "long.db")
      const { head, sessionId } = await writeLongSession(path)
      const long = await startServer(path, [scriptedBackend()])
      const then = await loads(context, long.url, sessionId)
      await long.close()
      return [
        atMost("page load to usable terminal, of a program that runs", "ms", median(first), limit),
        atMost(`… of a session of ${head.toLocaleString("en-US")} events and 100 MB`, "ms", median(then), limit)
      ]
    } finally {
      await browser.close()
    }
  })
