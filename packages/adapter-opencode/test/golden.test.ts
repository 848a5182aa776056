import { assert, describe, expect, it } from "vitest"
import { makePlayer, show } from "./replay.ts"
import { readTranscript, transcriptNames } from "./transcripts.ts"

describe("A recorded session", () => {
  it.each(transcriptNames)("%s is told as it was before", async (name) => {
    const told = readTranscript(name).map(({ sessionId, steps }) => {
      const player = makePlayer(sessionId)
      const shown = show(steps.map(player.play))
      return `# session ${sessionId.slice(-4)}\n${shown}\n`
    })
    await expect(told.length === 0 ? "# no session\n" : told.join("\n")).toMatchFileSnapshot(`./golden/${name}.txt`)
  })

  it("has its answers sent as they were sent then", () => {
    let answers = 0
    for (const name of transcriptNames) {
      for (const { sessionId, steps } of readTranscript(name)) {
        const player = makePlayer(sessionId)
        for (const step of steps) {
          const { reply } = player.play(step)
          // Nobody dismisses a question here: it is left unanswered.
          if (step.do !== "answer" || reply === undefined || step.path.endsWith("/reject")) continue
          answers += 1
          const { message: _said, ...body } = Object(step.body ?? {}) as Record<string, unknown>
          assert.deepStrictEqual({ path: reply.path, body: reply.body ?? {} }, { path: step.path, body })
        }
      }
    }
    assert.isAbove(answers, 8)
  })
})
