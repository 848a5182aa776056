/** A real server on a real store, with real terminals and a scripted agent, as the protocol's properties use it. */
import { ptyBackend } from "@holdfast/adapter-pty"
import { type EventRecord, type SessionId } from "@holdfast/core"
import { TerminalScreen } from "@holdfast/runtime"
import { type PlainServer, serve } from "@holdfast/server"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { scriptedAgents, scriptedBackend } from "@holdfast/testkit"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ClientTerminal } from "../src/index.ts"

/** What is tested against. */
export interface ProtocolHouse {
  readonly server: PlainServer
  /** A terminal that says `ready`, and then exactly the bytes that are typed. With `flood`, two megabytes come first. */
  readonly echo: (flood: boolean) => Promise<SessionId>
  /** A session of an agent that answers prompts. */
  readonly agent: () => Promise<SessionId>
  /** All that the log has of a session, and whether something of it was compacted. */
  readonly log: (
    sessionId: SessionId
  ) => Promise<{ readonly events: ReadonlyArray<EventRecord>; readonly isWhole: boolean }>
  /** Ends a session and takes it out of the list. */
  readonly remove: (sessionId: SessionId) => Promise<void>
  readonly close: () => Promise<void>
}

/** A client hears nothing for half a second, and gives the connection up. */
const heartbeatMs = 200

/** Output of a terminal before anything is typed. */
export const greeting = "ready"

const floodLines = 300_000

/** What a flood says first. */
export const floodText = () => Array.from({ length: floodLines }, (_, index) => `${index + 1}\n`).join("")

/** Two megabytes. */
export const floodBytes = floodText().length

export const openProtocolHouse = async (): Promise<ProtocolHouse> => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-protocol-"))
  const agents = scriptedBackend({
    name: "agent",
    capabilities: { prompts: true, interrupt: true, permissions: true, questions: true, resume: true, fork: true },
    openings: scriptedAgents()
  })
  const server = await serve({
    port: 0,
    live: { heartbeatMs },
    holdfast: { store: SqliteEventLog.layer({ path: join(folder, "log.db") }), backends: [ptyBackend(), agents] }
  })
  const { holdfast } = server

  const create = async (backend: string, spec: unknown) => {
    const { sessionId } = await holdfast.create({
      backend,
      spec,
      owner: { participantId: "owner" as never, name: "Owner" }
    })
    await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
    return sessionId
  }

  return {
    server,
    echo: async (flood) => {
      // Nothing is typed before the terminal takes it as it is.
      const script = `stty raw -echo; printf ${greeting}; ${flood ? `head -c1; seq 1 ${floodLines}; ` : ""}exec cat`
      const sessionId = await create("pty", { profile: "command", command: "sh", args: ["-c", script], cwd: folder })
      for await (const page of holdfast.follow(sessionId, 0)) {
        if ("events" in page && page.events.some(({ type }) => type === "terminal.output")) break
      }
      return sessionId
    },
    agent: () => create("agent", {}),
    log: async (sessionId) => {
      const events: Array<EventRecord> = []
      let isWhole = true
      for (let cursor = 0; ;) {
        const page = await holdfast.read(sessionId, cursor, { limit: 10_000 })
        if (page.answer !== "exact") isWhole = false
        if (page.answer === "gap") throw new Error(`the server's own log has a gap: ${page.detail}`)
        events.push(...page.events)
        cursor = page.cursor
        if (page.cursor >= page.head) return { events, isWhole }
      }
    },
    remove: async (sessionId) => {
      await holdfast.command(sessionId, { type: "session.close", data: { force: true } })
      await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
      await holdfast.remove(sessionId)
    },
    close: async () => {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** A terminal emulator that shows what a client is told. */
export class WatchedTerminal {
  screen: TerminalScreen | undefined
  /** Why each screen came. */
  readonly resets: Array<"opened" | "resync"> = []
  #drawn: Promise<void> = Promise.resolve()
  readonly #onChange: () => void

  constructor(terminal: ClientTerminal, onChange: () => void) {
    this.#onChange = onChange
    terminal.onReset(({ ansi, cols, rows, why }) => {
      this.resets.push(why)
      return this.#draw(async () => {
        this.screen?.dispose()
        this.screen = new TerminalScreen(cols, rows)
        await this.screen.write([ansi])
      })
    })
    terminal.onData((bytes) => this.#draw(async () => this.screen!.write([bytes])))
  }

  /** What is seen, cursor and all. */
  shown(): { readonly lines: ReadonlyArray<string>; readonly modes: unknown } | undefined {
    return this.screen === undefined ? undefined : { lines: this.screen.lines(), modes: this.screen.modes() }
  }

  #draw(draw: () => Promise<void>): Promise<void> {
    this.#drawn = this.#drawn.then(draw).then(this.#onChange)
    return this.#drawn
  }
}
