import type { SandboxProviderError } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { e2bSandboxes } from "../../src/e2b.ts"
import { e2bBench } from "./e2bBench.ts"

const failed = <A>(call: Effect.Effect<A, SandboxProviderError>): Promise<SandboxProviderError> =>
  Effect.runPromise(Effect.flip(call))

const minute = 60_000

/** A program of Node in a file of this machine. */
const program = (text: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "hf-e2b-test-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, "bridge.mjs"), text)
  return join(folder, "bridge.mjs")
}

describe("the bridge", () => {
  it("is put into the sandbox and runs there, with what it was given and in its places", async () => {
    const upload = program(`
      import { writeFileSync } from "node:fs"
      const { HOLDFAST_BRIDGE_URL, HOLDFAST_BRIDGE_TOKEN, HOLDFAST_BRIDGE_DATA, HOLDFAST_WORKSPACE, HOME } = process.env
      writeFileSync("told", JSON.stringify({ HOLDFAST_BRIDGE_URL, HOLDFAST_BRIDGE_TOKEN, HOLDFAST_BRIDGE_DATA, HOLDFAST_WORKSPACE, HOME }))
      setInterval(() => {}, 1000)`)
    const { provider, request, sh } = await e2bBench({ bridge: { upload } })
    const { sandboxId } = await Effect.runPromise(
      provider.create(request({ environment: { HOLDFAST_BRIDGE_TOKEN: "hfs_token", HOME: "/elsewhere" } }))
    )
    const told = await Effect.runPromise(sh(sandboxId, "until [ -s told ]; do sleep 0.02; done; cat told"))
    expect(JSON.parse(told)).toEqual({
      HOLDFAST_BRIDGE_URL: "http://127.0.0.1:9",
      HOLDFAST_BRIDGE_TOKEN: "hfs_token",
      HOLDFAST_BRIDGE_DATA: "/home/user/.holdfast",
      HOLDFAST_WORKSPACE: "/home/user/workspace",
      HOME: "/home/user"
    })
  })

  it("is given more than fits into one variable", async () => {
    const { provider, request, sh } = await e2bBench()
    const environment = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`V${index}`, "x".repeat(20_000)]))
    const { sandboxId } = await Effect.runPromise(provider.create(request({ environment })))
    const counted = "until [ -e .stand-in/environment ]; do sleep 0.02; done; tr '\\0' '\\n' <.stand-in/environment"
    expect(await Effect.runPromise(sh(sandboxId, `${counted} | grep -c ^V[0-9]*=xxxx`))).toBe("20\n")
    // What the tests run from may be below /tmp as well.
    expect(await Effect.runPromise(sh(sandboxId, "ls -d /tmp/.holdfast-* 2>/dev/null || echo nothing"))).toBe(
      "nothing\n"
    )
  })

  it("that ends at once is told with its last words, and nothing is left", async () => {
    const installed = ["/bin/sh", "-c", "echo no such setting >&2; exit 3"]
    const { counterpart, provider, request } = await e2bBench({ bridge: { installed } })
    const error = await failed(provider.create(request()))
    expect(error.failure).toBe("invalid")
    expect(error.detail).toMatch(/exit code 3 no such setting/)
    expect(counterpart.sandboxes()).toEqual([])
  })

  it("cannot run where the template has no Node, which is told", async () => {
    const { counterpart, provider, request } = await e2bBench({ node: "node-of-nowhere" })
    const error = await failed(provider.create(request()))
    expect(error.failure).toBe("invalid")
    expect(error.detail).toContain("node-of-nowhere")
    expect(counterpart.sandboxes()).toEqual([])
  })

  it("is missed before E2B is asked for a sandbox", async () => {
    const { counterpart, provider, request } = await e2bBench({ bridge: { upload: "/no/such/file" } })
    expect((await failed(provider.create(request()))).detail).toContain("/no/such/file")
    expect((await failed(provider.check)).failure).toBe("invalid")
    expect(counterpart.requests).toEqual([])
  })
})

describe("a sandbox's life", () => {
  it("is lengthened when half of it is over and somebody asks for it", async () => {
    const { counterpart, provider, request } = await e2bBench({ lifetimeMs: 60 * minute })
    const asked = request()
    const { sandboxId } = await Effect.runPromise(provider.create(asked))
    const left = () => (counterpart.sandboxes()[0]!.endAt - Date.now()) / minute
    expect(left()).toBeCloseTo(60, 0)
    const lengthened = () => counterpart.requests.filter(({ line }) => line.endsWith("/timeout")).length

    await counterpart.setEnd(sandboxId, Date.now() + 40 * minute)
    await Effect.runPromise(provider.list(asked.owner))
    expect(lengthened()).toBe(0)
    for (const ask of [Effect.asVoid(provider.list(asked.owner)), Effect.asVoid(provider.status(sandboxId))]) {
      await counterpart.setEnd(sandboxId, Date.now() + 20 * minute)
      await Effect.runPromise(ask)
      expect(left()).toBeCloseTo(60, 0)
    }
    expect(lengthened()).toBe(2)

    await counterpart.setEnd(sandboxId, Date.now() + 20 * minute)
    counterpart.inject({ on: /\/timeout$/, answer: { status: 400, body: `{"code":400,"message":"no longer"}` } })
    expect(await Effect.runPromise(provider.status(sandboxId)), "which need not work").toBe("running")
  })

  it("is not longer than the account's plan takes, and its end is told", async () => {
    const { counterpart, provider, request, sh } = await e2bBench(
      { lifetimeMs: 60 * minute },
      { maxLifeMs: 60 * minute }
    )
    const tooLong = e2bSandboxes({
      template: "holdfast",
      apiKey: "e2b_0123456789abcdef0123456789abcdef01234567",
      apiUrl: counterpart.url,
      bridge: { installed: ["true"] },
      anyControlPlane: true,
      lifetimeMs: 120 * minute
    })
    const error = await failed(tooLong.create(request()))
    expect(error.failure).toBe("invalid")
    expect(error.detail).toContain("cannot be greater than 1 hours")

    const { sandboxId } = await Effect.runPromise(provider.create(request()))
    await counterpart.setEnd(sandboxId, Date.now())
    expect(await Effect.runPromise(provider.status(sandboxId))).toBe("gone")
    await expect(Effect.runPromise(sh(sandboxId, "true"))).rejects.toMatchObject({ failure: "not_found" })
    await Effect.runPromise(provider.destroy(sandboxId))
  })

  it("that was paused at E2B counts as stopped, and nothing wakes it by accident", async () => {
    const { counterpart, provider, request, sh } = await e2bBench()
    const asked = request()
    const { sandboxId } = await Effect.runPromise(provider.create(asked))
    counterpart.pause(sandboxId)
    expect(await Effect.runPromise(provider.status(sandboxId))).toBe("stopped")
    expect(await Effect.runPromise(provider.list(asked.owner))).toMatchObject([{ sandboxId, condition: "stopped" }])
    await expect(Effect.runPromise(sh(sandboxId, "true"))).rejects.toMatchObject({ failure: "invalid" })
    await expect(Effect.runPromise(provider.snapshot(sandboxId))).rejects.toMatchObject({ failure: "invalid" })
    expect(counterpart.requests.filter(({ line }) => /connect|resume/.test(line))).toEqual([])
  })

  it("must have a length that makes sense", () => {
    for (const lifetimeMs of [0, minute, 25 * 60 * minute, Number.NaN]) {
      expect(() => e2bSandboxes({ template: "holdfast", lifetimeMs })).toThrow(RangeError)
    }
  })
})

describe("snapshots with memory", () => {
  it("bring back no bridge, agent or run of the sandbox that they were taken of", async () => {
    const { counterpart, provider, request, sh } = await e2bBench()
    const asked = request({ environment: { HOLDFAST_BRIDGE_TOKEN: "hfs_first" } })
    const first = await Effect.runPromise(provider.create(asked))
    const started = "until [ -e .stand-in/environment ]; do sleep 0.02; done"
    await Effect.runPromise(sh(first.sandboxId, started))
    const { snapshotId } = await Effect.runPromise(provider.snapshot(first.sandboxId))
    await Effect.runPromise(provider.destroy(first.sandboxId))

    const again = { ...asked, generation: 2, environment: { HOLDFAST_BRIDGE_TOKEN: "hfs_second" } }
    const second = await Effect.runPromise(provider.restore(snapshotId, again))
    // Three starts: of the first, of its memory at E2B (which the counterpart has started again), and ours.
    await Effect.runPromise(sh(second.sandboxId, "until [ $(wc -l <.stand-in/starts) -ge 3 ]; do sleep 0.02; done"))
    const bridges = `for p in /proc/[0-9]*; do tr '\\0' '\\n' <$p/environ 2>/dev/null | grep ^HOLDFAST_BRIDGE_TOKEN=; done | sort -u`
    expect(await Effect.runPromise(sh(second.sandboxId, bridges))).toBe("HOLDFAST_BRIDGE_TOKEN=hfs_second\n")
    expect(await Effect.runPromise(provider.status(second.sandboxId))).toBe("running")
    expect(counterpart.snapshots()).toHaveLength(1)
  })

  it("are all that is ever removed of an account's templates", async () => {
    const { counterpart, provider, request } = await e2bBench()
    for (const name of ["holdfast", "team/holdfast:default", "base"])
      await Effect.runPromise(provider.removeSnapshot(name))
    expect((await failed(provider.restore("holdfast", request()))).failure).toBe("not_found")
    expect(counterpart.requests).toEqual([])
  })
})
