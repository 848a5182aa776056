/** Servers that do not start, that are somebody else's, and that lose their host. */
import { BackendLost } from "@holdfast/core"
import { promises } from "@holdfast/process"
import { agentTools, openSession, within } from "@holdfast/testkit"
import { Effect, Fiber, Result, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { describe, expect, it } from "vitest"
import { opencodeBackend, type OpencodeBackendOptions } from "../src/index.ts"
import { openOpencodeHouse } from "./opencodeHouse.ts"

const test = (name: string, run: () => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it(name, { timeout: 120_000 }, () => Effect.runPromise(Effect.scoped(run())))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-opencode-server-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A program in the place of Opencode: what it does when it is asked to serve. */
const impostor = (serve: string, version = "1.18.33") =>
  Effect.map(temporaryFolder, (folder) => {
    const path = join(folder, "opencode")
    writeFileSync(path, `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; exit 0; fi\n${serve}\n`)
    chmodSync(path, 0o755)
    return { folder, path }
  })

/** Opens a session that cannot be opened, and gives why; nothing is left of the attempt. */
const failureOf = (options: OpencodeBackendOptions) =>
  Effect.gen(function* () {
    const backend = opencodeBackend(options)
    const opened = yield* Effect.result(openSession(backend, { cwd: tmpdir() }))
    yield* backend.release!
    expect(Result.isFailure(opened)).toBe(true)
    if (Result.isSuccess(opened)) throw new Error("it was opened")
    expect(opened.failure).toBeInstanceOf(BackendLost)
    return opened.failure as BackendLost
  })

const listen = (answer: Parameters<typeof createServer>[1]) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer(answer!)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )

describe("an Opencode that cannot be started", () => {
  test("because there is none says how to install it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const error = yield* failureOf({ agentsFolder: folder, env: { values: { PATH: folder } } })
      expect(error).toMatchObject({ retryable: false })
      expect(error.message).toContain("npm install")
      expect(error.message).toContain("opencode-ai@1.18.33")
    }))

  test("because it is too old says which version is needed", () =>
    Effect.gen(function* () {
      const { path } = yield* impostor("exit 0", "1.2.3")
      const error = yield* failureOf({ path })
      expect(error).toMatchObject({ retryable: false })
      expect(error.message).toMatch(/1\.2\.3.*1\.18\.33/)
    }))

  test("because it ends at once says what its last words were", () =>
    Effect.gen(function* () {
      const { path } = yield* impostor("echo 'no space left on device' >&2; exit 7")
      const error = yield* failureOf({ path })
      expect(error).toMatchObject({ retryable: true })
      expect(error.message).toContain("no space left on device")
    }))

  test("because it never listens is given up after a deadline, and ended", () =>
    Effect.gen(function* () {
      const { folder, path } = yield* impostor(`echo $$ > "$(dirname "$0")/pid"; exec sleep 600`)
      const failing = yield* Effect.forkChild(failureOf({ path, startDeadlineMs: 2_000 }))
      const file = join(folder, "pid")
      while (!existsSync(file) || readFileSync(file, "utf8") === "") yield* Effect.sleep(20)
      const identity = yield* Effect.promise(() => promises.identify(Number(readFileSync(file, "utf8"))))
      expect(identity).toBeDefined()
      expect((yield* Fiber.join(failing)).message).toContain("2000 ms")
      expect(yield* Effect.promise(() => promises.tree({ root: identity }))).toEqual([])
    }))

  test("because it prints megabytes of garbage and nothing else is given up as well", () =>
    Effect.gen(function* () {
      const { path } = yield* impostor("head -c 5000000 /dev/zero; head -c 3000000 /dev/urandom; exit 3")
      expect(yield* failureOf({ path, startDeadlineMs: 20_000 })).toMatchObject({ retryable: true })
    }))

  test("because it says that it listens and does not is told as lost", () =>
    Effect.gen(function* () {
      const { path } = yield* impostor(
        `head -c 100000 /dev/zero; echo; echo opencode server listening on http://127.0.0.1:1; exec sleep 600`
      )
      expect(yield* failureOf({ path, startDeadlineMs: 20_000 })).toMatchObject({ retryable: true })
    }))
})

describe("a server at an address", () => {
  test("that wants another password says so, and is not tried again", () =>
    Effect.gen(function* () {
      const url = yield* listen((_, response) => {
        response.writeHead(401, { "www-authenticate": 'Basic realm="Secure Area"' }).end()
      })
      const error = yield* failureOf({ server: { url, password: "wrong" } })
      expect(error).toMatchObject({ retryable: false })
      expect(error.message).toContain("wrong username or password")
    }))

  test("that is another program is not taken for one", () =>
    Effect.gen(function* () {
      const url = yield* listen((_, response) => {
        response.writeHead(200, { "content-type": "text/html" }).end("<html></html>")
      })
      const error = yield* failureOf({ server: { url } })
      expect(error).toMatchObject({ retryable: false })
      expect(error.message).toContain("is this an Opencode server?")
    }))

  test("that is too old is refused with the version that is needed", () =>
    Effect.gen(function* () {
      const url = yield* listen((_, response) => {
        response.writeHead(200, { "content-type": "application/json" }).end('{"healthy":true,"version":"1.2.3"}')
      })
      expect((yield* failureOf({ server: { url } })).message).toMatch(/1\.2\.3.*1\.18\.33/)
    }))

  test("where nobody listens may be there later", () =>
    Effect.gen(function* () {
      expect(yield* failureOf({ server: { url: "http://127.0.0.1:1" } })).toMatchObject({ retryable: true })
    }))

  it("has to be one", () => {
    for (const url of ["nonsense", "file:///etc/passwd", "http://"]) {
      expect(() => opencodeBackend({ server: { url } })).toThrow(/server\.url/)
    }
  })
})

describe("a host that is killed", () => {
  test("in the middle of a tool leaves no process, and the session goes on in the next host", () =>
    Effect.gen(function* () {
      const house = yield* openOpencodeHouse(({ prompt, step }) =>
        prompt.startsWith("run") && step === 0 ? [agentTools.opencode.shell(prompt.slice(4))] : undefined
      )
      const folders = yield* temporaryFolder
      const what = { options: house.options, cwd: house.project, prompt: "run sleep 299" }
      const flags = ["--conditions=@holdfast/source", "--disable-warning=ExperimentalWarning"]
      const host = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [...flags, join(import.meta.dirname, "opencodeHost.ts"), JSON.stringify(what)], {
            env: { ...process.env, XDG_RUNTIME_DIR: folders },
            stdio: ["ignore", "pipe", "inherit"]
          })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      const told: Array<{ readonly type: string; readonly data: Record<string, string> }> = []
      const running = Effect.promise(async () => {
        for await (const line of createInterface({ input: host.stdout })) {
          const event = JSON.parse(line) as (typeof told)[number]
          told.push(event)
          if (event.type === "item.updated" && event.data["status"] === "in_progress") return
        }
        throw new Error("the host ended")
      })
      yield* within("the tool", running)
      const marker = told.find(({ type }) => type === "process.spawned")!.data["marker"]!
      const nativeId = told.find(({ type }) => type === "opened")!.data["nativeId"]!
      const processes = Effect.promise(() => promises.tree({ marker }))
      const waitFor = (fits: (count: number) => boolean) =>
        Effect.gen(function* () {
          while (!fits((yield* processes).length)) yield* Effect.sleep(20)
        })
      // Its keeper, the server, and what the tool runs.
      yield* within(
        "a process of the tool",
        waitFor((count) => count > 2)
      )

      const exited = once(host, "exit")
      host.kill("SIGKILL")
      yield* Effect.promise(() => exited)
      yield* within(
        "the end of all that it had started",
        waitFor((count) => count === 0)
      )

      const runtimeFolder = process.env["XDG_RUNTIME_DIR"]
      process.env["XDG_RUNTIME_DIR"] = folders
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (runtimeFolder === undefined) delete process.env["XDG_RUNTIME_DIR"]
          else process.env["XDG_RUNTIME_DIR"] = runtimeFolder
        })
      )
      const backend = opencodeBackend(house.options)
      yield* Effect.addFinalizer(() => backend.release!)
      const again = yield* openSession(backend, { cwd: house.project }, { nativeId, generation: 2 })
      // What the dead host had left of its configuration is gone, and there is one for this one.
      expect(readdirSync(folders)).toHaveLength(1)
      expect((yield* again.ask("hello")).said).toBe("hello")
      expect(JSON.stringify(again.events)).not.toContain("sleep 299")
    }))
})
