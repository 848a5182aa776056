import { createServer, type Server } from "node:net"
import type { AddressInfo } from "node:net"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { makeSessionId } from "@holdfast/core"
import { makeSandboxToken } from "@holdfast/adapter-cloud"
import { Effect } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { askedOnceUsed } from "../src/sandbox/AskedOnceUsed.ts"
import { sandboxProviders } from "../src/sandbox/sandboxProviders.ts"
import { ownerPlace, sandboxPlace } from "../src/store/StorePath.ts"
import { Home } from "./support/Home.ts"

let home: Home
beforeEach(async () => {
  home = await Home.make()
})
afterEach(() => home.close())

interface Session {
  readonly sessionId: string
  readonly lifecycle: string
  readonly reason: string | null
}
interface Sandbox {
  readonly sandboxId: string
  readonly provider: string
  readonly condition: string
  readonly sessionId: string
  readonly owned: boolean
}
const sessionOf = async (sessionId: string) =>
  (await home.json<{ readonly sessions: ReadonlyArray<Session> }>("ls")).sessions.find(
    (one) => one.sessionId === sessionId
  )!
const sandboxes = async () => (await home.json<{ readonly sandboxes: ReadonlyArray<Sandbox> }>("sandboxes")).sandboxes

/** Starts a session that goes on in a sandbox; gives its id once its program runs. */
const started = async (...program: ReadonlyArray<string>) => {
  const { code, err, out } = await home.run("run", "--cloud", "process", "--detach", "--", ...program)
  expect({ code, err }).toMatchObject({ code: 0 })
  await logged(out.trim(), "process.spawned")
  return out.trim()
}

/** Waits until the owner has gone by itself. */
const endedOwner = async (of: Home) => {
  while (!(await of.owner())!.released) await new Promise((resolve) => setTimeout(resolve, 50))
}

/** Waits for an event of a type. */
const logged = async (sessionId: string, type: string) => {
  const log = home.start(["log", sessionId, "--follow", "--json"])
  await log.printed(`"type":"${type}"`)
  log.child.kill("SIGINT")
  await log.ended
}

/** A server that takes connections and never says a word: what is fetched from it goes on for ever. */
const silentServers: Array<Server> = []
const silentServer = () =>
  new Promise<string>((resolve) => {
    const server = createServer(() => {}).listen(0, "127.0.0.1", () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/repository.git`)
    })
    silentServers.push(server)
  })
afterEach(() => {
  for (const server of silentServers.splice(0)) server.close()
})

describe("run --cloud", () => {
  it("shows a program that runs in a sandbox as one that runs here, says how far the sandbox is, and leaves none", async () => {
    const { code, err, out } = await home.run(
      ..."run --cloud process --env COLOUR=green -- sh -c".split(" "),
      'echo "$COLOUR for $HOME"; exit 3'
    )
    expect(out).toMatch(/^green for \S+\r\n$/)
    expect(out).not.toContain(`for ${homedir()}\r`)
    expect(code).toBe(3)
    expect(err).toContain("holdfast: starting a process sandbox")
    expect(await sandboxes()).toEqual([])
  })

  it("types into it, and leaves it running in a terminal", async () => {
    const terminal = home.terminal(["run", "--cloud", "process", "--", "sh", "-c", "echo begun; exec cat"])
    await terminal.shows("begun")
    terminal.type("typed here\r")
    await terminal.shows("typed here")
    terminal.type("\u001c")
    await terminal.shows("keeps running")
    expect(await terminal.exited).toBe(0)
    const [sandbox] = await sandboxes()
    expect(sandbox).toMatchObject({ provider: "process", condition: "running", owned: true })
    const list = await home.run("sandboxes")
    expect(list.out).toMatch(
      /^SANDBOX +PROVIDER +CONDITION +SESSION +AGE +TITLE\n\w{12,} +process +running +\w+ +\w+ +sh -c .*\n$/
    )

    const refused = await home.run("sandboxes", "stop", sandbox!.sandboxId)
    expect(refused).toMatchObject({ code: 3, out: "" })
    expect(refused.err).toContain("holdfast kill")
    expect((await home.run("kill", sandbox!.sessionId)).code).toBe(0)
    expect(await sandboxes()).toEqual([])
  })

  it("removes the sandbox where Ctrl-C comes before it is ready", async () => {
    const terminal = home.terminal(["run", "--cloud", "process", "--repo", await silentServer(), "--", "cat"])
    await terminal.shows("preparing the workspace")
    terminal.type("\u0003")
    await terminal.shows("stopping; the sandbox is removed")
    expect(await terminal.exited).toBe(130)
    expect(await sandboxes()).toEqual([])
    const { sessions } = await home.json<{ readonly sessions: ReadonlyArray<Session> }>("ls")
    expect(sessions[0]).toMatchObject({ lifecycle: "closed" })
  })

  it("says before anything is made why there can be no sandbox, and what its flags are for", async () => {
    const wrong = [
      [["--repo", "https://git.example.org/a.git"], "--repo, --branch and --image are for --cloud"],
      [["--cloud", "process", "--branch", "next"], "--branch is a branch of --repo"],
      [["--cloud", "process", "--cwd", "."], "begins in its workspace"]
    ] as const
    for (const [flags, why] of wrong) {
      const refused = await home.run("run", ...flags, "--", "true")
      expect(refused).toMatchObject({ code: 1, out: "" })
      expect(refused.err).toContain(why)
    }
    const unknown = await home.run("run", "--cloud", "process", "--repo", "/nowhere/at/all", "--", "true")
    expect(unknown.code).toBe(4)
    expect(unknown.err).toContain("could not be opened")
    const { sessions } = await home.json<{ readonly sessions: ReadonlyArray<Session> }>("ls")
    expect(sessions).toMatchObject([{ lifecycle: "failed" }])
  })
})

describe("a container engine that does not answer", () => {
  it("is not looked for by whoever never used one, and missed by whoever did", async () => {
    const other = await Home.make({ DOCKER_HOST: "unix:///nowhere/engine.sock" })
    try {
      await other.recorded("true")
      const { log } = ownerPlace(other.store)
      expect(readFileSync(log, "utf8")).not.toContain("cannot be listed")
      await endedOwner(other)
      const { folder } = sandboxPlace(other.store)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, "uses-docker"), "")
      await other.recorded("true")
      await endedOwner(other)
      expect(readFileSync(log, "utf8")).toContain("cannot be listed")
      expect((await other.run("doctor")).out).toContain("no docker sandboxes")
    } finally {
      await other.close()
    }
  })

  it("is asked for what it has once it was to make something", async () => {
    const { docker } = sandboxProviders({ folder: join(home.directory, "sandboxes"), agentsFolder: undefined })
    const asked: Array<string> = []
    const counted = { ...docker, list: (owner: string) => Effect.sync(() => (asked.push(owner), [])) }
    const mark = join(home.directory, "kept", "uses-docker")
    const provider = askedOnceUsed(counted, mark)
    expect(await Effect.runPromise(provider.list("me"))).toEqual([])
    expect(asked).toEqual([])
    const sessionId = makeSessionId()
    const request = { owner: "me", sessionId, generation: 1, environment: {}, controlPlane: "gopher://nowhere" }
    expect(await Effect.runPromise(Effect.flip(provider.create(request)))).toMatchObject({ operation: "create" })
    await Effect.runPromise(askedOnceUsed(counted, mark).list("me"))
    expect(asked).toEqual(["me"])
  })
})

describe("a sandbox", () => {
  it("goes on when the owner of its session is killed, and nothing that happened meanwhile is lost", async () => {
    const program = "n=0; while test ! -e stop; do n=$((n + 1)); echo line $n; sleep 0.05; done; exit 7"
    const sessionId = await started("sh", "-c", program)
    process.kill((await home.owner())!.pid, "SIGKILL")
    expect((await home.run("doctor")).out).toContain("1 session goes on in its sandbox")
    // The next owner takes it up.
    const terminal = home.terminal(["attach", sessionId])
    await logged(sessionId, "link.connected")
    await terminal.shows("line ")
    terminal.type("\u001c")
    expect(await terminal.exited).toBe(0)
    await home.run("kill", sessionId)
    const { out } = await home.run("replay", sessionId)
    const numbers = [...out.matchAll(/line (\d+)\r\n/g)].map(([, number]) => Number(number))
    expect(numbers.length).toBeGreaterThan(5)
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    expect((await sessionOf(sessionId)).lifecycle).toBe("closed")
  })

  it("of no session is listed as nobody's, and pruned", async () => {
    const { folder, owner } = sandboxPlace(home.store)
    const { process: provider } = sandboxProviders({ folder, agentsFolder: undefined })
    const sessionId = makeSessionId()
    const token = makeSandboxToken(sessionId, 1)
    const made = await Effect.runPromise(
      provider.create({
        owner,
        sessionId,
        generation: 1,
        // Nobody listens there.
        controlPlane: "http://127.0.0.1:9",
        environment: {
          HOLDFAST_BRIDGE_TOKEN: token,
          HOLDFAST_BRIDGE_SESSION: sessionId,
          HOLDFAST_BRIDGE_GENERATION: "1"
        }
      })
    )
    expect(await sandboxes()).toMatchObject([{ sandboxId: made.sandboxId, sessionId, owned: false }])
    const list = await home.run("sandboxes", "list")
    expect(list.out).toContain("nobody's")
    expect(list.err).toContain("1 sandbox of no session: holdfast sandboxes prune")
    expect(await home.json("sandboxes", "prune")).toEqual({ removed: [made.sandboxId] })
    expect(await sandboxes()).toEqual([])
    expect(await Effect.runPromise(provider.status(made.sandboxId))).toBe("gone")
    expect((await home.run("sandboxes", "stop", "abcdef")).code).toBe(2)
  })
})
