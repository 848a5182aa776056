import { makeSessionId } from "@holdfast/core"
import type { SandboxProvider, SandboxRequest } from "@holdfast/core/cloud"
import { sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect, type Scope } from "effect"
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { processSandboxes, type ProcessSandboxesOptions } from "../../src/process.ts"
import { remainsBelow } from "./sandboxRemains.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-host-side-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const request = (changes: Partial<SandboxRequest> = {}): SandboxRequest => ({
  owner: "host-side",
  sessionId: makeSessionId(),
  generation: 1,
  environment: {},
  controlPlane: "http://127.0.0.1:9",
  ...changes
})

/** A provider in a folder of its own, whose sandboxes are gone when the scope closes. */
const provider = (options: ProcessSandboxesOptions = {}) =>
  Effect.flatMap(temporary, (folder) =>
    Effect.acquireRelease(
      Effect.sync(() => ({
        folder,
        sandboxes: processSandboxes({ folder, program: ["/bin/sh", "-c", sandboxStandIn], ...options })
      })),
      ({ sandboxes }) =>
        Effect.gen(function* () {
          for (const { sandboxId } of yield* sandboxes.list("host-side")) yield* sandboxes.destroy(sandboxId)
        }).pipe(Effect.orDie)
    )
  )

const test = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it(name, () => Effect.runPromise(Effect.scoped(Effect.suspend(body))))

const sh = (sandboxes: SandboxProvider, sandboxId: string, script: string) =>
  Effect.map(sandboxes.exec(sandboxId, { command: "/bin/sh", args: ["-c", script] }), ({ stdout }) =>
    new TextDecoder().decode(stdout)
  )

/** Waits for what nothing tells. */
const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(Effect.delay(20), Effect.repeat({ until: (isSo) => isSo }), Effect.timeout(20_000))

describe.each(["none", "bubblewrap"] as const)("a sandbox of this machine with isolation %s", (isolation) => {
  test("goes on when its host is killed, and is known and ended by the next one", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const mark = randomUUID()
      const words = [folder, isolation, "/bin/sh", "-c", sandboxStandIn, mark]
      const sandboxId = yield* Effect.callback<string>((resume) => {
        const script = fileURLToPath(new URL("./doomedHost.ts", import.meta.url))
        const flags = ["--conditions=@holdfast/source", "--disable-warning=ExperimentalWarning"]
        execFile(process.execPath, [...flags, script, ...words], (_, stdout) => resume(Effect.succeed(stdout)))
      })
      const next = processSandboxes({ folder, isolation, program: words.slice(2) })
      expect(yield* next.list("survivor")).toMatchObject([{ sandboxId, condition: "running" }])
      expect(yield* sh(next, sandboxId, "until [ -e .stand-in/starts ]; do sleep 0.02; done; echo here")).toBe("here\n")
      yield* next.destroy(sandboxId)
      expect(yield* remainsBelow(folder, mark)).toEqual([])
    }))

  test("keeps the end of what its program prints, 2 MiB of it at most", () =>
    Effect.gen(function* () {
      const flood =
        "i=0; while [ $i -lt 50000 ]; do echo line $i of a flood that is longer than what is kept of it; i=$((i+1)); done"
      const { folder, sandboxes } = yield* provider({ isolation, program: ["/bin/sh", "-c", `${flood}; sleep 1000`] })
      yield* sandboxes.create(request())
      const at = join(folder, "sandboxes", readdirSync(join(folder, "sandboxes"))[0]!)
      // One is renamed to the other while they are read: looking whether it is there would say nothing.
      const read = (name: string): ReadonlyArray<string> => {
        try {
          return [readFileSync(join(at, name), "utf8")]
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
          throw error
        }
      }
      const kept = () => ["bridge.log.1", "bridge.log"].flatMap(read)
      yield* until(() => kept().join("").includes("line 49999 "))
      for (const each of kept()) expect(each.length).toBeLessThanOrEqual(1024 * 1024)
      expect(kept().length).toBe(2)
    }))

  test("ends as a whole when its program is killed", () =>
    Effect.gen(function* () {
      const { sandboxes, folder } = yield* provider({ isolation })
      const { sandboxId } = yield* sandboxes.create(request())
      yield* sh(sandboxes, sandboxId, "until [ -e .stand-in/starts ]; do sleep 0.02; done")
      const [name] = readdirSync(join(folder, "sandboxes"))
      const record = JSON.parse(readFileSync(join(folder, "sandboxes", name!, "record.json"), "utf8")) as {
        readonly program: { readonly pid: number }
      }
      process.kill(record.program.pid, "SIGKILL")
      const condition = yield* sandboxes
        .status(sandboxId)
        .pipe(
          Effect.delay(20),
          Effect.repeat({ until: (condition) => condition !== "running" }),
          Effect.timeout(20_000)
        )
      expect(condition).toBe("stopped")
      expect(yield* Effect.flip(sandboxes.exec(sandboxId, { command: "true" }))).toMatchObject({ failure: "invalid" })
      yield* sandboxes.destroy(sandboxId)
      expect(yield* remainsBelow(folder, sandboxId)).toEqual([])
    }))

  test("keeps no secret on disk and lets nobody else look into its folder", () =>
    Effect.gen(function* () {
      const { folder, sandboxes } = yield* provider({ isolation, program: ["/bin/sh", "-c", "sleep 1000"] })
      yield* sandboxes.create(request({ environment: { HOLDFAST_BRIDGE_TOKEN: "s3cr3t-t0k3n" } }))
      const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
      expect(files.length).toBeGreaterThan(0)
      for (const file of files) {
        expect(readFileSync(join(file.parentPath, file.name), "latin1")).not.toContain("s3cr3t-t0k3n")
      }
      expect((statSync(join(folder, "sandboxes")).mode & 0o777).toString(8)).toBe("700")
    }))

  test("copies links, pipes and sockets into its snapshots as what they are", () =>
    Effect.gen(function* () {
      const { sandboxes } = yield* provider({ isolation, readable: [process.execPath] })
      const asked = request()
      const { sandboxId } = yield* sandboxes.create(asked)
      const server = `require("net").createServer().listen("socket", () => process.kill(process.pid, "SIGKILL"))`
      yield* sandboxes.exec(sandboxId, { command: process.execPath, args: ["-e", server] })
      yield* sh(
        sandboxes,
        sandboxId,
        "mkfifo pipe; ln -s /no/such/target dangling; mkdir closed; touch closed/x; chmod 500 closed"
      )
      const { snapshotId } = yield* sandboxes.snapshot(sandboxId)
      const next = yield* sandboxes.restore(snapshotId, { ...asked, generation: 2 })
      expect(
        yield* sh(sandboxes, next.sandboxId, "[ -p pipe ] && [ -S socket ] && readlink dangling && ls closed")
      ).toBe("/no/such/target\nx\n")
      yield* sandboxes.removeSnapshot(snapshotId)
    }))

  test("is not made where the folder of the control plane's socket holds anything else", () =>
    Effect.gen(function* () {
      const { sandboxes } = yield* provider({ isolation })
      const folder = yield* temporary
      const path = join(folder, "bridge.sock")
      yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer().listen(path, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      yield* sandboxes.create(request({ controlPlane: `unix:${path}` }))
      writeFileSync(join(folder, "secret"), "s")
      expect(yield* Effect.flip(sandboxes.create(request({ controlPlane: `unix:${path}` })))).toMatchObject({
        failure: "invalid",
        detail: expect.stringContaining("secret")
      })
    }))
})

describe("a sandbox in bubblewrap", () => {
  test("sees the system and itself, and nothing else of the machine", () =>
    Effect.gen(function* () {
      const { folder, sandboxes } = yield* provider({ isolation: "bubblewrap" })
      const secret = join(folder, "secret")
      writeFileSync(secret, "of the host")
      chmodSync(secret, 0o644)
      const other = yield* sandboxes.create(request())
      yield* sh(sandboxes, other.sandboxId, "echo theirs >mine")
      const { sandboxId } = yield* sandboxes.create(request())
      const see = (script: string) => sh(sandboxes, sandboxId, script)
      expect(yield* see(`cat '${secret}' 2>/dev/null; ls -A '${folder}' 2>/dev/null; ls mine 2>/dev/null`)).toBe("")
      expect(yield* see("cat /etc/shadow /root/* /home/*/.ssh/* 2>/dev/null")).toBe("")
      expect(yield* see("id -un; echo $HOME; pwd; hostname")).toBe("holdfast\n/home/holdfast\n/workspace\nsandbox\n")
      expect(
        yield* see(`for at in /usr /etc /opt /run / /home; do touch $at/written 2>/dev/null && echo $at; done`)
      ).toBe("")
      expect(yield* see("grep -E '^Cap(Eff|Bnd)' /proc/self/status")).toBe(
        "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
      )
      const pids = (yield* see("ls /proc | grep -E '^[0-9]+$'")).trim().split("\n")
      expect(pids.length, "its own processes only").toBeLessThan(10)
      // Links lead where they lead inside.
      yield* see(`ln -s '${secret}' link`)
      expect(yield* Effect.flip(sandboxes.getFile(sandboxId, "/workspace/link"))).toMatchObject({ failure: "invalid" })
      const [environ, home] = [yield* see("env"), process.env["HOME"]]
      expect(environ).not.toContain("VITEST")
      expect(environ).not.toMatch(new RegExp(`^HOME=${home}$`, "m"))
    }))

  test("shares its temporary files with what is run in it, and with no other sandbox", () =>
    Effect.gen(function* () {
      const { sandboxes } = yield* provider({ isolation: "bubblewrap" })
      const [one, other] = [yield* sandboxes.create(request()), yield* sandboxes.create(request())]
      yield* sh(sandboxes, one.sandboxId, "echo mine >/tmp/file")
      expect(yield* sh(sandboxes, one.sandboxId, "cat /tmp/file")).toBe("mine\n")
      expect(yield* sh(sandboxes, other.sandboxId, "ls -A /tmp")).toBe("")
    }))
})

describe("processSandboxes", () => {
  test("says what is missing before anything is made", () =>
    Effect.gen(function* () {
      const { folder, sandboxes } = yield* provider({ program: ["/no/such/program"] })
      for (const call of [sandboxes.check, sandboxes.create(request())]) {
        expect(yield* Effect.flip(call as Effect.Effect<unknown, never>)).toMatchObject({
          failure: "invalid",
          detail: expect.stringContaining("/no/such/program")
        })
      }
      expect(readdirSync(folder)).toEqual([])
    }))

  test("says that its folder cannot be used", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      writeFileSync(join(folder, "file"), "")
      const sandboxes = processSandboxes({ folder: join(folder, "file"), program: ["/bin/sh"] })
      expect(yield* Effect.flip(sandboxes.check)).toMatchObject({ failure: "unexpected", operation: "check" })
    }))

  it("says honestly what keeps its sandboxes apart", () => {
    expect(processSandboxes({ isolation: "none" }).capabilities).toMatchObject({
      limits: [],
      isolation: expect.stringMatching(/^None/)
    })
    expect(processSandboxes({ isolation: "bubblewrap" }).capabilities).toMatchObject({
      limits: expect.arrayContaining(["network"]),
      isolation: expect.stringContaining("kernel")
    })
  })
})
