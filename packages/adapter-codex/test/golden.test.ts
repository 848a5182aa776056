/**
 * What the recordings become is kept in `golden/`. After a wanted change of the mapping: `npx vitest run -u` on this file, and read
 * the difference.
 */
import { assert, describe, expect, it } from "@effect/vitest"
import { objections, openSimulatedSession } from "@holdfast/testkit"
import { messagesOf, readTranscript, replay, threadsOf, transcriptNames } from "./transcripts.ts"

/** Ids as they come are long and differ between recordings: they are numbered by their first appearance. */
const makeNames = () => {
  const names = new Map<string, string>()
  return (text: string): string =>
    text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
      const name = names.get(id) ?? `<${names.size + 1}>`
      names.set(id, name)
      return name
    })
}

describe("A recorded conversation with Codex", () => {
  for (const name of transcriptNames) {
    const lines = readTranscript(name)
    const threads = threadsOf(messagesOf(lines))

    it(`${name} becomes the events that are on file`, async () => {
      const named = makeNames()
      const text: Array<string> = []
      for (const threadId of threads) {
        text.push(named(`# thread ${threadId}`))
        const normaliser = replay(lines, threadId, ({ answer, events, replies }) => {
          for (const event of events)
            text.push(named(`${event.type} ${JSON.stringify("data" in event ? event.data : {})}`))
          for (const reply of [...replies, ...(answer === undefined ? [] : [answer])]) {
            text.push(named(`→ ${JSON.stringify(reply)}`))
          }
        })
        const left = normaliser.openCommands().map(({ itemId, state }) => `${state} ${itemId}`)
        text.push(...left.map((command) => named(`# at the end: ${command}`)), "")
      }
      await expect(text.join("\n")).toMatchFileSnapshot(`./golden/${name}.txt`)
    })

    it(`${name} is legal for a session, event by event, with the answers that were given`, () => {
      for (const threadId of threads) {
        const session = openSimulatedSession()
        replay(lines, threadId, ({ answer, events, line }) => {
          session.tell(events)
          if (answer !== undefined) assert.deepStrictEqual<unknown>(answer, line.msg)
        })
        assert.deepStrictEqual(objections(session), [])
      }
    })
  }
})
