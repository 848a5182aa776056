import { ptyBackend } from "@holdfast/adapter-pty"
import { ClientError, connect } from "@holdfast/client"
import { layerMemory } from "@holdfast/core"
import { movedWorkspaces } from "@holdfast/git"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it, onTestFinished } from "vitest"
import { openServer, secret, tokenFor, until } from "./ServedClient.ts"

const setUp = async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-client-handoff-")))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const server = await openServer({
    auth: { kind: "secret", secret },
    holdfast: {
      store: layerMemory,
      backends: [ptyBackend()],
      handoff: { folder: join(folder, "bundles"), workspaces: movedWorkspaces() }
    }
  })
  onTestFinished(() => server.close())
  mkdirSync(join(folder, "here"))
  writeFileSync(join(folder, "here", "file"), "mine")
  const clientOf = async (name: string, roles: ReadonlyArray<string>) => {
    const client = connect({ url: server.url, token: await tokenFor(name, 60, roles) })
    onTestFinished(() => client.close())
    return client
  }
  return { folder, clientOf }
}

const catIn = (cwd: string) => ({ backend: "pty", spec: { profile: "command", command: "cat", cwd } })

describe("A session that a client moves", () => {
  it("goes on in the view of everybody who looks at it, without a new connection", async () => {
    const { clientOf, folder } = await setUp()
    const owner = await clientOf("ada", ["owner"])
    const viewer = await clientOf("vera", ["viewer"])
    const session = await owner.create(catIn(join(folder, "here")))
    const view = viewer.session(session.sessionId).view()
    await until(view, ({ state }) => state?.chart.lifecycle === "open")
    const connections: Array<string> = []
    viewer.connection.subscribe(() => void connections.push(viewer.connection.current.phase))
    const { lastSeq } = await session.handoff({ ...catIn(join(folder, "there")), restart: true })
    const { state } = await until(view, ({ state: seen }) => seen?.generation === 2 && seen.chart.lifecycle === "open")
    assert.isAbove(state!.seq, lastSeq)
    assert.strictEqual(readFileSync(join(folder, "there", "file"), "utf8"), "mine")
    assert.isEmpty(connections)
  })

  it("is not moved by somebody who does not own it", async () => {
    const { clientOf, folder } = await setUp()
    const owner = await clientOf("ada", ["owner"])
    const { sessionId } = await owner.create(catIn(join(folder, "here")))
    const member = await clientOf("max", ["member"])
    const to = { ...catIn(join(folder, "there")), restart: true }
    const refused = await member
      .session(sessionId)
      .handoff(to)
      .then(
        () => undefined,
        (error: unknown) => error
      )
    assert.instanceOf(refused, ClientError)
    assert.strictEqual((refused as ClientError).problem.kind, "forbidden")
  })
})
