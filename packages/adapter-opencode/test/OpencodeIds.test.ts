import { makeUuid, type PromptId } from "@holdfast/core"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isMessageOf, makeIdClock } from "../src/OpencodeIds.ts"

/** As Opencode makes its ids. */
const serverId = (prefix: string, ms: number, counter = 1) => {
  const ticks = (BigInt(ms) * 4_096n + BigInt(counter)) & 0xffffffffffffn
  return `${prefix}_${ticks.toString(16).padStart(12, "0")}abcdefghijklmn`
}

const newPrompt = () => makeUuid() as PromptId
const now = 1_795_200_765_915

describe("ids of messages", () => {
  it("have Opencode's form, and carry the time as its own do", () => {
    const id = makeIdClock().messageId(newPrompt(), now)
    expect(id).toMatch(/^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/)
    expect(id.slice(4, 13)).toBe("1fa4dcfdb")
  })

  it("tell of which prompt they are, whenever they were made", () => {
    const [one, other] = [newPrompt(), newPrompt()]
    const ids = makeIdClock()
    const [first, second] = [ids.messageId(one, now), ids.messageId(one, now + 86_400_000)]
    expect([first, second].map((id) => isMessageOf(id, one))).toEqual([true, true])
    expect([first, second].map((id) => isMessageOf(id, other))).toEqual([false, false])
    expect(isMessageOf(serverId("msg", now), one)).toBe(false)
  })

  it("come after all messages that were seen, and before those that the server makes next, whatever the clocks say", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -86_400_000, max: 86_400_000 }),
        fc.array(fc.record({ pause: fc.nat(5_000), delay: fc.nat(2_000), sends: fc.boolean() }), { minLength: 1 }),
        (skew, moments) => {
          const ids = makeIdClock()
          let time = now
          ids.heard(serverId("evt", time + skew), time)
          const made = [""]
          for (const { delay, pause, sends } of moments) {
            time += pause + 1
            if (sends) made.push(ids.messageId(newPrompt(), time))
            // The server answers: its message is made later than ours, and its event arrives with a delay.
            const answer = serverId("msg", time + skew + 1)
            made.push(answer)
            ids.saw(answer)
            ids.heard(serverId("evt", time + skew + 1), time + delay)
            time += delay
          }
          expect(made).toEqual(made.toSorted())
        }
      )
    )
  })

  it("are not made of anything that is no id", () => {
    const ids = makeIdClock()
    for (const odd of [undefined, null, 5, "", "msg_", "msg_zzzzzzzzzzzz", {}]) {
      ids.heard(odd, now)
      ids.saw(odd)
    }
    expect(ids.messageId(newPrompt(), now).slice(4, 13)).toBe("1fa4dcfdb")
  })
})
