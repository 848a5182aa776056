import { makeSessionId } from "@holdfast/core"
import type { SandboxRequest } from "@holdfast/core/cloud"
import type { ContainerEngine } from "@holdfast/testkit"
import { sandboxStandIn } from "@holdfast/testkit/suites"
import { Effect, Exit, Scope } from "effect"
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { buildSandboxImage, dockerSandboxes, type DockerSandboxesOptions } from "../../src/docker.ts"
import { engineWithImage, sandboxesOn, standInFile } from "./engineOfTests.ts"

const scope = Scope.makeUnsafe()
let engine: ContainerEngine
beforeAll(async () => {
  engine = await Effect.runPromise(Scope.provide(engineWithImage, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const standIn = ["/bin/sh", "-c", sandboxStandIn]

const started = `until [ -e .stand-in/starts ]; do sleep 0.02; done`

const request = (changes: Partial<SandboxRequest> = {}): SandboxRequest => ({
  owner: "images",
  sessionId: makeSessionId(),
  generation: 1,
  environment: {},
  controlPlane: "http://127.0.0.1:9",
  ...changes
})

/** A provider whose sandboxes are gone when the scope closes. */
const provider = (options: DockerSandboxesOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => dockerSandboxes({ ...sandboxesOn(engine), ...options })),
    (made) =>
      Effect.gen(function* () {
        for (const { sandboxId } of yield* made.list("images")) yield* made.destroy(sandboxId)
        for (const { snapshotId } of yield* made.snapshots("images")) yield* made.removeSnapshot(snapshotId)
      }).pipe(Effect.orDie)
  )

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const test = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it(name, () => Effect.runPromise(Effect.scoped(Effect.suspend(body))))

describe("images of sandboxes", () => {
  test("made of this machine's programs have its Node and git, and a user without rights", () =>
    Effect.gen(function* () {
      const docker = yield* provider()
      yield* docker.check
      const { sandboxId } = yield* docker.create(request())
      const { stdout } = yield* docker.exec(sandboxId, {
        command: "/bin/sh",
        args: [
          "-c",
          `node --version; id -un; git init -q . && git config user.name me && git rev-parse --is-inside-work-tree
          grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; touch /usr/written 2>/dev/null || echo read-only`
        ]
      })
      expect(text(stdout).split("\n")).toEqual([
        process.version,
        "holdfast",
        "true",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "read-only",
        ""
      ])
    }))

  test("are built on a base image, and run their program by default", () =>
    Effect.gen(function* () {
      const image = yield* buildSandboxImage({
        engine: { socketPath: engine.socketPath },
        base: "holdfast/sandbox",
        program: yield* standInFile,
        name: "holdfast/built"
      })
      const docker = yield* provider({ image })
      const { sandboxId } = yield* docker.create(request())
      const logs = Effect.repeat(engine.podman("logs", sandboxId), { until: (said) => said !== "", times: 200 })
      expect(yield* logs).toBe("stands in\n")
      const { stdout } = yield* docker.exec(sandboxId, {
        command: "/bin/sh",
        args: ["-c", "id -un; pwd; ls -ld . | cut -c1-10"]
      })
      expect(text(stdout)).toBe("holdfast\n/workspace\ndrwxr-xr-x\n")
      expect(yield* docker.status(sandboxId)).toBe("running")
    }))

  test("that cannot be built are told of with what the build said", () =>
    Effect.gen(function* () {
      const program = yield* standInFile
      const build = (options: Partial<Parameters<typeof buildSandboxImage>[0]>) =>
        Effect.flip(
          buildSandboxImage({
            engine: { socketPath: engine.socketPath },
            base: "holdfast/sandbox",
            program,
            ...options
          })
        )
      // There is no npm in it.
      expect(yield* build({ agents: ["some-agent@1.2.3"] })).toMatchObject({
        failure: "invalid",
        detail: expect.stringContaining("npm")
      })
      expect(yield* build({ agents: ["x; reboot"] })).toMatchObject({ failure: "invalid" })
      expect(yield* build({ base: "a\nRUN reboot" })).toMatchObject({ failure: "invalid" })
      expect((yield* build({ program: "/no/such/file" })).detail).toContain("ENOENT")
    }))

  test("that are missing are told of, with what to do", () =>
    Effect.gen(function* () {
      const docker = yield* provider({ image: "holdfast/none" })
      expect(yield* Effect.flip(docker.check)).toMatchObject({
        failure: "invalid",
        retryable: false,
        detail: expect.stringContaining("buildSandboxImage")
      })
    }))
})

describe("secrets of a sandbox", () => {
  test("are neither in the container's settings nor in its snapshots", () =>
    Effect.gen(function* () {
      const docker = yield* provider({ command: standIn })
      const made = yield* docker.create(request({ environment: { HOLDFAST_BRIDGE_TOKEN: "s3cr3t-t0k3n" } }))
      const { stdout } = yield* docker.exec(made.sandboxId, {
        command: "/bin/sh",
        args: ["-c", `${started}; tr '\\0' '\\n' <.stand-in/environment | grep TOKEN`]
      })
      expect(text(stdout)).toBe("HOLDFAST_BRIDGE_TOKEN=s3cr3t-t0k3n\n")
      const { snapshotId } = yield* docker.snapshot(made.sandboxId)
      const told = [
        yield* engine.podman("inspect", made.sandboxId),
        yield* engine.podman("image", "inspect", `holdfast/snapshot:${snapshotId}`),
        yield* engine.podman("logs", made.sandboxId)
      ]
      expect(told.join("")).not.toContain("s3cr3t-t0k3n")
    }))
})

describe("mounts", () => {
  const seen = Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "holdfast-mount-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true }))
  )

  test("are seen by every sandbox: to read, and where the host says so to write", () =>
    Effect.gen(function* () {
      const folder = yield* seen
      const shared = join(folder, "written to by all")
      yield* Effect.promise(async () => {
        await mkdir(shared)
        await Promise.all([
          chmod(folder, 0o755),
          chmod(shared, 0o777),
          writeFile(join(folder, "file"), "of the host\n")
        ])
      })
      const mounts = [
        { from: folder, to: "/opt/seen" },
        { from: shared, writable: true }
      ]
      const docker = yield* provider({ command: standIn, mounts })
      const one = yield* docker.create(request())
      const sh = (sandboxId: string, source: string) =>
        Effect.map(docker.exec(sandboxId, { command: "/bin/sh", args: ["-c", source] }), ({ stdout }) => text(stdout))
      const source = `cat /opt/seen/file; touch /opt/seen/own 2>/dev/null || echo read-only; echo mine >'${shared}/own'`
      expect(yield* sh(one.sandboxId, source)).toBe("of the host\nread-only\n")
      yield* docker.destroy(one.sandboxId)
      const other = yield* docker.create(request())
      expect(yield* sh(other.sandboxId, `cat '${shared}/own'`)).toBe("mine\n")
    }))

  test("that cannot be are refused, and nothing is made", () =>
    Effect.gen(function* () {
      for (const from of ["relative", "/", "/with,comma", "/with:colon"]) {
        const docker = yield* provider({ command: standIn, mounts: [{ from }] })
        expect(yield* Effect.flip(docker.create(request()))).toMatchObject({ failure: "invalid", retryable: false })
        expect(yield* docker.list("images")).toEqual([])
      }
    }))
})

describe("snapshots as images", () => {
  test("are written as one layer when there are too many, and are the same for who restores them", () =>
    Effect.gen(function* () {
      const docker = yield* provider({ command: standIn, snapshotLayers: 2 })
      const layersOf = (snapshotId: string) =>
        Effect.map(
          engine.podman("image", "inspect", "--format", "{{len .RootFS.Layers}}", `holdfast/snapshot:${snapshotId}`),
          Number
        )
      const asked = request()
      let at = yield* docker.create(asked)
      const layers: Array<number> = []
      for (let generation = 2; generation <= 4; generation++) {
        yield* docker.exec(at.sandboxId, { command: "/bin/sh", args: ["-c", `echo ${generation} >file-${generation}`] })
        const { snapshotId } = yield* docker.snapshot(at.sandboxId)
        layers.push(yield* layersOf(snapshotId))
        at = yield* docker.restore(snapshotId, { ...asked, generation })
      }
      expect(layers).toEqual([2, 1, 2])
      const { stdout } = yield* docker.exec(at.sandboxId, {
        command: "/bin/sh",
        args: ["-c", "cat file-2 file-3 file-4; id -un; pwd; touch own && ls -l own | cut -c1-10; node --version"]
      })
      expect(text(stdout)).toBe(`2\n3\n4\nholdfast\n/workspace\n-rw-r--r--\n${process.version}\n`)
      const listed = yield* docker.snapshots("images")
      expect(listed.map(({ owner, sessionId }) => ({ owner, sessionId }))).toEqual(
        Array.from({ length: 3 }, () => ({ owner: "images", sessionId: asked.sessionId }))
      )
    }))

  test("leave no image behind once they and their sandboxes are gone", () =>
    Effect.gen(function* () {
      const images = Effect.map(engine.podman("images", "--all", "--quiet", "--no-trunc"), (said) =>
        said.split("\n").toSorted()
      )
      const before = yield* images
      const docker = yield* provider({ command: standIn })
      const asked = request()
      const one = yield* docker.create(asked)
      const first = yield* docker.snapshot(one.sandboxId)
      const two = yield* docker.restore(first.snapshotId, { ...asked, generation: 2 })
      const second = yield* docker.snapshot(two.sandboxId)
      yield* docker.removeSnapshot(first.snapshotId)
      yield* docker.removeSnapshot(second.snapshotId)
      yield* docker.destroy(one.sandboxId)
      yield* docker.destroy(two.sandboxId)
      expect(yield* images).toEqual(before)
    }))
})
