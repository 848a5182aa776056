import { ptyBackend } from "@holdfast/adapter-pty"
import {
  emptyTimeline,
  type EventRecord,
  evolveTimeline,
  fold,
  emptyState,
  type Followed,
  layerMemory,
  timelineEntries
} from "@holdfast/core"
import { ClientError, type ClientTerminal, connect, type ConnectOptions, type HoldfastClient } from "@holdfast/client"
import type { PlainServer } from "@holdfast/server"
import { startFaultProxy } from "@holdfast/testkit"
import { createHoldfast } from "@holdfast/runtime"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { openServer, secret, tokenFor, until } from "./ServedClient.ts"

const folder = mkdtempSync(join(tmpdir(), "holdfast-client-"))
const quick = { minMs: 5, maxMs: 50 }
const decoder = new TextDecoder()
let server: PlainServer

beforeAll(async () => {
  server = await openServer()
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

const client = (options: Partial<ConnectOptions> = {}): HoldfastClient =>
  connect({ url: server.url, reconnect: quick, ...options })

const failure = async (promise: Promise<unknown>): Promise<ClientError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof ClientError) return error
    throw error
  }
  throw new Error("it did not fail")
}

/** All events of a session until there are no more, as a client gets them. */
const eventsOf = async (pages: AsyncIterable<Followed>): Promise<ReadonlyArray<EventRecord>> => {
  const events: Array<EventRecord> = []
  for await (const page of pages) {
    if (page.answer === "caught-up") return events
    if ("events" in page) events.push(...page.events)
  }
  return events
}

const shell = (script: string) => ({
  backend: "pty",
  spec: { profile: "command", command: "sh", args: ["-c", script], cwd: folder }
})

/** Collects what a terminal shows, and waits for a text in it. */
const reading = (terminal: ClientTerminal) => {
  let shown = ""
  let looks: Array<() => void> = []
  const add = (bytes: Uint8Array) => {
    shown += decoder.decode(bytes)
    for (const look of looks) look()
  }
  terminal.onReset(({ ansi }) => add(ansi))
  terminal.onData(add)
  const shows = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!shown.includes(text)) return
        looks = looks.filter((one) => one !== look)
        resolve()
      }
      looks.push(look)
      look()
    })
  return { shows, text: () => shown }
}

/** Prompts an agent and waits for the end of its turn. */
const prompted = async (of: HoldfastClient, texts: ReadonlyArray<string>) => {
  const session = await of.create({ backend: "agent", spec: {}, title: "agent" })
  const view = session.view()
  let last: string | null = null
  for (const text of texts) {
    await session.prompt(text)
    const { state } = await until(view, ({ state: now }) => now?.turn === null && now.lastTurnId !== last)
    last = state!.lastTurnId
  }
  return { session, view }
}

describe("a view", () => {
  it("has the server's own state, summary and timeline", async () => {
    await using one = client()
    const { session, view } = await prompted(one, ["first", "second"])
    const { state, summary } = await session.get()
    await until(view, (now) => now.state!.seq >= state.seq)
    assert.deepStrictEqual(view.current.state, state)
    assert.deepStrictEqual(view.current.summary, summary)
    const events = await eventsOf(session.events(0))
    assert.deepStrictEqual(fold(emptyState(session.sessionId), events).prompts, state.prompts)
    assert.deepStrictEqual(
      timelineEntries(view.current.timeline),
      timelineEntries(events.reduce(evolveTimeline, emptyTimeline()))
    )
    const told = await session.timelineAt()
    assert.deepStrictEqual(JSON.parse(JSON.stringify(timelineEntries(view.current.timeline))), told.entries)
    view.close()
  })

  it("that begins late shows the same, and loads what is older when it is asked to", async () => {
    await using one = client()
    const session = await one.create({ backend: "agent", spec: {}, title: "agent" })
    for (const text of ["first", "second", "third", "fourth"]) {
      const { commandId } = await session.prompt(text)
      // Not with a view: an opening is shared by all who ask for one within a moment.
      await server.holdfast.until(
        session.sessionId,
        ({ awaitedTurn, prompts, turn }) =>
          turn === null && awaitedTurn === null && !prompts.some(({ promptId }) => promptId === commandId)
      )
    }
    const late = session.view({ history: 3 })
    await until(late, ({ phase }) => phase === "live")
    assert.isTrue(late.current.hasOlder)
    const whole = session.view()
    await until(whole, ({ phase }) => phase === "live")
    assert.isFalse(whole.current.hasOlder)
    assert.isBelow(late.current.timeline.total, whole.current.timeline.total)
    await Promise.all([late.loadOlder(), late.loadOlder()])
    assert.isFalse(late.current.hasOlder)
    assert.deepStrictEqual(timelineEntries(late.current.timeline), timelineEntries(whole.current.timeline))
    assert.deepStrictEqual(late.current.timeline.usage, whole.current.timeline.usage)
    await session.rename("on they go")
    await Promise.all([late, whole].map((view) => until(view, ({ state }) => state?.title === "on they go")))
    assert.deepStrictEqual(late.current.state, whole.current.state)
  })

  it("goes on after its connection was cut, with what happened meanwhile and without opening anew", async () => {
    await using proxy = await startFaultProxy({ target: { port: server.port } })
    await using near = client()
    await using far = client({ url: `http://127.0.0.1:${proxy.port}` })
    const { session, view: nearby } = await prompted(near, ["first"])
    const view = far.session(session.sessionId).view()
    await until(view, ({ phase }) => phase === "live")
    const phases = new Set<string>()
    view.subscribe(() => phases.add(view.current.phase))
    proxy.refuse()
    proxy.cut("rst")
    await until(far.connection, ({ phase }) => phase === "reconnecting")
    assert.deepStrictEqual(view.current.present, [])
    await session.rename("while it was away")
    proxy.heal()
    await until(view, ({ state }) => state?.title === "while it was away")
    assert.deepStrictEqual([...phases], ["live"])
    await until(nearby, ({ state }) => state?.title === "while it was away")
    assert.deepStrictEqual(timelineEntries(view.current.timeline), timelineEntries(nearby.current.timeline))
  })

  it("tells who is here and who writes", async () => {
    const closed = await openServer({ auth: { kind: "secret", secret } })
    await using _closed = closed
    await using ada = connect({ url: closed.url, token: await tokenFor("ada", 60) })
    await using bob = connect({ url: closed.url, token: await tokenFor("bob", 60, ["viewer"]) })
    const session = await ada.create({ backend: "agent", spec: {} })
    const view = session.view()
    const other = bob.session(session.sessionId)
    const others = other.view()
    await until(
      view,
      ({ present }) =>
        present
          .map(({ name }) => name)
          .toSorted()
          .join() === "ada,bob"
    )
    other.typing(true)
    await until(view, ({ present }) => present.some(({ name, typing }) => name === "bob" && typing))
    assert.strictEqual((await failure(other.rename("mine"))).problem.kind, "forbidden")
    others.close()
    await until(view, ({ present }) => present.length === 1)
  })

  it("is gone where there is no such session, or no more", async () => {
    await using one = client()
    const nothing = one.session("019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071").view()
    const { problem } = await until(nothing, ({ phase }) => phase === "gone")
    assert.match(problem!, /no session/)
    const session = await one.create(shell("exit 0"))
    const view = session.view()
    await until(view, ({ state }) => state?.chart.lifecycle === "closed")
    await session.remove()
    await until(view, ({ phase }) => phase === "gone")
    assert.throws(() => one.session("../../etc/passwd"), ClientError)
  })
})

describe("a terminal", () => {
  it("has the shape of a pty: what is written comes back, sizes reach the program, and its end is told", async () => {
    await using one = client()
    const session = await one.create({ backend: "pty", spec: { profile: "command", command: "sh", cwd: folder } })
    const terminal = session.terminal({ cols: 101, rows: 31 })
    const { shows } = reading(terminal)
    const ended = new Promise((resolve) => terminal.onExit(resolve))
    const resized = new Promise((resolve) => terminal.onResize(resolve))
    assert.deepStrictEqual(await resized, { cols: 101, rows: 31 })
    terminal.write("stty size; echo $((6 * 7))é\n")
    await shows("31 101")
    await shows("42é")
    assert.strictEqual(terminal.cols, 101)
    terminal.write("exit 3\n")
    assert.deepInclude(await ended, { exitCode: 3, signal: null })
    // Who comes late sees the screen, and that it is over.
    const late = session.terminal()
    const { shows: lateShows } = reading(late)
    const over = new Promise((resolve) => late.onExit(resolve))
    await lateShows("42é")
    assert.deepInclude(await over, { exitCode: 3 })
  })

  it("shares one subscription with the views of its session, whoever comes first", async () => {
    await using one = client()
    const session = await one.create(shell("stty raw -echo; printf ready; exec cat"))
    const view = session.view()
    await until(view, ({ phase }) => phase === "live")
    const terminal = session.terminal()
    const first = reading(terminal)
    await first.shows("ready")
    const second = reading(session.terminal())
    await second.shows("ready")
    terminal.write("hello ")
    await second.shows("hello ")
    terminal.write("again")
    await Promise.all([first.shows("hello again"), second.shows("hello again")])
    await until(view, ({ state }) => state!.terminal?.offset === "readyhello again".length)
    assert.strictEqual(first.text().split("hello").length, 2)
  })

  it("opens with a screen that is larger than the window of its subscription", async () => {
    await using small = await openServer({ live: { windowBytes: 2_000 } })
    await using one = connect({ url: small.url })
    const session = await one.create(shell("stty raw -echo; seq 1 2000; printf ready; exec cat"))
    const view = session.view()
    await until(view, ({ state }) => (state?.terminal?.offset ?? 0) > 8_000)
    const terminal = session.terminal()
    const { shows } = reading(terminal)
    await shows("ready")
    terminal.write("and on")
    await shows("and on")
    assert.isNull(one.connection.current.problem)
  })

  it("that is closed while its listener is not done holds back nothing else of its session", async () => {
    await using one = client()
    const session = await one.create(shell("stty raw -echo; printf ready; exec cat"))
    const view = session.view()
    await until(view, ({ phase }) => phase === "live")
    const terminal = session.terminal()
    const given = new Promise<void>((resolve) => {
      terminal.onReset(() => {
        resolve()
        return new Promise<void>(() => {})
      })
    })
    await given
    await session.rename("not told yet")
    terminal.close()
    await until(view, ({ state }) => state?.title === "not told yet")
    assert.strictEqual(view.current.summary?.title, "not told yet")
  })

  it("types once what was typed, over a cut before the server could say so", async () => {
    await using proxy = await startFaultProxy({ target: { port: server.port } })
    await using one = client({ url: `http://127.0.0.1:${proxy.port}` })
    const session = await one.create(shell("stty raw -echo; printf ready; exec cat"))
    const terminal = session.terminal()
    const { shows, text } = reading(terminal)
    await shows("ready")
    // What the server says is lost, so that it is the answer that does not come.
    proxy.inject({ down: { end: { after: 0, how: "swallow" } } })
    terminal.write("<once>")
    await proxy.waitUntil((connections) => connections.some(({ down }) => down.swallowed > 0))
    proxy.cut("rst")
    proxy.heal()
    await shows("<once>")
    terminal.write("<end>")
    await shows("<end>")
    assert.strictEqual(text().split("<once>").length, 2)
  })

  it("gets the screen instead of what it missed, where it did not take output for long", async () => {
    await using one = client()
    const session = await one.create(
      shell("stty raw -echo; printf ready; head -c1; seq 1 400000; printf done; exec cat")
    )
    const terminal = session.terminal()
    let stalled: (() => void) | undefined
    let bytes = 0
    terminal.onData((data) => {
      bytes += data.byteLength
      // Takes the first output, and nothing more for the time being.
      return bytes > 10 && stalled === undefined ? new Promise<void>((resolve) => (stalled = resolve)) : undefined
    })
    const resets: Array<string> = []
    terminal.onReset(({ why }) => void resets.push(why))
    const { shows } = reading(terminal)
    await shows("ready")
    terminal.write("x")
    // All of it: "ready", 400,000 numbers a line each, "done".
    await server.holdfast.until(session.sessionId, ({ terminal: told }) => (told?.offset ?? 0) >= 2_688_904)
    stalled!()
    await shows("done")
    assert.deepStrictEqual(resets, ["opened", "resync"])
    assert.isBelow(bytes, 1_500_000)
    terminal.write("alive")
    await shows("alive")
  })
})

describe("events", () => {
  it("come without gap or duplicate over cuts, from a backlog of thousands", async () => {
    await using proxy = await startFaultProxy({ target: { port: server.port } })
    await using far = client({ url: `http://127.0.0.1:${proxy.port}` })
    await using near = client()
    const session = await near.create({ backend: "agent", spec: {} })
    for (let batch = 0; batch < 10; batch++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => session.rename(`title ${batch}.${index}`)))
    }
    const seqs: Array<number> = []
    let cuts = 0
    for await (const page of far.session(session.sessionId).events(0)) {
      if ("events" in page) seqs.push(...page.events.map(({ seq }) => seq))
      if (cuts < 3) {
        cuts++
        proxy.cut("rst")
        await session.rename(`cut ${cuts}`)
      } else if (page.answer === "caught-up" && seqs.length >= 1_003) break
    }
    assert.strictEqual(cuts, 3)
    assert.deepStrictEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, index) => index + 1)
    )
  })

  it("of one that is not read hold back nothing else on the connection", async () => {
    await using one = client()
    const session = await one.create(shell("stty raw -echo; head -c1; seq 1 200000; printf done; exec cat"))
    const unread = session.events(0)[Symbol.asyncIterator]()
    await unread.next()
    const terminal = session.terminal()
    const { shows } = reading(terminal)
    terminal.write("x")
    await shows("done")
    assert.strictEqual((await session.rename("quick")).sessionId, session.sessionId)
    await unread.return?.()
  })
})

describe("a command", () => {
  it("has its effect once, whether the connection is cut before or after it arrives", async () => {
    await using proxy = await startFaultProxy({ target: { port: server.port } })
    await using far = client({ url: `http://127.0.0.1:${proxy.port}` })
    const session = await far.create({ backend: "agent", spec: {} })
    await until(far.connection, ({ phase }) => phase === "connected")
    // The command is lost.
    proxy.inject({ up: { end: { after: 0, how: "swallow" } } })
    const first = session.rename("first")
    await proxy.waitUntil((connections) => connections.some(({ up }) => up.swallowed > 0))
    proxy.cut("rst")
    await first
    // Its answer is.
    proxy.inject({ down: { end: { after: 0, how: "swallow" } } })
    const second = session.rename("second")
    await proxy.waitUntil((connections) => connections.some(({ down }) => down.swallowed > 0))
    proxy.cut("rst")
    const { lastSeq } = await second
    proxy.heal()
    const renamed = (await eventsOf(session.events(0))).filter(({ type }) => type === "session.renamed")
    assert.deepStrictEqual(
      renamed.map(({ data }) => data["title"]),
      ["first", "second"]
    )
    assert.strictEqual(renamed.at(-1)!.seq, lastSeq)
  })
})

describe("a list", () => {
  it("stays live over changes, cuts, archiving and removing", async () => {
    const holdfast = await createHoldfast({ store: layerMemory, backends: [ptyBackend()] })
    await using _holdfast = holdfast
    await using own = await openServer({ holdfast })
    await using proxy = await startFaultProxy({ target: { port: own.port } })
    await using far = connect({ url: `http://127.0.0.1:${proxy.port}`, reconnect: quick })
    await using near = connect({ url: own.url })
    const list = far.sessions({ archived: false })
    const titles = (now = list.current) => now.sessions.map(({ title }) => title)
    await until(list, ({ caughtUp }) => caughtUp)
    assert.deepStrictEqual(titles(), [])
    const one = await near.create({ ...shell("exit 0"), title: "one" })
    const two = await near.create({ ...shell("exit 0"), title: "two" })
    await until(list, (now) => titles(now).join() === "two,one")
    proxy.refuse()
    proxy.cut("rst")
    await until(far.connection, ({ phase }) => phase === "reconnecting")
    await one.rename("uno")
    const view = two.view()
    await until(view, ({ state }) => state?.chart.lifecycle === "closed")
    await two.remove()
    proxy.heal()
    await until(list, (now) => now.caughtUp && titles(now).join() === "uno")
    await one.archive()
    await until(list, (now) => titles(now).join() === "")
    const archived = near.sessions({ archived: true })
    await until(archived, (now) => titles(now).join() === "uno")
    assert.deepStrictEqual((await near.list({ archived: true })).sessions, archived.current.sessions)
  })
})

describe("a client", () => {
  it("comes back to a server that was stopped and started again", async () => {
    const holdfast = await createHoldfast({ store: layerMemory, backends: [ptyBackend()] })
    await using _holdfast = holdfast
    const first = await openServer({ holdfast })
    await using one = connect({ url: first.url, reconnect: quick })
    const session = await one.create({ ...shell("sleep 60"), title: "before" })
    const view = session.view()
    await until(view, ({ phase }) => phase === "live")
    await first.close()
    const { problem } = await until(one.connection, ({ phase }) => phase === "reconnecting")
    assert.isNotNull(problem)
    assert.strictEqual((await failure(one.backends())).problem.kind, "unavailable")
    const renamed = session.rename("after")
    await using _second = await openServer({ holdfast, port: first.port })
    await renamed
    await until(view, ({ state }) => state?.title === "after")
    await session.closeSession({ force: true })
  })

  it("goes on with another token where the first expires, and is refused where there is none", async () => {
    await using closed = await openServer({ auth: { kind: "secret", secret, clockSkewSeconds: 0 } })
    let asked = 0
    await using one = connect({
      url: closed.url,
      reconnect: quick,
      token: () => {
        asked++
        return tokenFor("ada", asked === 1 ? 6 : 600)
      }
    })
    const phases: Array<string> = []
    one.connection.subscribe(() => phases.push(one.connection.current.phase))
    const first = await until(one.connection, ({ phase }) => phase === "connected")
    await until(one.connection, ({ you }) => (you?.expiresAt ?? 0) > (first.you?.expiresAt ?? 0))
    assert.isAtLeast(asked, 2)
    assert.notInclude(phases, "reconnecting")
    assert.strictEqual((await one.backends()).length, 2)

    await using nobody = connect({ url: closed.url, token: "no.such.token" })
    const { problem } = await until(nobody.connection, ({ phase }) => phase === "refused")
    assert.isNotEmpty(problem)
    assert.strictEqual((await failure(nobody.backends())).problem.kind, "unauthenticated")
    const session = nobody.session("019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071")
    assert.strictEqual((await failure(session.archive())).problem.kind, "unauthenticated")
    assert.strictEqual((await failure(eventsOf(session.events(0)))).problem.kind, "unauthenticated")
  })

  it("lets somebody in to one session with a token that is made for it, until it is taken back", async () => {
    await using closed = await openServer({ auth: { kind: "secret", secret } })
    await using ada = connect({ url: closed.url, token: await tokenFor("ada", 600) })
    const session = await ada.create({ backend: "agent", spec: {} })
    const other = await ada.create({ backend: "agent", spec: {} })
    const { token, tokenId } = await session.share({ role: "viewer", name: "Guest" })
    await using guest = connect({ url: closed.url, token })
    const view = guest.session(session.sessionId).view()
    await until(view, ({ phase }) => phase === "live")
    assert.strictEqual(guest.connection.current.you?.name, "Guest")
    const foreign = guest.session(other.sessionId).view()
    await until(foreign, ({ phase }) => phase === "gone")
    await session.revoke(tokenId)
    await until(guest.connection, ({ phase }) => phase === "refused")
  })

  it("reads and writes files, runs commands, forks, exports and looks at the past", async () => {
    await using one = client()
    const session = await one.create(shell("printf one; exec cat"))
    const view = session.view()
    await until(view, ({ state }) => (state?.terminal?.offset ?? 0) > 0)
    const written = await session.files.write("notes/a b.txt", "héllo")
    const read = await session.files.read("notes/a b.txt")
    assert.strictEqual(decoder.decode(read.bytes), "héllo")
    assert.strictEqual(read.hash, written.hash)
    await session.files.write("notes/a b.txt", "newer", { ifHash: written.hash })
    const late = await failure(session.files.write("notes/a b.txt", "lost", { ifHash: written.hash }))
    assert.isAtLeast(late.problem.status, 409)
    const exists = await failure(session.files.write("notes/a b.txt", "lost", { ifMissing: true }))
    assert.isAtLeast(exists.problem.status, 409)
    assert.strictEqual((await session.files.upload([{ name: "c.bin", content: new Uint8Array(3) }], "notes")).length, 1)
    assert.deepStrictEqual(
      (await session.files.list("notes")).entries.map(({ name }) => name),
      ["a b.txt", "c.bin"]
    )
    assert.strictEqual((await session.files.facts("notes")).kind, "directory")
    assert.strictEqual((await failure(session.files.read("../x"))).problem.kind, "invalid")
    const done = await session.exec("sh", { args: ["-c", "cat; exit 4"], input: "in" })
    assert.deepStrictEqual([done.exitCode, decoder.decode(done.stdout)], [4, "in"])
    assert.include((await session.screen()).lines[0], "one")
    assert.isAbove((await session.timelineAt(2)).seq, 1)
    assert.strictEqual((await session.page({ after: 0, limit: 2 })).cursor, 2)
    await session.addArtifact("a1", { kind: "url", title: "A", url: "https://example.org" })
    assert.deepStrictEqual(
      (await session.artifacts()).map(({ artifactId }) => artifactId),
      ["a1"]
    )
    const lines = (await (await session.export("jsonl")).text()).trim().split("\n")
    assert.isAbove(lines.length, 3)
    assert.include(session.exportUrl("cast"), `/sessions/${session.sessionId}/export?format=cast`)
    const agent = await one.create({ backend: "agent", spec: {}, title: "trunk" })
    const agentView = agent.view()
    await until(agentView, ({ state }) => state?.chart.lifecycle === "open")
    const committed = await agent.workspace({ do: "commit", message: "Fix the build" })
    assert.isTrue(committed.done === "commit" && committed.sha !== null)
    const refused = await failure(agent.workspace({ do: "push" }))
    assert.strictEqual(refused.problem.kind, "unsupported")
    const asleep = await one.create({ backend: "agent", spec: {}, open: false })
    assert.strictEqual((await asleep.get()).state.chart.lifecycle, "created")
    const branch = await agent.fork({ title: "branch" })
    assert.strictEqual((await branch.get()).state.forkedFrom?.sessionId, agent.sessionId)
    assert.include(
      (await one.backends()).map(({ name }) => name),
      "agent"
    )
  })

  it("leaves nothing open when it is closed, and says so of what comes after", async () => {
    const before = server.connections()
    const one = client()
    const session = await one.create({ backend: "agent", spec: {} })
    const view = session.view()
    const list = one.sessions()
    const events = session.events(0)[Symbol.asyncIterator]()
    await until(view, ({ phase }) => phase === "live")
    await until(list, ({ caughtUp }) => caughtUp)
    await events.next()
    const values: Array<string> = []
    const iterated = (async () => {
      for await (const { phase } of view) values.push(phase)
    })()
    await one.close()
    await one.close()
    await iterated
    assert.strictEqual(one.connection.current.phase, "closed")
    assert.strictEqual(view.current.phase, "live")
    assert.strictEqual((await failure(session.archive())).problem.kind, "unavailable")
    await failure(
      (async () => {
        for (;;) if ((await events.next()).done === true) return
      })()
    )
    for (let look = 0; server.connections() > before && look < 1_000; look++) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.isAtMost(server.connections(), before)
  })
})
