/** The ways between a host and the real bridge of a real sandbox: it is dialled where it listens, and it dials over TLS. */
import { type EventLogService, makeMemory, type SessionId } from "@holdfast/core"
import type { SandboxInfo, SandboxProvider, SandboxRequest } from "@holdfast/core/cloud"
import { makeHoldfast } from "@holdfast/runtime"
import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { expect, it } from "vitest"
import { type CloudHouseOptions, openCloudHouse, processProvider, testFolder } from "./support/cloudHouse.ts"

const shell = (source: string) => ({
  inner: { backend: "pty", spec: { profile: "command", command: "sh", args: ["-c", `stty -opost -echo; ${source}`] } }
})

const outputOf = (log: EventLogService, sessionId: SessionId) =>
  Effect.map(log.read(sessionId, 0, { limit: 10_000 }), (page) =>
    page.answer === "gap"
      ? ""
      : Buffer.concat(page.events.flatMap(({ bytes, type }) => (type === "terminal.output" ? [bytes!] : []))).toString()
  )

/** Runs a terminal to its end, with something typed on the way; gives what it said. */
const talk = (options: CloudHouseOptions, environment: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const { backend } = yield* openCloudHouse(options)
    const log = makeMemory()
    const holdfast = yield* makeHoldfast(log, { backends: [backend] })
    const spec = { ...shell(`seq 5000; read x; echo "got $x"; exit 3`), environment }
    const { sessionId } = yield* holdfast.create({ backend: "cloud", spec })
    yield* holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) > 0)
    const bytes = new TextEncoder().encode("word\n")
    yield* holdfast.command(sessionId, { type: "terminal.write", data: { bytes } })
    const isOver = ({ chart }: { readonly chart: { readonly lifecycle: string } }) =>
      chart.lifecycle === "closed" || chart.lifecycle === "failed"
    const { end } = yield* Effect.timeout(holdfast.until(sessionId, isOver), 30_000)
    return { end, output: yield* outputOf(log, sessionId) }
  })

const said = `${Array.from({ length: 5_000 }, (_, index) => `${index + 1}\n`).join("")}got word\n`

const test = (name: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it(name, () => Effect.runPromise(Effect.scoped(body)))

/** A port of the loopback interface that was free just now. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** The provider `process` as one whose sandboxes accept connections, each at a port of its own. */
const listening = ({ create, list, ...provider }: SandboxProvider): SandboxProvider => {
  const ports = new Map<string, number>()
  const reached = <I extends SandboxInfo>(info: I) => ({
    ...info,
    endpoint: `ws://127.0.0.1:${ports.get(info.sessionId)}`
  })
  return {
    ...provider,
    capabilities: { ...provider.capabilities, dialIn: true },
    list: (owner) => Effect.map(list(owner), (all) => all.map(reached)),
    create: (request: SandboxRequest) =>
      Effect.flatMap(freePort, (port) => {
        ports.set(request.sessionId, port)
        const environment = { ...request.environment, HOLDFAST_BRIDGE_LISTEN: `127.0.0.1:${port}` }
        return Effect.map(create({ ...request, environment }), reached)
      })
  }
}

test(
  "A bridge that listens in its sandbox is dialled by the host",
  Effect.gen(function* () {
    const provider = listening(yield* processProvider(yield* testFolder))
    const dial = { secret: "a secret of this host, longer than 32 characters" }
    // Nothing listens where it would find the host otherwise.
    const { end, output } = yield* talk({ provider, dial, controlPlane: "http://127.0.0.1:1" })
    expect(end).toMatchObject({ exitCode: 3 })
    expect(output).toBe(said)
  })
)

/** A certificate of a made-up authority, for the loopback interface. */
const certificate = (folder: string) => {
  const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")]
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=loopback"
  const names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", keyFile, "-out", certFile]
  execFileSync("openssl", [...words.split(" "), ...names], { stdio: "ignore" })
  return { certFile, tls: { key: readFileSync(keyFile, "utf8"), cert: readFileSync(certFile, "utf8") } }
}

test(
  "A bridge dials its host over TLS with an authority of the host's own, and not where it does not know that",
  Effect.gen(function* () {
    const { certFile, tls } = certificate(yield* testFolder)
    const { end, output } = yield* talk({ tls }, { NODE_EXTRA_CA_CERTS: certFile })
    expect(end).toMatchObject({ exitCode: 3 })
    expect(output).toBe(said)

    const { backend, server } = yield* openCloudHouse({ tls, policy: { connectTimeoutMs: 1_500, maxSpawns: 1 } })
    const holdfast = yield* makeHoldfast(makeMemory(), { backends: [backend], policy: { maxAttempts: 1 } })
    const { sessionId } = yield* holdfast.create({ backend: "cloud", spec: shell("echo never") })
    const state = yield* holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "failed")
    expect(state.end?.reason).toContain("its bridge did not come in time")
    expect(server.connections()).toBe(0)
  })
)
