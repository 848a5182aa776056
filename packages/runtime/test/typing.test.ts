import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ptyBackend } from "@holdfast/adapter-pty"
import { type Backend, layerMemory, makeCommandId, type ParticipantId, type SessionId } from "@holdfast/core"
import { createHoldfast, type PlainHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { isClosed, isOpen } from "./fixtures.ts"

const [anna, ben] = ["anna" as ParticipantId, "ben" as ParticipantId]

/** A terminal that says what it was typed, and who is in it: Anna owns it, Ben looks on. */
const inTerminal = async (use: (holdfast: PlainHoldfast, sessionId: SessionId) => Promise<void>) => {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-typing-"))
  const holdfast = await createHoldfast({
    store: SqliteEventLog.layer({ path: join(directory, "log.db") }),
    backends: [ptyBackend()]
  })
  try {
    const { sessionId } = await holdfast.create({
      backend: "pty",
      spec: { profile: "command", command: "bash", args: ["-c", "stty raw -echo; printf ready; exec cat"] },
      owner: { participantId: anna, name: "Anna" }
    })
    await holdfast.until(sessionId, ({ terminal }) => (terminal?.offset ?? 0) >= "ready".length)
    await holdfast.command(sessionId, {
      type: "participant.join",
      data: { participantId: ben, name: "Ben", role: "viewer" }
    })
    await use(holdfast, sessionId)
  } finally {
    await holdfast.close()
    await rm(directory, { recursive: true, force: true })
  }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const keys = (text: string) => ({ type: "terminal.write", data: { bytes: bytes(text) } }) as const

/** What the terminal has said once it has said `length` bytes. */
const said = async (holdfast: PlainHoldfast, sessionId: SessionId, length: number): Promise<string> => {
  let text = ""
  for await (const page of holdfast.follow(sessionId, 0)) {
    if (!("events" in page)) continue
    for (const event of page.events) if (event.type === "terminal.output") text += Buffer.from(event.bytes!).toString()
    if (text.length >= length) break
  }
  return text
}

describe("what somebody types", { timeout: 60_000 }, () => {
  it("comes in its order, by command and plainly, and is logged once a burst with its author", () =>
    inTerminal(async (holdfast, sessionId) => {
      for (const letters of ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx", "yz"]) {
        expect(holdfast.type(sessionId, bytes(letters[0]!), { actor: anna })?.accepted).toBe(true)
        await holdfast.command(sessionId, keys(letters[1]!), { actor: anna })
      }
      expect(await said(holdfast, sessionId, 31)).toBe("readyabcdefghijklmnopqrstuvwxyz")
      const { typed } = await holdfast.until(sessionId, (state) => state.typed !== null)
      expect(typed).toMatchObject({ actor: anna })
      const bursts: Array<string | undefined> = []
      for await (const page of holdfast.follow(sessionId, 0)) {
        if (!("events" in page)) break
        for (const { actor, type } of page.events) if (type === "terminal.typed") bursts.push(actor)
      }
      expect(bursts).toEqual([anna])
    }))

  it("comes once, however often its sender repeats it, and has one receipt", () =>
    inTerminal(async (holdfast, sessionId) => {
      const commandId = makeCommandId()
      const receipt = await holdfast.command(sessionId, keys("once "), { commandId, actor: anna })
      expect(await holdfast.command(sessionId, keys("once "), { commandId, actor: anna })).toEqual(receipt)
      expect(holdfast.type(sessionId, bytes("once "), { commandId, actor: anna })).toEqual({ accepted: true, receipt })
      await holdfast.command(sessionId, keys("end"), { actor: anna })
      expect(await said(holdfast, sessionId, 13)).toBe("readyonce end")
    }))

  it("is refused to who only looks on, in more than a mebibyte, and once the session has ended", () =>
    inTerminal(async (holdfast, sessionId) => {
      await expect(holdfast.command(sessionId, keys("x"), { actor: ben })).rejects.toMatchObject({
        _tag: "CommandRejected",
        reason: "forbidden"
      })
      expect(holdfast.type(sessionId, bytes("x"), { actor: ben })).toMatchObject({ rejection: { reason: "forbidden" } })
      const large = new Uint8Array(1024 * 1024 + 1)
      await expect(
        holdfast.command(sessionId, { type: "terminal.write", data: { bytes: large } })
      ).rejects.toMatchObject({ reason: "invalid", field: "data.bytes" })
      expect(holdfast.type(sessionId, large)).toBe(undefined)
      await holdfast.command(sessionId, { type: "session.close", data: { force: true } })
      await holdfast.until(sessionId, isClosed)
      await expect(holdfast.command(sessionId, keys("x"))).rejects.toMatchObject({ reason: "illegal_state" })
      expect(await said(holdfast, sessionId, 5)).toBe("ready")
    }))

  it("is refused where the backend's own code throws, and the runtime lives", async () => {
    const pty = ptyBackend()
    const broken: Backend = {
      ...pty,
      open: (request) =>
        Effect.map(pty.open(request), (session) => ({
          ...session,
          write: () => {
            throw new Error("the wire is cut")
          }
        }))
    }
    await using holdfast = await createHoldfast({ store: layerMemory, backends: [broken] })
    const spec = { profile: "command", command: "cat", args: [] }
    const { sessionId } = await holdfast.create({ backend: "pty", spec })
    await holdfast.until(sessionId, isOpen)
    const refusal = { reason: "busy", detail: "the backend failed to write: the wire is cut" }
    expect(holdfast.type(sessionId, bytes("x"))).toMatchObject({ accepted: false, rejection: refusal })
    await expect(holdfast.command(sessionId, keys("x"))).rejects.toMatchObject(refusal)
    expect((await holdfast.state(sessionId)).chart.lifecycle).toBe("open")
  })

  it("is no promise of a session that is not at hand", () =>
    inTerminal(async (holdfast, sessionId) => {
      await holdfast.until(sessionId, isOpen)
      expect(holdfast.type("0197f3a0-0000-7000-8000-000000000000" as SessionId, bytes("x"))).toBe(undefined)
    }))
})
