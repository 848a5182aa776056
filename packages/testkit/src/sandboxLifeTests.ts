/** Sandboxes begin and end: made once for one name, listed by owner, and nothing is left of them. */
import { makeSessionId } from "@holdfast/core"
import { Effect, Fiber } from "effect"
import { type Server, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect } from "vitest"
import {
  refusal,
  type SandboxProviderSuiteOptions,
  type SandboxTest,
  untilCondition
} from "./sandboxProviderHarness.ts"

/** Values that a shell, a file or a wire would break if it took them for more than text. */
const awkward = `two words, 'single', "double", $HOME, \`back\`, \\n, ünï→☃, a=b\nsecond line`

/** Milliseconds after which a create is interrupted, one after the other: at once, and at later and later steps of it. */
const interruptions = [0, 1, 5, 10, 20, 40, 80, 160]

/** Registers them. */
export const sandboxLifeTests = (test: SandboxTest): void => {
  describe("the life of a sandbox", () => {
    test("can be used", ({ options, provider }) =>
      Effect.gen(function* () {
        yield* provider.check
        expect(provider.name).toMatch(/^[a-z0-9-]{1,32}$/)
        const { limits, snapshot } = provider.capabilities
        expect({ snapshot, limits: limits.toSorted() }, "as the suite was told").toEqual({
          snapshot: options.claims.snapshot,
          limits: options.claims.limits.toSorted()
        })
        expect(provider.capabilities.isolation, "it says what keeps sandboxes apart").not.toBe("")
      }))

    test("starts the program with the environment it was given, and places to work in", (bench) =>
      Effect.gen(function* () {
        const { sandboxId } = yield* bench.started({ environment: { PLAIN: "yes", AWKWARD: awkward, EMPTY: "" } })
        const environment = yield* bench.environment(sandboxId)
        expect(environment).toMatchObject({ PLAIN: "yes", AWKWARD: awkward, EMPTY: "" })
        expect(environment["HOLDFAST_BRIDGE_URL"]).toMatch(/^(https?:\/\/|unix:\/)/)
        const places = ["HOME", "HOLDFAST_WORKSPACE", "HOLDFAST_BRIDGE_DATA"].map((name) => environment[name]!)
        expect(new Set(places).size, "three places").toBe(3)
        for (const place of places) {
          expect(place).toMatch(/^\//)
          const { code, err } = yield* bench.sh(sandboxId, `touch '${place}/written' && ls '${place}/written'`)
          expect({ code, err }).toEqual({ code: 0, err: "" })
        }
      }))

    test("keeps what it was given for the program from whatever else is run", (bench) =>
      Effect.gen(function* () {
        const { sandboxId } = yield* bench.started({ environment: { HOLDFAST_BRIDGE_TOKEN: "s3cr3t" } })
        expect((yield* bench.sh(sandboxId, "env")).out).not.toContain("s3cr3t")
      }))

    test("gives the same sandbox for the same owner, session and generation, asked again or at once", (bench) =>
      Effect.gen(function* () {
        const request = bench.request()
        const [one, other] = yield* Effect.all([bench.provider.create(request), bench.provider.create(request)], {
          concurrency: 2
        })
        yield* bench.awaitStart(one.sandboxId)
        const again = yield* bench.provider.create(request)
        expect([other.sandboxId, again.sandboxId]).toEqual([one.sandboxId, one.sandboxId])
        expect(yield* bench.provider.list(bench.owner)).toHaveLength(1)
        expect((yield* bench.sh(one.sandboxId, "cat .stand-in/starts")).out).toBe("started\n")
      }))

    test("keeps two generations of a session apart", (bench) =>
      Effect.gen(function* () {
        const sessionId = makeSessionId()
        const first = yield* bench.started({ sessionId, generation: 1 })
        const second = yield* bench.started({ sessionId, generation: 2 })
        expect(second.sandboxId).not.toBe(first.sandboxId)
        yield* bench.sh(first.sandboxId, "echo first >mine")
        expect((yield* bench.sh(second.sandboxId, "cat mine")).code).not.toBe(0)
      }))

    test("lists the sandboxes of an owner and nobody else's, and tells what each was made for", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const request = bench.request({ generation: 7 })
        const before = Date.now()
        const mine = yield* provider.create(request)
        const theirs = yield* Effect.acquireRelease(
          provider.create({ ...request, owner: `${bench.owner}-other` }),
          ({ sandboxId }) => Effect.orDie(provider.destroy(sandboxId))
        )
        yield* bench.awaitStart(mine.sandboxId)
        const listed = yield* provider.list(bench.owner)
        expect(listed).toEqual([
          {
            ...mine,
            owner: bench.owner,
            sessionId: request.sessionId,
            generation: 7,
            condition: "running",
            createdAt: expect.any(Number)
          }
        ])
        expect(mine.sandboxId.length).toBeLessThanOrEqual(256)
        // A clock of its own may go a little wrong; another unit or epoch would not be close.
        expect(Math.abs(listed[0]!.createdAt - before)).toBeLessThan(3_600_000)
        expect((yield* provider.list(`${bench.owner}-other`)).map(({ sandboxId }) => sandboxId)).toEqual([
          theirs.sandboxId
        ])
        expect(yield* provider.list("nobody")).toEqual([])
      }))

    test("tells that the program has ended by itself, without losing the sandbox", (bench) =>
      Effect.gen(function* () {
        const { sandboxId } = yield* bench.started()
        expect(yield* bench.provider.status(sandboxId)).toBe("running")
        yield* bench.sh(sandboxId, "touch .stand-in/stop")
        yield* untilCondition(bench, sandboxId, "stopped")
        expect(yield* bench.provider.list(bench.owner)).toMatchObject([{ sandboxId, condition: "stopped" }])
      }))

    test("ends everything in a sandbox, also what hides, and destroys it twice without complaint", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const { sandboxId } = yield* bench.started()
        yield* provider.destroy(sandboxId)
        expect(yield* bench.options.remains, "nothing is left of it").toEqual([])
        expect(yield* provider.status(sandboxId)).toBe("gone")
        expect(yield* provider.list(bench.owner)).toEqual([])
        yield* provider.destroy(sandboxId)
      }))

    test("destroys a sandbox in which something is being run, and the run ends", (bench) =>
      Effect.gen(function* () {
        const { sandboxId } = yield* bench.started()
        const running = yield* Effect.forkChild(Effect.exit(bench.sh(sandboxId, "touch running; sleep 1000")))
        yield* bench.sh(sandboxId, "until [ -e running ]; do sleep 0.02; done")
        yield* bench.provider.destroy(sandboxId)
        const ended = yield* Fiber.join(running).pipe(Effect.timeout(bench.options.deadline ?? 30_000))
        if (ended._tag === "Success") expect(ended.value.code, "it did not end well").not.toBe(0)
      }))

    test("makes a destroyed sandbox anew, empty and with a name of its own", (bench) =>
      Effect.gen(function* () {
        const request = bench.request()
        const first = yield* bench.provider.create(request)
        yield* bench.awaitStart(first.sandboxId)
        yield* bench.provider.destroy(first.sandboxId)
        const second = yield* bench.provider.create(request)
        yield* bench.awaitStart(second.sandboxId)
        expect(second.sandboxId).not.toBe(first.sandboxId)
        expect((yield* bench.sh(second.sandboxId, "cat .stand-in/starts")).out).toBe("started\n")
        expect(yield* bench.provider.status(first.sandboxId)).toBe("gone")
      }))

    test("leaves nothing that is not listed when making one is interrupted at any moment", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        for (const ms of interruptions) {
          yield* Effect.exit(Effect.timeout(bench.create(), ms))
          for (const { sandboxId } of yield* provider.list(bench.owner)) yield* provider.destroy(sandboxId)
          expect(yield* bench.options.remains, `nothing is left when interrupted after ${ms} ms`).toEqual([])
        }
      }))

    test("says of names that it does not know that they are gone, whatever they look like", (bench) =>
      Effect.gen(function* () {
        const { provider } = bench
        const { sandboxId } = yield* bench.started()
        for (const name of ["unknown", "../../etc", "", "a b", "x".repeat(256), `${sandboxId}x`, "%2e%2e/?all=1#"]) {
          expect(yield* provider.status(name)).toBe("gone")
          yield* provider.destroy(name)
          yield* refusal(provider.exec(name, { command: "true" }), "not_found")
          yield* refusal(provider.getFile(name, "/etc/passwd"), "not_found")
          yield* refusal(provider.putFile(name, "/tmp/x", new Uint8Array()), "not_found")
        }
        expect(yield* provider.status(sandboxId)).toBe("running")
      }))

    test("runs many side by side, each with its own files and environment", (bench) =>
      Effect.gen(function* () {
        const count = bench.options.sideBySide ?? 10
        const all = yield* Effect.forEach(
          Array.from({ length: count }, (_, index) => index),
          (index) =>
            Effect.gen(function* () {
              const { sandboxId } = yield* bench.started({ environment: { NUMBER: String(index) } })
              yield* bench.sh(sandboxId, `echo ${index} >number`)
              return sandboxId
            }),
          { concurrency: "unbounded" }
        )
        expect(new Set(all).size).toBe(count)
        expect(yield* bench.provider.list(bench.owner)).toHaveLength(count)
        for (const [index, sandboxId] of all.entries()) {
          expect((yield* bench.sh(sandboxId, "cat number")).out).toBe(`${index}\n`)
          expect((yield* bench.environment(sandboxId))["NUMBER"]).toBe(String(index))
        }
        yield* Effect.forEach(all, bench.provider.destroy, { concurrency: "unbounded" })
        expect(yield* bench.options.remains).toEqual([])
      }))

    test("refuses what cannot be, with a reason, and makes nothing", (bench) =>
      Effect.gen(function* () {
        const { create, options, provider } = bench
        yield* refusal(create({ controlPlane: "nonsense" }), "invalid")
        yield* refusal(create({ controlPlane: "file:///etc/passwd" }), "invalid")
        yield* refusal(create({ environment: { "NOT A NAME": "x" } }), "invalid")
        yield* refusal(create({ environment: { NUL: "a\0b" } }), "invalid")
        for (const { failure, request } of options.refused ?? []) yield* refusal(create(request), failure)
        expect(yield* provider.list(bench.owner)).toEqual([])
      }))
  })
}

/** Registers what needs a program that fetches. */
export const sandboxReachTests = (
  test: SandboxTest,
  { exec, host = "127.0.0.1" }: NonNullable<SandboxProviderSuiteOptions["fetch"]>
): void => {
  describe("the way out", () => {
    test("leads to a control plane on this machine, by the URL that the program is given", (bench) =>
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(
          Effect.callback<Server>((resume) => {
            const made = createServer((request, response) => response.end(`heard ${request.url}`))
            made.listen(0, host, () => resume(Effect.succeed(made)))
          }),
          (made) =>
            Effect.callback<void>((resume) => {
              made.closeAllConnections()
              made.close(() => resume(Effect.void))
            })
        )
        const { port } = server.address() as AddressInfo
        const { sandboxId } = yield* bench.started({ controlPlane: `http://127.0.0.1:${port}`, limits: {} })
        const url = (yield* bench.environment(sandboxId))["HOLDFAST_BRIDGE_URL"]!
        const answer = yield* bench.provider.exec(sandboxId, exec(`${url}/hello`))
        expect(new TextDecoder().decode(answer.stdout)).toContain("heard /hello")
      }))
  })
}
