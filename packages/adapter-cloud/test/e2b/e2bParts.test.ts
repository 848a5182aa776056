import { makeSessionId } from "@holdfast/core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { readRetryAfter } from "../../src/e2b/E2bFailures.ts"
import { loadE2bSdk } from "../../src/e2b/E2bSdk.ts"
import { whyNotPublic } from "../../src/e2b/PublicControlPlane.ts"
import { isSnapshotName, readSnapshotName, snapshotName } from "../../src/e2b/SnapshotName.ts"
import { failing } from "../../src/provider/ProviderErrors.ts"

describe("E2B's SDK", () => {
  const missing = Object.assign(new Error("Cannot find package 'e2b'"), { code: "ERR_MODULE_NOT_FOUND" })

  it("is asked to be installed where it is not", async () => {
    const load = loadE2bSdk(failing("e2b", "check"), () => Promise.reject(missing))
    const error = await Effect.runPromise(Effect.flip(load))
    expect({ failure: error.failure, retryable: error.retryable }).toEqual({ failure: "unsupported", retryable: false })
    expect(error.detail).toContain("npm install e2b")
  })
})

describe("names of snapshots", () => {
  it("tell session and time to their owner, as E2B gives them back, and nothing to anybody else", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), fc.nat(4e12), (owner, other, createdAt) => {
        const facts = { sessionId: makeSessionId(), createdAt }
        const name = snapshotName(owner, facts)
        expect(name, "E2B takes it").toMatch(/^[a-z0-9-]{1,128}$/)
        for (const given of [name, `team-1/${name}`, `team-1/${name}:default`, `${name}:v2`]) {
          expect(readSnapshotName(owner, given)).toEqual(facts)
          expect(isSnapshotName(given)).toBe(true)
          expect(readSnapshotName(other, given)).toEqual(other === owner ? facts : undefined)
        }
      })
    )
  })

  it("are not read into what others named", () => {
    fc.assert(
      fc.property(fc.string(), (given) => {
        expect(isSnapshotName(given)).toBe(false)
        expect(readSnapshotName("owner", given)).toBeUndefined()
      })
    )
  })
})

describe("a control plane", () => {
  it.each([
    "https://holdfast.example.com",
    "https://holdfast.example.com:8443/below",
    "https://8.8.8.8",
    "https://[2606:4700::1111]",
    "https://172.32.0.1"
  ])("at %s is reached from elsewhere", (url) => {
    expect(whyNotPublic(new URL(url))).toBeUndefined()
  })

  it.each([
    "http://127.0.0.1:4747",
    "https://localhost",
    "https://host.docker.internal",
    "https://server",
    "https://server.local.",
    "https://10.1.2.3",
    "https://172.16.0.1",
    "https://192.168.1.1",
    "https://169.254.169.254",
    "https://100.64.0.1",
    "https://0.0.0.0",
    "https://[::1]",
    "https://[fd00::1]",
    "https://[fe80::1]",
    "https://[::ffff:127.0.0.1]",
    "https://0x7f.1"
  ])("at %s is not, which is told", (url) => {
    expect(whyNotPublic(new URL(url))).toMatch(/only reached from this machine or its network/)
  })

  it("without TLS is not used", () => {
    expect(whyNotPublic(new URL("http://holdfast.example.com"))).toMatch(/https/)
  })
})

describe("Retry-After", () => {
  const now = Date.parse("2026-01-01T00:00:00Z")
  it.each([
    ["0", 0],
    [" 12 ", 12_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Thu, 01 Jan 2025 00:00:30 GMT", 0],
    ["99999999999", 86_400_000],
    ["1.5.2", undefined],
    ["soon", undefined],
    ["", undefined]
  ])("%j means %j ms", (header, ms) => {
    expect(readRetryAfter(header, now)).toBe(ms)
  })
})
