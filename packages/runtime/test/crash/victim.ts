/**
 * The process that the crash matrix kills: a runtime on a real store with real terminals and a scripted agent, doing
 * random things. It says on standard output, each line written before it goes on, what was acknowledged to it and what
 * a follower of its saw: none of that may be gone afterwards.
 */
import { writeSync } from "node:fs"
import { ptyBackend } from "@holdfast/adapter-pty"
import { CommandRejected, makeCommandId, type Receipt, type SessionId } from "@holdfast/core"
import { createHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { agentBackend, digest, endOfLine, type Line, randomFrom, stubborn } from "./matrix.ts"

const [path, seed, writerUrl] = process.argv.slice(2) as [string, string, string]
const random = randomFrom(Number(seed))
/** Writes whole lines and at once: what was said before the kill must have been said. The pipe does not block by itself. */
const say = (line: Line) => {
  const bytes = Buffer.from(`${JSON.stringify(line)}${endOfLine}\n`)
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(1, bytes, written)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

const holdfast = await createHoldfast({
  store: SqliteEventLog.layer({ path, writerUrl: new URL(writerUrl) }),
  backends: [ptyBackend(), agentBackend()],
  policy: { retryDelayMs: 20, closeGraceMs: 50 }
})
say({ kind: "ready" })

const watch = async (sessionId: SessionId) => {
  for await (const page of holdfast.follow(sessionId, 0)) {
    if (page.answer !== "exact") continue
    for (const event of page.events) say({ kind: "seen", sessionId, seq: event.seq, digest: digest(event) })
  }
}

const acknowledged = async (receipt: Promise<Receipt>): Promise<Receipt | undefined> => {
  try {
    const given = await receipt
    say({ kind: "receipt", receipt: given })
    return given
  } catch (error) {
    // Random commands are often illegal; anything else is a failure of the matrix.
    if (error instanceof CommandRejected) return undefined
    throw error
  }
}

const sessions: Array<SessionId> = []
const create = async () => {
  const commandId = makeCommandId()
  const created = await acknowledged(
    random() < 0.5
      ? holdfast.create({ backend: "agent", spec: {}, commandId })
      : holdfast.create({
          backend: "pty",
          spec: { profile: "command", command: "bash", args: ["-c", random() < 0.2 ? stubborn : "cat"] },
          commandId
        })
  )
  if (created === undefined) return
  sessions.push(created.sessionId)
  void watch(created.sessionId)
}

const text = () => ({ content: [{ type: "text" as const, text: `prompt ${Math.floor(random() * 1e6)}` }] })
const commands = [
  () => ({ type: "prompt.send", data: text() }) as const,
  () => ({ type: "prompt.send", data: text() }) as const,
  () => ({ type: "terminal.write", data: { bytes: new TextEncoder().encode("echo\r") } }) as const,
  () => ({ type: "terminal.write", data: { bytes: new TextEncoder().encode("echo\r") } }) as const,
  () => ({ type: "terminal.resize", data: { cols: 40 + Math.floor(random() * 80), rows: 24 } }) as const,
  () => ({ type: "session.rename", data: { title: `title ${random()}` } }) as const,
  () => ({ type: "session.close", data: {} }) as const
]

await create()
for (;;) {
  if (sessions.length < 4 && random() < 0.3) await create()
  const sessionId = sessions[Math.floor(random() * sessions.length)]!
  const make = commands[Math.floor(random() * commands.length)]!
  const command = make()
  const commandId = makeCommandId()
  const receipt = await acknowledged(holdfast.command(sessionId, command, { commandId }))
  // The same command again: it must have no second effect.
  if (receipt !== undefined && random() < 0.2) {
    await acknowledged(holdfast.command(sessionId, command, { commandId }))
  }
}
