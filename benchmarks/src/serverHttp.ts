/** A command over HTTP, one after the other on one connection. The baseline is `node:http` and one append. */
import type { SessionId } from "@holdfast/core"
import { scriptedBackend } from "@holdfast/testkit"
import { createHmac, randomBytes } from "node:crypto"
import { join } from "node:path"
import { compare, type Figure, inDirectory, interleave } from "./harness.ts"
import { startClients } from "./ServerClientProcess.ts"
import { type OurHost, startBareHttp, startOurs } from "./serverHosts.ts"

const rounds = 5

/** Commands of a round. */
const commands = 1_000

const bodies = Array.from({ length: commands }, (_, n) =>
  JSON.stringify({ command: { type: "session.rename", data: { title: `Title ${n}` } } })
)

/** A token as a host's own sign-in would make it (RFC 7519, HS256). */
const signed = (secret: string): string => {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url")
  const claims = { sub: "bench", name: "Bench", roles: ["owner"], exp: Math.floor(Date.now() / 1000) + 3_600 }
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`
}

const created = async ({ holdfast }: OurHost): Promise<SessionId> => {
  const { sessionId } = await holdfast.create({ backend: "scripted", spec: {} })
  await holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "open")
  return sessionId
}

/** Figures of HTTP. */
export const httpBenchmarks = (): Promise<ReadonlyArray<Figure>> =>
  inDirectory(async (directory) => {
    const secret = randomBytes(32).toString("hex")
    const open = await startOurs(join(directory, "open.db"), [scriptedBackend()])
    const guarded = await startOurs(join(directory, "guarded.db"), [scriptedBackend()], {
      auth: { kind: "secret", secret }
    })
    const bare = await startBareHttp(directory)
    const clients = startClients()
    const urlOf = async (host: OurHost) => `${host.server.url}/api/v1/sessions/${await created(host)}/commands`
    const [openUrl, guardedUrl] = [await urlOf(open), await urlOf(guarded)]
    const post = async (url: string, token: string | undefined) =>
      commands / (await clients.ask({ do: "post", url, token, bodies }))
    const token = signed(secret)
    const values = await interleave(rounds, {
      open: () => post(openUrl, undefined),
      guarded: () => post(guardedUrl, token),
      bare: () => post(bare.url, undefined)
    })
    await clients.close()
    await bare.close()
    await guarded.close()
    await open.close()
    return [
      compare("command over HTTP, one after the other", "commands/s", values.open, values.bare, { atLeast: 0.5 }),
      compare("… with a signed token", "commands/s", values.guarded, values.bare)
    ]
  })
