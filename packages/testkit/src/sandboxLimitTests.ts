/** Limits: those that a provider claims are held, those that it does not claim are refused. */
import type { SandboxLimits } from "@holdfast/core/cloud"
import { Effect } from "effect"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect } from "vitest"
import { refusal, type SandboxTest } from "./sandboxProviderHarness.ts"

const mebibyte = 1024 * 1024

/** A unix socket in a folder of its own, which sandboxes without a network are shown. */
const socket = Effect.acquireRelease(
  Effect.callback<{ readonly path: string; readonly folder: string; readonly server: Server }>((resume) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-suite-"))
    // The sandbox's user may be somebody else, whom the folder must let in.
    chmodSync(folder, 0o755)
    const path = join(folder, "bridge.sock")
    const server = createServer((connection) => connection.end())
    server.listen({ path, readableAll: true, writableAll: true }, () =>
      resume(Effect.succeed({ path, folder, server }))
    )
  }),
  ({ folder, server }) =>
    Effect.callback<void>((resume) => {
      server.close(() => {
        rmSync(folder, { recursive: true, force: true })
        resume(Effect.void)
      })
    })
)

/** Takes memory until it has `mib` MiB in one variable, then says so. */
const takeMemory = (mib: number) => `
x=0123456789abcdef
i=16
while [ $i -lt ${mib * mebibyte} ]; do x=$x$x; i=$((i * 2)); done
echo survived`

/** Starts so many processes, then says so. */
const startMany = (count: number) => `
i=0
while [ $i -lt ${count} ]; do sleep 5 & i=$((i + 1)); done
echo survived`

/** Works for two seconds and more, then tells the processor time in `times`' own words. */
const work = `
end=$(($(date +%s) + 3))
while [ "$(date +%s)" -lt $end ]; do :; done
times`

/** Seconds in `0m1.250s`. */
const secondsIn = (text: string): number =>
  [...text.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0
  )

/** Registers them. */
export const sandboxLimitTests = (test: SandboxTest, claimed: ReadonlyArray<keyof SandboxLimits>): void => {
  const claims = (limit: keyof SandboxLimits) => claimed.includes(limit)

  describe("limits", () => {
    test("that it does not claim are refused, and not quietly left out", (bench) =>
      Effect.gen(function* () {
        const each: Required<SandboxLimits> = {
          cpus: 1,
          memoryBytes: 256 * mebibyte,
          processes: 100,
          diskBytes: 1024 * mebibyte,
          network: "none"
        }
        for (const name of Object.keys(each) as ReadonlyArray<keyof SandboxLimits>) {
          if (claims(name)) continue
          yield* refusal(bench.create({ limits: { [name]: each[name] } }), "unsupported")
        }
        expect(yield* bench.provider.list(bench.owner)).toEqual([])
      }))

    test("must be numbers that mean something", (bench) =>
      Effect.gen(function* () {
        for (const name of ["cpus", "memoryBytes", "processes", "diskBytes"] as const) {
          if (!claims(name)) continue
          for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
            yield* refusal(bench.create({ limits: { [name]: value } }), "invalid")
          }
        }
        expect(yield* bench.provider.list(bench.owner)).toEqual([])
      }))

    if (claims("memoryBytes"))
      test("of memory are held", (bench) =>
        Effect.gen(function* () {
          const { sandboxId } = yield* bench.started({ limits: { memoryBytes: 96 * mebibyte } })
          expect((yield* bench.sh(sandboxId, takeMemory(8))).out).toBe("survived\n")
          const { code, out } = yield* bench.sh(sandboxId, takeMemory(512))
          expect(out).toBe("")
          expect(code).not.toBe(0)
        }))

    if (claims("processes"))
      test("of processes are held", (bench) =>
        Effect.gen(function* () {
          const { sandboxId } = yield* bench.started({ limits: { processes: 60 } })
          expect((yield* bench.sh(sandboxId, startMany(10), { timeoutMs: 20_000 })).out).toBe("survived\n")
          const { code, out } = yield* bench.sh(sandboxId, startMany(200), { timeoutMs: 20_000 })
          expect(out).toBe("")
          expect(code).not.toBe(0)
        }))

    if (claims("cpus"))
      test("of processors are held", (bench) =>
        Effect.gen(function* () {
          const { sandboxId } = yield* bench.started({ limits: { cpus: 0.2 } })
          const began = performance.now()
          const { out } = yield* bench.sh(sandboxId, work)
          const elapsed = (performance.now() - began) / 1_000
          expect(secondsIn(out), "it did work").toBeGreaterThan(0.05)
          expect(secondsIn(out), `in ${elapsed.toFixed(1)} s`).toBeLessThan(0.2 * elapsed * 1.5 + 0.2)
        }))

    if (claims("diskBytes"))
      test("of the disk are held", (bench) =>
        Effect.gen(function* () {
          const { sandboxId } = yield* bench.started({ limits: { diskBytes: 64 * mebibyte } })
          expect((yield* bench.sh(sandboxId, `head -c ${8 * mebibyte} /dev/zero >small`)).code).toBe(0)
          expect((yield* bench.sh(sandboxId, `head -c ${256 * mebibyte} /dev/zero >large`)).code).not.toBe(0)
        }))

    if (claims("network"))
      test("of the network leave it none, and the control plane's socket", (bench) =>
        Effect.gen(function* () {
          yield* refusal(
            bench.create({ limits: { network: "none" }, controlPlane: "http://127.0.0.1:4747" }),
            "invalid"
          )
          const { path } = yield* socket
          const { sandboxId } = yield* bench.started({ limits: { network: "none" }, controlPlane: `unix:${path}` })
          const links = yield* bench.sh(
            sandboxId,
            "cat /proc/net/dev | tail -n +3 | cut -d: -f1; tail -n +2 /proc/net/route"
          )
          expect(links.out.trim(), "nothing but the loopback interface, and no way out").toBe("lo")
          const url = (yield* bench.environment(sandboxId))["HOLDFAST_BRIDGE_URL"]!
          expect(url).toMatch(/^unix:\//)
          const inside = url.slice("unix:".length)
          expect((yield* bench.sh(sandboxId, `[ -S '${inside}' ] && [ -w '${inside}' ] && echo there`)).out).toBe(
            "there\n"
          )
        }))
  })
}
