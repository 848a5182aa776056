/** Cloud sessions on real sandboxes while connections break and processes die. The seed of what is random is printed. */
import { type EventLogService, type EventRecord, makeMemory, type SessionId } from "@holdfast/core"
import { promises } from "@holdfast/process"
import { makeHoldfast } from "@holdfast/runtime"
import { makeFaultProxy } from "@holdfast/testkit"
import { Effect, Fiber } from "effect"
import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { expect, it } from "vitest"
import { bridgeFile } from "../../bridge/test/support/bridgeFile.ts"
import { openHost } from "./support/cloudHost.ts"
import { openCloudHouse, testFolder } from "./support/cloudHouse.ts"

const seed = Number(process.env["HOLDFAST_CLOUD_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** Mulberry32: small, and the same for the same seed. */
const randomFrom = (from: number) => {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const shell = (source: string) => ({
  inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", `stty -opost -echo; ${source}`] } }
})

const readAll = Effect.fnUntraced(function* (log: EventLogService, sessionId: SessionId) {
  const events: Array<EventRecord> = []
  for (let cursor = 0; ;) {
    const page = yield* log.read(sessionId, cursor)
    if (page.answer !== "gap") events.push(...page.events)
    cursor = page.cursor
    if (cursor >= page.head) return events
  }
})

const outputOf = (events: ReadonlyArray<EventRecord>) =>
  Buffer.concat(events.flatMap(({ bytes, type }) => (type === "terminal.output" ? [bytes!] : []))).toString()

/** Each event of the sandbox is in the log once, in order. */
const expectGapless = (events: ReadonlyArray<EventRecord>) => {
  const origins = events
    .flatMap(({ origin }) => (origin === undefined ? [] : [origin]))
    .filter((origin, index, all) => origin !== all[index - 1])
  expect(origins).toEqual(origins.map((_, index) => index + 1))
}

const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("")

it(`A flood and what is typed arrive whole and once, however often the connection breaks (seed ${seed})`, () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const random = randomFrom(seed)
        const proxies: Array<Effect.Success<ReturnType<typeof makeFaultProxy>>> = []
        const { backend } = yield* openCloudHouse({
          way: (port) =>
            Effect.map(makeFaultProxy({ target: { port } }), (proxy) => {
              proxies.push(proxy)
              return proxy.port
            }),
          policy: { heartbeatMs: 200, staleAfterMs: 30_000 }
        })
        const log = makeMemory()
        const holdfast = yield* makeHoldfast(log, { backends: [backend] })
        const source = `echo ready; read go; seq -f 'line %.0f' 60000; for i in 1 2 3 4 5 6 7 8 9 10; do read x; echo "got $x"; done`
        const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: shell(source) })
        // Its terminal echoes nothing by now.
        yield* holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > 0)
        const breaking = yield* Effect.gen(function* () {
          for (;;) {
            const after = Math.floor(random() * 200_000)
            const how = (["fin", "rst", "swallow"] as const)[Math.floor(random() * 3)]!
            proxies[0]!.inject({
              [random() < 0.7 ? "up" : "down"]: { end: { after: random() < 0.3 ? 0 : after, how } }
            })
            yield* Effect.sleep(50 + random() * 300)
          }
        }).pipe(Effect.forkChild)
        const type = (text: string) =>
          holdfast.command(sessionId, {
            type: "terminal.write",
            data: { bytes: new TextEncoder().encode(`${text}\n`) }
          })
        yield* type("go")
        for (let number = 1; number <= 9; number++) yield* type(String(number))
        // The program is there until its last line comes, and that comes when something has broken.
        yield* Effect.timeout(
          holdfast.until(sessionId, ({ chart }) => chart.link === "reconnecting"),
          20_000
        )
        yield* type("10")
        yield* Effect.sleep(1_500)
        yield* Fiber.interrupt(breaking)
        proxies[0]!.heal()
        proxies[0]!.cut("rst")
        const state = yield* Effect.timeout(
          holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
          30_000
        )
        expect(state.end).toMatchObject({ exitCode: 0 })
        const events = yield* readAll(log, sessionId)
        expectGapless(events)
        const typed = Array.from({ length: 10 }, (_, index) => `got ${index + 1}\n`).join("")
        expect(outputOf(events)).toBe(`ready\n${lines(60_000)}${typed}`)
        expect(events.filter(({ type }) => type === "link.reconnecting").length).toBeGreaterThan(0)
      })
    )
  ))

it(`A terminal goes on while its host is killed again and again, and its log has all of it once (seed ${seed})`, () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const random = randomFrom(seed)
        const folder = yield* testFolder
        const bridge = yield* Effect.promise(bridgeFile)
        const spec = shell(`i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done; read x; exit 4`)
        const program = join(import.meta.dirname, "support/cloudHost.ts")
        for (let kill = 0; kill < 2; kill++) {
          const host = spawn(
            process.execPath,
            ["--conditions=@holdfast/source", program, folder, bridge, JSON.stringify(spec)],
            {
              stdio: ["ignore", "pipe", "inherit"]
            }
          )
          const exited = new Promise((resolve) => host.once("close", resolve))
          const said = createInterface({ input: host.stdout })[Symbol.asyncIterator]()
          expect((yield* Effect.promise(() => said.next())).value).toMatch(/^[0-9a-f-]{36}$/)
          yield* Effect.sleep(random() * 500)
          host.kill("SIGKILL")
          yield* Effect.promise(() => exited)
        }
        const { holdfast, log } = yield* openHost(folder, bridge)
        const { sessions } = yield* log.sessions({ limit: 10 })
        const { sessionId } = sessions[0]!
        yield* holdfast.until(sessionId, ({ chart }) => chart.link === "connected")
        const newline = new TextEncoder().encode("\n")
        yield* holdfast.command(sessionId, { type: "terminal.write", data: { bytes: newline } })
        const state = yield* Effect.timeout(
          holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
          30_000
        )
        expect(state).toMatchObject({ generation: 1, end: { exitCode: 4 } })
        const events = yield* readAll(log, sessionId)
        expectGapless(events)
        expect(outputOf(events)).toBe(lines(400))
      })
    )
  ))

it("What runs in a sandbox ends by itself where its host never comes back, and a host that comes later clears it away", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* testFolder
        const bridge = yield* Effect.promise(bridgeFile)
        const program = join(import.meta.dirname, "support/cloudHost.ts")
        const words = [program, folder, bridge, JSON.stringify(shell("sleep 1000 & sleep 1000")), "1500"]
        const host = spawn(process.execPath, ["--conditions=@holdfast/source", ...words], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        const exited = new Promise((resolve) => host.once("close", resolve))
        const said = createInterface({ input: host.stdout })[Symbol.asyncIterator]()
        const sessionId = (yield* Effect.promise(() => said.next())).value as SessionId
        host.kill("SIGKILL")
        yield* Effect.promise(() => exited)
        const mine = readdirSync(join(folder, "sandboxes", "sandboxes")).map((name) =>
          join(folder, "sandboxes", "sandboxes", name)
        )
        expect(mine).toHaveLength(1)
        const { sandboxId } = JSON.parse(readFileSync(join(mine[0]!, "record.json"), "utf8")) as { sandboxId: string }
        const inside = Effect.promise(() => promises.tree({ variables: [`HOLDFAST_SANDBOX=${sandboxId}`] }))
        expect(yield* inside).not.toEqual([])
        yield* Effect.repeat(Effect.delay(inside, 50), { until: (found) => found.length === 0 }).pipe(
          Effect.timeout(20_000)
        )

        const { holdfast } = yield* openHost(folder, bridge)
        const state = yield* Effect.timeout(
          holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
          20_000
        )
        expect(state.chart.sandbox).toBe("stopped")
        while (existsSync(mine[0]!)) yield* Effect.sleep(20)
      })
    )
  ))

it(`A session whose bridge is killed ends with the reason, and nothing of its sandbox is left (seed ${seed})`, () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const random = randomFrom(seed)
        const { backend, provider } = yield* openCloudHouse({ policy: { lingerMs: 100 } })
        const log = makeMemory()
        const holdfast = yield* makeHoldfast(log, { backends: [backend] })
        const { sessionId } = yield* holdfast.create({
          backend: "cloud",
          spec: shell("sleep 1000 & seq 1 100000; wait")
        })
        const open = yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
        yield* Effect.sleep(random() * 300)
        const { sandboxId } = open.sandbox!
        const inside = yield* Effect.promise(() => promises.tree({ variables: [`HOLDFAST_SANDBOX=${sandboxId}`] }))
        const isBridge = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(process.execPath)
        const found = inside.find(({ pid }) => isBridge(pid))
        process.kill(found!.pid, "SIGKILL")
        const state = yield* Effect.timeout(
          holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed" || chart.lifecycle === "failed"),
          30_000
        )
        expect(state.end?.reason).toContain("its sandbox has ended")
        expectGapless(yield* readAll(log, sessionId))
        const left = Effect.promise(() => promises.tree({ variables: [`HOLDFAST_SANDBOX=${sandboxId}`] }))
        while ((yield* left).length > 0 || (yield* provider.list("test")).length > 0) yield* Effect.sleep(20)
      })
    )
  ))
