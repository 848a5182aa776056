import { assert, describe, it } from "@effect/vitest"
import { type HeadersLike, makeRequestGuard } from "../../src/auth/RequestGuard.ts"

const plain = makeRequestGuard({
  host: "127.0.0.1",
  allowedHosts: ["holdfast.example.org", "box.local:8080"],
  allowedOrigins: ["https://app.example.org"]
})
const host = "127.0.0.1:4747"

describe("a guard of requests", () => {
  for (const name of [
    "127.0.0.1:4747",
    "localhost:4747",
    "LOCALHOST",
    "[::1]:4747",
    "127.8.8.8",
    "holdfast.example.org",
    "holdfast.example.org:8443",
    "box.local:8080"
  ]) {
    it(`takes a request for ${name}`, () => assert.isUndefined(plain.check({ host: name })))
  }

  for (const name of [
    undefined,
    "",
    "evil.example",
    "127.0.0.1.evil.example:4747",
    "localhost.evil.example",
    "evil.example#@127.0.0.1",
    "127.0.0.1@evil.example",
    "box.local",
    "box.local:8081",
    "10.0.0.1",
    "0.0.0.0:4747",
    "[::ffff:10.0.0.1]",
    "127.0.0.1 evil.example",
    "127.0.0.1,evil.example"
  ]) {
    it(`refuses a request for ${name ?? "nobody"}: a name may have been rebound to this address`, () => {
      assert.deepInclude(plain.check({ host: name }), { kind: "forbidden", field: "host" })
    })
  }

  it("takes a request for the address that the server listens on", () => {
    const guard = makeRequestGuard({ host: "10.0.0.7", allowedHosts: [], allowedOrigins: [] })
    assert.isUndefined(guard.check({ host: "10.0.0.7:4747" }))
    assert.isDefined(guard.check({ host: "10.0.0.8:4747" }))
  })

  for (const origin of ["http://127.0.0.1:4747", "https://app.example.org"]) {
    it(`takes pages of ${origin}`, () => {
      assert.isUndefined(plain.check({ host, origin }))
      assert.isUndefined(plain.checkUpgrade({ host, origin }))
    })
  }

  for (const origin of [
    "null",
    "http://evil.example",
    "http://127.0.0.1:3000",
    "https://127.0.0.1:4747",
    "http://localhost:4747",
    "https://app.example.org.evil.example",
    "http://app.example.org",
    "https://app.example.org:444",
    "file://",
    "http://127.0.0.1:4747, http://evil.example"
  ]) {
    it(`refuses pages of ${origin}`, () => {
      assert.deepInclude(plain.check({ host, origin }), { kind: "forbidden", field: "origin" })
      assert.isDefined(plain.checkUpgrade({ host, origin }, { byCookie: false }))
    })
  }

  it("takes its own page behind a proxy that does TLS", () => {
    assert.isUndefined(plain.check({ host: "holdfast.example.org", origin: "https://holdfast.example.org" }))
    assert.isDefined(plain.check({ host: "holdfast.example.org", origin: "https://other.example.org" }))
  })

  const changes = ["POST", "PUT", "PATCH", "DELETE", "post"]
  const may = (headers: HeadersLike, byCookie: boolean) =>
    changes.every((method) => plain.checkChange(method, { host, ...headers }, { byCookie }) === undefined)
  const mayNot = (headers: HeadersLike, byCookie: boolean) =>
    changes.every((method) => plain.checkChange(method, { host, ...headers }, { byCookie }) !== undefined)

  it("lets a cookie change something only from the server's own page", () => {
    assert.isTrue(may({ origin: "http://127.0.0.1:4747" }, true))
    assert.isTrue(mayNot({}, true))
    assert.isTrue(mayNot({ origin: "https://app.example.org" }, true))
    assert.isUndefined(plain.checkChange("GET", { host }, { byCookie: true }))
    assert.isDefined(plain.checkUpgrade({ host }, { byCookie: true }))
    assert.isDefined(plain.checkUpgrade({ host, origin: "https://app.example.org" }, { byCookie: true }))
    assert.isUndefined(plain.checkUpgrade({ host, origin: "http://127.0.0.1:4747" }, { byCookie: true }))
  })

  it("lets programs without an origin change something, but not what a browser says to come from another site", () => {
    assert.isTrue(may({}, false))
    assert.isTrue(may({ "sec-fetch-site": "same-origin" }, false))
    assert.isTrue(mayNot({ "sec-fetch-site": "cross-site" }, false))
    assert.isTrue(mayNot({ "sec-fetch-site": "same-site" }, false))
  })

  it("answers a preflight of an allowed origin, without credentials, and no other's", () => {
    const ask = (origin: string, more: HeadersLike = {}) =>
      plain.preflight("OPTIONS", { host, origin, "access-control-request-method": "POST", ...more })
    const answer = ask("https://app.example.org")
    assert.strictEqual(answer?.status, 204)
    assert.strictEqual(answer?.headers["access-control-allow-origin"], "https://app.example.org")
    assert.strictEqual(answer?.headers.vary, "Origin")
    assert.notProperty(answer?.headers, "access-control-allow-credentials")
    for (const refused of [
      ask("https://evil.example"),
      ask("null"),
      ask("https://app.example.org", { host: "evil.example" })
    ]) {
      assert.strictEqual(refused?.status, 403)
      assert.notProperty(refused?.headers, "access-control-allow-origin")
    }
    assert.isUndefined(plain.preflight("POST", { host, origin: "https://app.example.org" }))
    assert.isUndefined(plain.preflight("OPTIONS", { host }))
  })

  it("shows answers to pages of an allowed origin alone", () => {
    const shown = plain.corsHeaders({ host, origin: "https://app.example.org" })
    assert.strictEqual(shown["access-control-allow-origin"], "https://app.example.org")
    for (const origin of ["https://evil.example", "http://127.0.0.1:4747", undefined]) {
      assert.deepStrictEqual(plain.corsHeaders({ host, origin }), { vary: "Origin" })
    }
  })

  it("keeps cookies to TLS where the browser has TLS", () => {
    assert.isFalse(plain.isSecure({ host, origin: "http://127.0.0.1:4747" }))
    assert.isFalse(plain.isSecure({ host }))
    assert.isTrue(plain.isSecure({ host: "holdfast.example.org", origin: "https://holdfast.example.org" }))
    assert.isTrue(plain.isSecure({ host: "holdfast.example.org" }))
    const tls = makeRequestGuard({
      host: "127.0.0.1",
      tls: { key: "k", cert: "c" },
      allowedHosts: [],
      allowedOrigins: []
    })
    assert.isTrue(tls.isSecure({ host }))
    assert.isUndefined(tls.check({ host, origin: "https://127.0.0.1:4747" }))
    assert.isDefined(tls.check({ host, origin: "http://127.0.0.1:4747" }))
  })
})
